/*
 * mailboxes.c: mailboxes set over the socket. Layer: daemon.
 * Not here: who may (control/routes.c), how one is judged (config/sealed.c), the file
 * (store/mailboxes.c).
 */
#define HASH_NONFATAL_OOM 1
#include "daemon/mailboxes.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/log.h"
#include "daemon/load.h"

struct entry {
	UT_hash_handle hh;
	struct sealed_mailbox *mailbox;
	uint64_t changed; /* the round in which it was put */
};

/* Taken away while a load was under way. */
struct gone {
	struct gone *next;
	char name[];
};

struct mailboxes {
	struct entry *all; /* by name */
	uint64_t round;	   /* rises with each lending */
	struct gone *gone; /* since then */
};

/* ---- all of them */

static struct entry *
find(const struct mailboxes *mailboxes, const char *name)
{
	struct entry *entry;

	HASH_FIND(hh, mailboxes->all, name, strlen(name), entry);
	return entry;
}

static void
entry_free(struct mailboxes *mailboxes, struct entry *entry)
{
	HASH_DEL(mailboxes->all, entry);
	sealed_mailbox_free(entry->mailbox);
	free(entry);
}

/* mailbox is taken. *is_new: there was none of its name. */
static enum err
keep(struct mailboxes *mailboxes, struct sealed_mailbox *mailbox, bool *is_new)
{
	struct entry *entry = find(mailboxes, mailbox->name);

	*is_new = !entry;
	if (entry) { /* its key is the old one's name */
		HASH_DEL(mailboxes->all, entry);
		sealed_mailbox_free(entry->mailbox);
	} else {
		entry = calloc(1, sizeof(*entry));
	}
	if (!entry) {
		sealed_mailbox_free(mailbox);
		return ERR_MEMORY;
	}
	entry->mailbox = mailbox;
	entry->changed = mailboxes->round;
	HASH_ADD_KEYPTR(hh, mailboxes->all, mailbox->name, strlen(mailbox->name), entry);
	if (entry->hh.tbl)
		return ERR_OK;
	sealed_mailbox_free(mailbox);
	free(entry);
	return ERR_MEMORY;
}

static void
forget_gone(struct mailboxes *mailboxes)
{
	struct gone *gone;

	while ((gone = mailboxes->gone)) {
		mailboxes->gone = gone->next;
		free(gone);
	}
}

/* ---- start and end */

struct reading {
	struct mailboxes *mailboxes;
	enum err err;
};

static void
on_mailbox(void *owner, struct sealed_mailbox *mailbox)
{
	struct reading *reading = owner;
	bool is_new;

	if (keep(reading->mailboxes, mailbox, &is_new) != ERR_OK)
		reading->err = ERR_MEMORY;
}

static enum err
join_all(struct daemon *daemon)
{
	struct complaints complaints = { 0 };
	struct sealed_mailbox **lent = NULL;
	size_t count = 0;
	enum err err = mailboxes_lend(daemon, &lent, &count);

	if (err == ERR_OK)
		err = settings_join(daemon->settings, lent, count, &complaints);
	load_log_complaints(&complaints);
	complaints_done(&complaints);
	mailboxes_let_go(lent, count);
	return err;
}

enum err
mailboxes_start(struct daemon *daemon, struct fault *why)
{
	struct reading reading = { .mailboxes = calloc(1, sizeof(*reading.mailboxes)) };
	enum err err, joined;

	daemon->mailboxes = reading.mailboxes;
	if (!daemon->mailboxes)
		return ERR_MEMORY;
	err = store_mailboxes(daemon->store, on_mailbox, &reading, why);
	if (reading.err != ERR_OK)
		return reading.err;
	joined = join_all(daemon); /* those that could be read */
	return joined == ERR_OK ? err : joined;
}

void
mailboxes_free(struct daemon *daemon)
{
	struct mailboxes *mailboxes = daemon->mailboxes;

	if (!mailboxes)
		return;
	while (mailboxes->all)
		entry_free(mailboxes, mailboxes->all);
	forget_gone(mailboxes);
	free(mailboxes);
	daemon->mailboxes = NULL;
}

/* ---- asked for */

enum err
mailboxes_ask(
	struct daemon *daemon, struct bytes name, struct sealed_mailbox *mailbox, uint64_t request)
{
	const char *key_file = daemon->settings->state_key_file;
	struct writer_change change = {
		.request = request,
		.name = bytes_copy(name),
		.mailbox = mailbox,
		.key_file = key_file ? strdup(key_file) : NULL,
	};

	if (change.name && (!mailbox || change.key_file))
		return outbox_change(daemon->outbox, change);
	writer_change_done(&change);
	return ERR_MEMORY;
}

/* ---- durable, so it takes effect */

static enum err
watch_one(struct daemon *daemon, const char *name, const struct mailbox_settings *before)
{
	const struct mailbox_settings *mailbox = settings_find(daemon->settings, bytes_of(name));
	struct watch_settings settings;
	struct watch_mailbox wanted;
	struct watch_changes changes;

	settings_for_watch_one(daemon->settings, mailbox, before, &wanted, &settings);
	return watch_put(daemon->watch, mono_now(), wall_now(), &settings, &changes);
}

