if HAVE_CMOCKA
check_PROGRAMS += tests/unit/store/test_faults tests/unit/store/test_store
tests_unit_store_test_faults_SOURCES = tests/unit/store/test_faults.c tests/unit/store/sample.h tests/unit/fault.h tests/unit/unit.h
tests_unit_store_test_faults_LDADD = $(UNIT_LIBS)
tests_unit_store_test_faults_LDFLAGS = $(FAULT_LINK)
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c tests/unit/store/sample.h tests/unit/unit.h
tests_unit_store_test_store_LDADD = $(UNIT_LIBS)
endif
