if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/config/test_memory \
	tests/unit/config/test_numbers \
	tests/unit/config/test_pin \
	tests/unit/config/test_plan \
	tests/unit/config/test_providers \
	tests/unit/config/test_rules \
	tests/unit/config/test_scope \
	tests/unit/config/test_sealed \
	tests/unit/config/test_settings \
	tests/unit/config/test_way

tests_unit_config_test_memory_SOURCES = tests/unit/config/test_memory.c tests/unit/config/fixture.h tests/unit/fault.h tests/unit/unit.h
tests_unit_config_test_memory_LDADD = $(UNIT_LIBS)
tests_unit_config_test_memory_LDFLAGS = $(FAULT_LINK)
tests_unit_config_test_numbers_SOURCES = tests/unit/config/test_numbers.c tests/unit/unit.h
tests_unit_config_test_numbers_LDADD = $(UNIT_LIBS)
tests_unit_config_test_pin_SOURCES = tests/unit/config/test_pin.c tests/unit/unit.h
tests_unit_config_test_pin_LDADD = $(UNIT_LIBS)
tests_unit_config_test_plan_SOURCES = tests/unit/config/test_plan.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_plan_LDADD = $(UNIT_LIBS)
tests_unit_config_test_providers_SOURCES = tests/unit/config/test_providers.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_providers_LDADD = $(UNIT_LIBS)
tests_unit_config_test_rules_SOURCES = tests/unit/config/test_rules.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_rules_LDADD = $(UNIT_LIBS)
tests_unit_config_test_scope_SOURCES = tests/unit/config/test_scope.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_scope_LDADD = $(UNIT_LIBS)
tests_unit_config_test_sealed_SOURCES = tests/unit/config/test_sealed.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_sealed_LDADD = $(UNIT_LIBS)
tests_unit_config_test_settings_SOURCES = tests/unit/config/test_settings.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_settings_LDADD = $(UNIT_LIBS)
tests_unit_config_test_way_SOURCES = tests/unit/config/test_way.c tests/unit/config/fixture.h tests/unit/unit.h
tests_unit_config_test_way_LDADD = $(UNIT_LIBS)
endif
