noinst_LIBRARIES += src/watch/libwatch.a
src_watch_libwatch_a_SOURCES =
