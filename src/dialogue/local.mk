noinst_LIBRARIES += src/dialogue/libdialogue.a
src_dialogue_libdialogue_a_SOURCES = \
	src/dialogue/dialogue.c src/dialogue/dialogue.h src/dialogue/dialogue_private.h \
	src/dialogue/smtp.c src/dialogue/smtp_reply.c src/dialogue/smtp_reply.h \
	src/dialogue/imap.c src/dialogue/imap.h \
	src/dialogue/imap_receive.c src/dialogue/imap_capability.c src/dialogue/imap_login.c \
	src/dialogue/imap_command.c src/dialogue/imap_end.c src/dialogue/imap_list.c \
	src/dialogue/imap_errand.c \
	src/dialogue/imap_response.c src/dialogue/imap_response.h \
	src/dialogue/reply_text.c src/dialogue/reply_text.h \
	src/dialogue/line.c src/dialogue/line.h \
	src/dialogue/login.c \
	src/dialogue/sasl.c src/dialogue/sasl.h \
	src/dialogue/scram.c src/dialogue/scram.h \
	src/dialogue/utf7.c src/dialogue/utf7.h
