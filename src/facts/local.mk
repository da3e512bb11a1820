noinst_LIBRARIES += src/facts/libfacts.a
src_facts_libfacts_a_SOURCES = \
	src/facts/words.c src/facts/words.h \
	src/facts/cause.c src/facts/cause.h src/facts/causes.def \
	src/facts/reply_rule.c src/facts/reply_rule.h \
	src/facts/endpoint.c src/facts/endpoint.h \
	src/facts/verdict.c src/facts/verdict_json.c src/facts/texts.c src/facts/verdict.h \
	src/facts/errand.c src/facts/errand.h \
	src/facts/finding.c src/facts/finding.h \
	src/facts/folder.c src/facts/folder.h \
	src/facts/event.c src/facts/alert_render.c src/facts/event.h src/facts/events.def \
	src/facts/protocol.c src/facts/protocol.h \
	src/facts/metric.c src/facts/metric.h src/facts/metrics.def \
	src/facts/mailbox.c src/facts/mailbox.h \
	src/facts/sealed_mailbox.c src/facts/sealed_mailbox.h \
	src/facts/prefix.c src/facts/prefix.h \
	src/facts/provider.c src/facts/provider.h \
	src/facts/json.h src/facts/row.h
