noinst_LIBRARIES += src/config/libconfig_room.a
src_config_libconfig_room_a_SOURCES =
