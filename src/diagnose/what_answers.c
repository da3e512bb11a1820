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
		verdict->answers = protocol;
		verdict_detail(verdict, "%s at port %u %s", protocol_name(protocol), endpoint->port,
			detail);
	}
}

void
diagnose_answer_to_tls(
	const struct endpoint *endpoint, const struct answer *answer, struct verdict *verdict)
{
	enum protocol protocol = protocol_of_greeting(answer->heard);
	struct buf text = { 0 };

	if (!answer->is_tls)
		return;
	escape_put_cut(&text, bytes_to_line_end(answer->heard), ESCAPE_TERMINAL, MOST_SHOWN_BYTES);
	buf_put_string(&text, "");
	if (protocol == PROTOCOL_UNKNOWN || protocol == protocol_of_side(endpoint->side)) {
		diagnose_cause(verdict, STAGE_GREETING, CAUSE_TLS_MODE);
		verdict_detail(verdict, "silent in clear, answers to TLS%s%s",
			text.len > 0 ? ": " : "", text.len > 0 ? text.at : "");
		suggest(verdict, SECURITY_TLS, 0);
	} else {
		diagnose_cause(verdict, STAGE_GREETING, CAUSE_WRONG_PROTOCOL);
		verdict->answers = protocol;
		verdict_detail(verdict, "%s answers under TLS at port %u: %s",
			protocol_name(protocol), endpoint->port, text.len > 0 ? text.at : "");
	}
	buf_done(&text);
}

/* ---- another port, where the endpoint's own is closed */

struct other_port
diagnose_other_port(const struct endpoint *endpoint)
{
	enum security security =
		endpoint->security == SECURITY_TLS ? SECURITY_TLS : SECURITY_STARTTLS;

	if (endpoint->port == port_of_security(endpoint->side, security))
		security = security == SECURITY_TLS ? SECURITY_STARTTLS : SECURITY_TLS;
	return (struct other_port){ port_of_security(endpoint->side, security), security };
}

void
diagnose_answer_of_other_port(
	const struct endpoint *endpoint, const struct answer *answer, struct verdict *verdict)
{
	struct other_port other = diagnose_other_port(endpoint);
	bool is_mode = answer && answer->is_tls == (other.security == SECURITY_TLS);
	enum protocol protocol = answer ? protocol_of_greeting(answer->heard) : PROTOCOL_UNKNOWN;
	struct buf text = { 0 };

	buf_put_format(&text, "port %u was tried too: ", other.port);
	if (!answer) {
		buf_put_string(&text, "it is not reachable either");
	} else if (is_mode && protocol == protocol_of_side(endpoint->side)) {
		suggest(verdict, other.security, other.port);
		buf_put_format(&text, "%s answers there%s: ", protocol_name(protocol),
			answer->is_tls ? " under TLS" : "");
		escape_put_cut(
			&text, bytes_to_line_end(answer->heard), ESCAPE_TERMINAL, MOST_SHOWN_BYTES);
	} else if (protocol != PROTOCOL_UNKNOWN) {
		buf_put_format(&text, "%s answers there", protocol_name(protocol));
	} else {
		buf_put_string(&text, "nothing that is known answers there");
	}
	if (buf_err(&text) == ERR_OK)
		verdict_note(verdict, "%s", text.at);
	buf_done(&text);
}