static enum control_put
take_effect(
	struct daemon *daemon, const struct sealed_mailbox *mailbox, bool is_new, struct fault *why)
{
	struct complaints complaints = { 0 };
	struct mailbox_settings *before = NULL;
	enum err err = settings_put(daemon->settings, mailbox, &before, &complaints);
	enum control_put outcome = is_new ? CONTROL_PUT_NEW : CONTROL_PUT_CHANGED;

	if (err == ERR_OK)
		err = watch_one(daemon, mailbox->name, before);
	if (err == ERR_CONFLICT) {
		outcome = CONTROL_PUT_IN_FILE;
	} else if (err == ERR_INVALID) { /* the settings changed since it was judged */
		outcome = CONTROL_PUT_UNFIT;
		for (size_t i = 0; i < complaints.count; i++)
			fault_set(why, "%s", complaints.items[i].text);
	} else if (err != ERR_OK) {
		outcome = CONTROL_PUT_FAILED;
		fault_set(why, "%s", err_name(err));
	}
	mailbox_settings_free(before);
	complaints_done(&complaints);
	return outcome;
}

static enum control_put
put(struct daemon *daemon, struct writer_change *change, struct fault *why)
{
	struct sealed_mailbox *mailbox = change->mailbox;
	bool is_new;

	change->mailbox = NULL;
	if (keep(daemon->mailboxes, mailbox, &is_new) == ERR_OK)
		return take_effect(daemon, mailbox, is_new, why);
	fault_set(why, "out of memory; it is kept, and watched after a restart");
	return CONTROL_PUT_FAILED;
}

static enum control_put
take_away(struct daemon *daemon, const struct writer_change *change)
{
	struct mailboxes *mailboxes = daemon->mailboxes;
	struct entry *entry = find(mailboxes, change->name);
	const struct mailbox_settings *there;
	size_t size = strlen(change->name) + 1;
	struct gone *gone;

	if (!entry)
		return CONTROL_PUT_NO_SUCH;
	entry_free(mailboxes, entry);
	gone = calloc(1, sizeof(*gone) + size);
	if (gone) {
		memcpy(gone->name, change->name, size);
		gone->next = mailboxes->gone;
		mailboxes->gone = gone;
	}
	there = settings_find(daemon->settings, bytes_of(change->name));
	if (there && !there->is_of_socket)
		return CONTROL_PUT_GONE; /* a file has taken the name: it goes on */
	watch_remove(daemon->watch, mono_now(), wall_now(), bytes_of(change->name));
	settings_drop(daemon->settings, bytes_of(change->name));
	return CONTROL_PUT_GONE;
}

void
mailboxes_changed(struct daemon *daemon, struct writer_change *change, enum err err,
	const struct fault *failed)
{
	struct fault why = *failed;
	enum control_put outcome = CONTROL_PUT_FAILED;

	if (!daemon->control)
		return; /* at the end: it is durable, and watched from the next start on */
	if (err == ERR_OK && change->mailbox)
		outcome = put(daemon, change, &why);
	else if (err == ERR_OK)
		outcome = take_away(daemon, change);
	else if (err == ERR_INVALID && change->mailbox)
		outcome = CONTROL_PUT_NO_KEY;
	else if (!why.text[0])
		fault_set(&why, "%s", err_name(err));
	if (outcome == CONTROL_PUT_FAILED)
		log_error("mailbox %s could not be kept: %s", change->name, why.text);
	if (daemon->loops)
		carry_out(daemon);
	control_put_done(daemon->control, change->request, outcome, bytes_of(change->name), &why);
}

/* ---- for a load on another thread */

enum err
mailboxes_lend(struct daemon *daemon, struct sealed_mailbox ***out, size_t *count)
{
	struct mailboxes *mailboxes = daemon->mailboxes;
	struct sealed_mailbox **lent = calloc(HASH_COUNT(mailboxes->all) + 1, sizeof(*lent));
	struct entry *entry, *next;

	if (!lent)
		return ERR_MEMORY;
	*count = 0;
	HASH_ITER (hh, mailboxes->all, entry, next)
		lent[(*count)++] = sealed_mailbox_hold(entry->mailbox);
	*out = lent;
	mailboxes->round++;
	forget_gone(mailboxes);
	return ERR_OK;
}

void
mailboxes_let_go(struct sealed_mailbox **mailboxes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sealed_mailbox_free(mailboxes[i]);
	free(mailboxes);
}

enum err
mailboxes_catch_up(struct daemon *daemon, struct settings *settings)
{
	struct mailboxes *mailboxes = daemon->mailboxes;
	struct entry *entry, *next;

	for (const struct gone *gone = mailboxes->gone; gone; gone = gone->next)
		settings_drop(settings, bytes_of(gone->name));
	HASH_ITER (hh, mailboxes->all, entry, next) {
		struct mailbox_settings *before = NULL;
		struct complaints complaints = { 0 };
		enum err err;

		if (entry->changed != mailboxes->round)
			continue;
		err = settings_put(settings, entry->mailbox, &before, &complaints);
		load_log_complaints(&complaints);
		complaints_done(&complaints);
		mailbox_settings_free(before);
		if (err == ERR_MEMORY)
			return ERR_MEMORY;
	}
	return ERR_OK;
}
