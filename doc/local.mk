# Manuals. Those of the tables (api, causes, events, metrics) are made of the very tables, so they cannot lag.

noinst_PROGRAMS += doc/tables
doc_tables_SOURCES = doc/tables.c
doc_tables_LDADD = src/facts/libfacts.a src/base/libbase.a $(OUTSIDE_LIBS)

dist_man_MANS = doc/mboxwatch.conf.5 doc/mboxwatchctl.1 doc/mboxwatchd.8
nodist_man_MANS = doc/mboxwatch-api.7 doc/mboxwatch-causes.7 doc/mboxwatch-events.7 doc/mboxwatch-metrics.7

doc/mboxwatch-api.7: $(srcdir)/doc/mboxwatch-api.7.in doc/tables$(EXEEXT)
	$(AM_V_GEN)doc/tables api '$(srcdir)/doc/mboxwatch-api.7.in' >$@.tmp && mv $@.tmp $@
doc/mboxwatch-causes.7: $(srcdir)/doc/mboxwatch-causes.7.in doc/tables$(EXEEXT)
	$(AM_V_GEN)doc/tables causes '$(srcdir)/doc/mboxwatch-causes.7.in' >$@.tmp && mv $@.tmp $@
doc/mboxwatch-events.7: $(srcdir)/doc/mboxwatch-events.7.in doc/tables$(EXEEXT)
	$(AM_V_GEN)doc/tables events '$(srcdir)/doc/mboxwatch-events.7.in' >$@.tmp && mv $@.tmp $@
doc/mboxwatch-metrics.7: $(srcdir)/doc/mboxwatch-metrics.7.in doc/tables$(EXEEXT)
	$(AM_V_GEN)doc/tables metrics '$(srcdir)/doc/mboxwatch-metrics.7.in' >$@.tmp && mv $@.tmp $@

EXTRA_DIST += doc/mboxwatch-api.7.in doc/mboxwatch-causes.7.in doc/mboxwatch-events.7.in doc/mboxwatch-metrics.7.in
CLEANFILES += doc/mboxwatch-api.7 doc/mboxwatch-causes.7 doc/mboxwatch-events.7 doc/mboxwatch-metrics.7
