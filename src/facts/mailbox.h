/*
 * mailbox.h: names of mailboxes, the words of their states, accounts and sites. Layer: facts.
 */
#ifndef FACTS_MAILBOX_H
#define FACTS_MAILBOX_H

#include "base/buf.h"
#include "facts/words.h"

#define MAILBOX_NAME_MOST 64

/* Contract 1: 1 to 64 of A-Z a-z 0-9 . _ @ + -, not . or .., first a letter, a digit or _. */
bool mailbox_name_is_valid(struct bytes name);
/* "smtp ok, imap failing"; both ok, both unknown, both paused: that one word; one endpoint: "smtp
 * ok". A delivery test's ", delivery failing" is the caller's to add. */
void mailbox_state_put(struct buf *out, const enum part parts[SIDE_COUNT]);
/* As listed in counts and selectors: paused > failing > unknown > ok (contract 5). */
enum part mailbox_state_class(const enum part parts[SIDE_COUNT]);
/* The registrable domain of a host by the public suffix list, else the host itself; lower case. */
CHECKED enum err site_of_host(struct bytes host, struct buf *out);
/* The key of an account: user name, case folded, a NUL, its site (contract 1; H7-16). */
CHECKED enum err account_key(struct bytes username, struct bytes host, struct buf *out);

#endif
