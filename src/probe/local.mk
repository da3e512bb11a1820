noinst_LIBRARIES += src/probe/libprobe.a
src_probe_libprobe_a_SOURCES = \
	src/probe/clear_text.c src/probe/clear_text.h \
	src/probe/probes.c src/probe/probe.h
