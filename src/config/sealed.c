/*
 * sealed.c: mailboxes set over the socket, into settings and out of them. Layer: config.
 * Not here: how one is judged (object.c), where it lies (store/), when (daemon/mailboxes.c).
 */
#include <stdlib.h>

#include "base/seal.h"
#include "config/load.h"
#include "net/address.h"

/* ---- what is put */

static void
judge_address(const struct settings *settings, const struct endpoint *endpoint,
	struct complaints *complaints)
{
	struct address address;
	uint8_t bytes[16];
	char setting[16];

	if (!endpoint || !endpoint->is_address || address_parse(endpoint->host, &address) != ERR_OK)
		return;
	address_bytes(&address, bytes);
	if (!prefixes_hold(&settings->deny, bytes))
		return;
	snprintf(setting, sizeof(setting), "%s.host", side_name(endpoint->side));
	complaint_note(complaints, false, (struct place){ NULL, 0 }, setting,
		"%s is an address that deny_addresses forbids; name a server that may be reached",
		endpoint->host);
}

enum err
settings_judge_put(
	const struct settings *settings, const json_t *object, struct complaints *complaints)
{
	struct mailbox_settings *mailbox = NULL;
	enum err err = settings_of_object(settings, object, &mailbox, complaints);

	if (err != ERR_OK)
		return err;
	for (size_t side = 0; side < SIDE_COUNT; side++)
		judge_address(settings, mailbox->sides[side], complaints);
	mailbox_settings_free(mailbox);
	if (complaints->is_incomplete)
		return ERR_MEMORY;
	return complaints->faults > 0 ? ERR_INVALID : ERR_OK;
}

static enum err
take_password(json_t *object, enum side side, struct secret **out)
{
	json_t *group = json_object_get(object, side_name(side));
	const json_t *password = json_object_get(group, "password");
	enum err err;

	if (!json_is_string(password))
		return ERR_OK;
	err = secret_new(
		(struct bytes){ json_string_value(password), json_string_length(password) }, out);
	if (err == ERR_OK && json_object_set_new(group, "password", json_string(SEALED_WORD)) != 0)
		err = ERR_MEMORY;
	return err;
}

struct sealed_mailbox *
settings_take_put(struct bytes name, json_t *object)
{
	struct secret *opened[SIDE_COUNT] = { NULL };
	struct sealed_mailbox *mailbox = NULL;
	char *text = NULL;
	enum err err = ERR_OK;

	for (size_t side = 0; side < SIDE_COUNT && err == ERR_OK; side++)
		err = take_password(object, (enum side)side, &opened[side]);
	if (err == ERR_OK)
		text = json_dumps(object, JSON_COMPACT);
	if (text)
		mailbox = sealed_mailbox_new(name, bytes_of(text));
	free(text);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (mailbox)
			mailbox->opened[side] = opened[side];
		else
			secret_free(opened[side]);
	}
	return mailbox;
}

static enum err
seal_side(struct sealed_mailbox *mailbox, enum side side, const struct seal_key *key)
{
	struct buf bound = { 0 };
	enum err err;

	if (!mailbox->opened[side])
		return ERR_OK;
	err = sealed_mailbox_put_bound(mailbox, side, &bound);
	if (err == ERR_OK)
		err = seal_secret(
			key, mailbox->opened[side], buf_bytes(&bound), &mailbox->sealed[side]);
	buf_done(&bound);
	secret_free(mailbox->opened[side]);
	mailbox->opened[side] = NULL;
	return err;
}

enum err
settings_seal(struct sealed_mailbox *mailbox, const char *key_file, struct fault *why)
{
	struct seal_key key;
	enum err err = seal_key_read(key_file, &key, why);

	if (err != ERR_OK)
		return err == ERR_MEMORY ? ERR_MEMORY : ERR_INVALID;
	for (size_t side = 0; side < SIDE_COUNT && err == ERR_OK; side++)
		err = seal_side(mailbox, (enum side)side, &key);
	bytes_wipe(&key, sizeof(key));
	return err;
}

/* ---- what is kept */

/* Onto load->settings->mailboxes; faults to load->complaints. False: nothing was added. */
static bool
add_sealed(struct load *load, const struct sealed_mailbox *mailbox)
{
	struct settings *made = load->settings;
	size_t count = made->mailbox_count;
	json_t *object = json_loads(mailbox->settings, 0, NULL);

	load->sealed = mailbox;
	/* By the row's name, whatever the text has. */
	if (json_is_object(object) &&
		json_object_set_new(object, "name", json_string(mailbox->name)) != 0)
		load->is_out_of_memory = true;
	if (json_is_object(object))
		load_object(load, object);
	else
		complaint_note(load->complaints, false, (struct place){ NULL, 0 }, NULL,
			"its settings cannot be read");
	json_decref(object);
	if (load->complaints->faults == 0 && !load->is_out_of_memory)
		return true;
	if (made->mailbox_count > count)
		mailbox_settings_done(&made->mailboxes[--made->mailbox_count]);
	return false;
}

static void
warn_of_file(struct complaints *complaints, const struct mailbox_settings *mailbox)
{
	complaint_note(complaints, true, (struct place){ mailbox->file, mailbox->line },
		"mailboxes",
		"mailboxes.%s: a mailbox of this name was set over the socket; this one is "
		"watched, "
		"and that one again once this name is taken out here",
		mailbox->name);
}

