/*
 * what_answers.c: the first bytes of a server -> tls_mode, wrong_protocol, and what to set. Layer:
 * diagnose, pure. Not here: which protocol greets how (facts/protocol.c).
 */
#include "diagnose/what_answers.h"

#include <stdio.h>

#include "base/escape.h"
#include "diagnose/diagnose.h"
#include "facts/protocol.h"

#define MOST_SHOWN_BYTES ((size_t)256)

static void
suggest(struct verdict *verdict, enum security security, uint16_t port)
{
	char number[8];

	verdict_suggest(verdict, "security", security_name(security));
	if (port == 0)
		return;
	snprintf(number, sizeof(number), "%u", (unsigned)port);
	verdict_suggest(verdict, "port", number);
}

void
diagnose_clear_text(const struct endpoint *endpoint, struct bytes heard, const char *detail,
	struct verdict *verdict)
{
	enum protocol protocol = protocol_of_greeting(heard);

	if (endpoint->security != SECURITY_TLS || protocol == PROTOCOL_UNKNOWN) {
		diagnose_cause(verdict, STAGE_TLS, CAUSE_TLS_HANDSHAKE);
		verdict_detail(verdict, "%s", detail);
	} else if (protocol == protocol_of_side(endpoint->side)) {
		diagnose_cause(verdict, STAGE_TLS, CAUSE_TLS_MODE);
		verdict_detail(verdict, "%s %s", protocol_name(protocol), detail);
		suggest(verdict, SECURITY_STARTTLS, endpoint->port);
	} else {
		diagnose_cause(verdict, STAGE_TLS, CAUSE_WRONG_PROTOCOL);
		verdict_detail(verdict, "%s at port %u %s", protocol_name(protocol), endpoint->port,
			detail);
	}
}

static struct bytes
first_line(struct bytes text)
{
	size_t end = 0;

	while (end < text.len && text.at[end] != '\r' && text.at[end] != '\n')
		end++;
	return bytes_first(text, end);
}

void
diagnose_answer_to_tls(const struct endpoint *endpoint, const struct answer *answer,
	uint16_t suggest_port, struct verdict *verdict)
{
	enum protocol protocol = protocol_of_greeting(answer->heard);
	struct buf text = { 0 };

	if (!answer->is_tls)
		return;
	escape_put_cut(&text, first_line(answer->heard), ESCAPE_TERMINAL, MOST_SHOWN_BYTES);
	buf_put_string(&text, "");
	if (protocol == PROTOCOL_UNKNOWN || protocol == protocol_of_side(endpoint->side)) {
		diagnose_cause(verdict, STAGE_GREETING, CAUSE_TLS_MODE);
		verdict_detail(verdict, "silent in clear, answers to TLS%s%s",
			text.len > 0 ? ": " : "", text.len > 0 ? text.at : "");
		suggest(verdict, SECURITY_TLS, suggest_port);
	} else {
		diagnose_cause(verdict, STAGE_GREETING, CAUSE_WRONG_PROTOCOL);
		verdict_detail(verdict, "%s answers under TLS at port %u: %s",
			protocol_name(protocol), suggest_port ? suggest_port : endpoint->port,
			text.len > 0 ? text.at : "");
	}
	buf_done(&text);
}
