noinst_LIBRARIES += src/probe/libprobe.a
src_probe_libprobe_a_SOURCES = \
	src/probe/inside.h \
	src/probe/keys.c src/probe/keys.h \
	src/probe/look.c src/probe/look_names.c \
	src/probe/peek.c src/probe/peek.h \
	src/probe/kept.c \
	src/probe/probe.c src/probe/probe.h \
	src/probe/probe_end.c \
	src/probe/probes.c \
	src/probe/silent.c src/probe/silent.h \
	src/probe/stalls.c src/probe/stalls.h \
	src/probe/way.c src/probe/way.h