/* Not a fault: whoever set it must not keep the daemon from starting. */
static void
warn_of_unfit(struct complaints *complaints, const struct sealed_mailbox *mailbox,
	const struct complaints *faults)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct complaint *fault = &faults->items[i];

		if (fault->is_warning)
			continue;
		complaint_note(complaints, true, (struct place){ "mailboxes.db", 0 }, NULL,
			"%s: kept and not watched, it does not go with these settings: %s%s%s",
			mailbox->name, fault->setting ? fault->setting : "",
			fault->setting ? ": " : "", fault->text);
	}
}

static void
join_one(struct load *load, const struct settings *settings, const struct sealed_mailbox *mailbox,
	struct complaints *complaints)
{
	const struct mailbox_settings *there = settings_find(settings, bytes_of(mailbox->name));
	struct complaints faults = { 0 };

	if (there) {
		warn_of_file(complaints, there);
		return;
	}
	load->complaints = &faults;
	if (!add_sealed(load, mailbox))
		warn_of_unfit(complaints, mailbox, &faults);
	load->is_out_of_memory |= faults.is_incomplete;
	complaints_done(&faults);
	load->complaints = complaints;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct mailbox_settings *)a)->name,
		((const struct mailbox_settings *)b)->name);
}

/* The room of mailboxes is the next power of two (mailboxes.c). */
static enum err
append(struct settings *settings, const struct settings *made)
{
	size_t count = settings->mailbox_count + made->mailbox_count, room = 1;
	struct mailbox_settings *grown;

	while (room < count)
		room *= 2;
	grown = reallocarray(settings->mailboxes, room, sizeof(*grown));
	if (!grown)
		return ERR_MEMORY;
	settings->mailboxes = grown;
	memcpy(grown + settings->mailbox_count, made->mailboxes,
		made->mailbox_count * sizeof(*grown));
	settings->mailbox_count = count;
	qsort(grown, count, sizeof(*grown), compare_names);
	return ERR_OK;
}

enum err
settings_join(struct settings *settings, struct sealed_mailbox *const *mailboxes, size_t count,
	struct complaints *complaints)
{
	struct settings made;
	struct load *load = load_begin_objects(settings, &made, complaints);
	enum err err = ERR_OK;

	if (!load)
		return ERR_MEMORY;
	for (size_t i = 0; i < count && !load->is_out_of_memory; i++)
		join_one(load, settings, mailboxes[i], complaints);
	if (load->is_out_of_memory || complaints->is_incomplete)
		err = ERR_MEMORY;
	else if (made.mailbox_count > 0)
		err = append(settings, &made);
	load_end_objects(load);
	for (size_t i = 0; i < made.mailbox_count && err != ERR_OK; i++)
		mailbox_settings_done(&made.mailboxes[i]);
	free(made.mailboxes);
	return err;
}

/* ---- one at a time */

static size_t
place_of(const struct settings *settings, const char *name)
{
	size_t low = 0, high = settings->mailbox_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(settings->mailboxes[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum err
insert(struct settings *settings, struct mailbox_settings *mailbox,
	struct mailbox_settings **before)
{
	size_t at = place_of(settings, mailbox->name), count = settings->mailbox_count;
	struct mailbox_settings *old = NULL, *grown;

	if (at < count && strcmp(settings->mailboxes[at].name, mailbox->name) == 0) {
		old = malloc(sizeof(*old));
		if (!old)
			return ERR_MEMORY;
		*old = settings->mailboxes[at];
	} else if ((count & (count - 1)) == 0) {
		grown = reallocarray(settings->mailboxes, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return ERR_MEMORY;
		settings->mailboxes = grown;
	}
	if (!old) {
		memmove(&settings->mailboxes[at + 1], &settings->mailboxes[at],
			(count - at) * sizeof(*settings->mailboxes));
		settings->mailbox_count++;
	}
	settings->mailboxes[at] = *mailbox;
	*before = old;
	return ERR_OK;
}

enum err
settings_put(struct settings *settings, const struct sealed_mailbox *mailbox,
	struct mailbox_settings **before, struct complaints *complaints)
{
	const struct mailbox_settings *there = settings_find(settings, bytes_of(mailbox->name));
	struct settings made;
	struct load *load;
	enum err err = ERR_OK;

	if (there && !there->is_of_socket)
		return ERR_CONFLICT;
	load = load_begin_objects(settings, &made, complaints);
	if (!load)
		return ERR_MEMORY;
	if (load->is_out_of_memory || !add_sealed(load, mailbox))
		err = load->is_out_of_memory || complaints->is_incomplete ? ERR_MEMORY
									  : ERR_INVALID;
	load_end_objects(load);
	if (err == ERR_OK)
		err = insert(settings, made.mailboxes, before);
	if (err != ERR_OK && made.mailbox_count > 0)
		mailbox_settings_done(made.mailboxes);
	free(made.mailboxes);
	return err;
}

void
settings_drop(struct settings *settings, struct bytes name)
{
	const struct mailbox_settings *there = settings_find(settings, name);
	size_t at;

	if (!there || !there->is_of_socket)
		return;
	at = (size_t)(there - settings->mailboxes);
	mailbox_settings_done(&settings->mailboxes[at]);
	settings->mailbox_count--;
	memmove(&settings->mailboxes[at], &settings->mailboxes[at + 1],
		(settings->mailbox_count - at) * sizeof(*settings->mailboxes));
}
