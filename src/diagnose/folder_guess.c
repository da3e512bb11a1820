/*
 * folder_guess.c: which folder is meant by a name that is missing. Layer: diagnose, pure.
 *
 * Names are compared without capitals, as far as letters of Latin, Greek and Cyrillic go, by code
 * points, of which a name has a bounded number: a list of a thousand costs what it costs once.
 */
#include "diagnose/folder_guess.h"

#include "base/edits.h"

#define MOST_LETTERS EDITS_MOST_LETTERS
#define MOST_NEAR 2	 /* letters that may differ */
#define LEAST_NEAR_LEN 3 /* of shorter names one letter says nothing */
#define LEAST_FAR_LEN 6	 /* of names from here on two letters may differ */

/* A name in folded letters; delimiters of any kind are '/'. */
struct folded {
	uint32_t letters[MOST_LETTERS];
	size_t count;
	bool is_cut;
};

/* ---- letters */

/* Of UTF-8 that has been checked. Bytes that are none stand for themselves. */
static uint32_t
take_letter(struct bytes *rest)
{
	uint8_t first = (uint8_t)rest->at[0];
	size_t more = first < 0xc2 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t letter = more == 0 ? first : first & (0x3fU >> more);

	if (more >= rest->len)
		more = rest->len - 1;
	for (size_t i = 1; i <= more; i++)
		letter = letter << 6 | ((uint8_t)rest->at[i] & 0x3f);
	*rest = bytes_from(*rest, more + 1);
	return letter;
}

static uint32_t
fold(uint32_t letter)
{
	if ((letter >= 'A' && letter <= 'Z') ||
		(letter >= 0xc0 && letter <= 0xde && letter != 0xd7) ||
		(letter >= 0x391 && letter <= 0x3a9) || (letter >= 0x410 && letter <= 0x42f))
		return letter + 32;
	if (letter >= 0x400 && letter <= 0x40f)
		return letter + 80;
	if (letter >= 0x100 && letter <= 0x177 && letter != 0x130 && letter != 0x131 &&
		letter != 0x138 && letter != 0x149)
		return letter >= 0x139 && letter <= 0x148 ? letter + (letter & 1) : letter | 1;
	return letter;
}

static void
fold_name(struct bytes name, char delimiter, struct folded *out)
{
	out->count = 0;
	while (name.len > 0 && out->count < MOST_LETTERS) {
		uint32_t letter = take_letter(&name);

		out->letters[out->count++] =
			letter == (uint8_t)delimiter && delimiter ? '/' : fold(letter);
	}
	out->is_cut = name.len > 0;
}

static bool
is_same(const struct folded *a, const struct folded *b)
{
	return a->count == b->count && !a->is_cut && !b->is_cut &&
	       memcmp(a->letters, b->letters, a->count * sizeof(a->letters[0])) == 0;
}

static bool
is_word(const struct folded *name, const char *word)
{
	struct folded other;

	fold_name(bytes_of(word), 0, &other);
	return is_same(name, &other);
}

/* Without its first level. False: it has but one. */
static bool
drop_level(struct folded *name)
{
	for (size_t i = 0; i + 1 < name->count; i++) {
		if (name->letters[i] != '/')
			continue;
		name->count -= i + 1;
		memmove(name->letters, name->letters + i + 1,
			name->count * sizeof(name->letters[0]));
		return true;
	}
	return false;
}

static void
keep_last_level(struct folded *name)
{
	while (drop_level(name))
		;
}

/* "INBOX/Sent" -> "Sent"; INBOX alone stays. */
static void
drop_inbox(struct folded *name)
{
	struct folded first = *name;

	for (first.count = 0; first.count < name->count && first.letters[first.count] != '/';)
		first.count++;
	if (is_word(&first, "inbox"))
		(void)drop_level(name);
}

/* A person writes the delimiter of the program at hand: '/', '.' or '\\', where the server's is
 * another. */
static void
fold_wanted(struct bytes wanted, struct folded *out)
{
	fold_name(wanted, 0, out);
	for (size_t i = 0; i < out->count; i++) {
		if (out->letters[i] == '.' || out->letters[i] == '\\')
			out->letters[i] = '/';
	}
}

/* ---- uses */

/* As mail programs and providers name them: Outlook, Thunderbird, Apple Mail, Gmail, GMX, Yandex,
 * cPanel and their translations. */
static const struct {
	enum folder_use use;
	const char *name;
} use_names[] = {
	{ FOLDER_USE_INBOX, "Inbox" },
	{ FOLDER_USE_INBOX, "Posteingang" },
	{ FOLDER_USE_INBOX, "Boîte de réception" },
	{ FOLDER_USE_INBOX, "Bandeja de entrada" },
	{ FOLDER_USE_INBOX, "Posta in arrivo" },
	{ FOLDER_USE_INBOX, "Caixa de entrada" },
	{ FOLDER_USE_INBOX, "Postvak IN" },
	{ FOLDER_USE_INBOX, "Входящие" },
	{ FOLDER_USE_INBOX, "Odebrane" },
	{ FOLDER_USE_SENT, "Sent" },
	{ FOLDER_USE_SENT, "Sent Items" },
	{ FOLDER_USE_SENT, "Sent Mail" },
	{ FOLDER_USE_SENT, "Sent Messages" },
	{ FOLDER_USE_SENT, "Outbox" },
	{ FOLDER_USE_SENT, "Gesendet" },
	{ FOLDER_USE_SENT, "Gesendete Elemente" },
	{ FOLDER_USE_SENT, "Gesendete Objekte" },
	{ FOLDER_USE_SENT, "Postausgang" },
	{ FOLDER_USE_SENT, "Envoyés" },
	{ FOLDER_USE_SENT, "Messages envoyés" },
	{ FOLDER_USE_SENT, "Éléments envoyés" },
	{ FOLDER_USE_SENT, "Objets envoyés" },
	{ FOLDER_USE_SENT, "Enviados" },
	{ FOLDER_USE_SENT, "Elementos enviados" },
	{ FOLDER_USE_SENT, "Itens enviados" },
	{ FOLDER_USE_SENT, "Mensajes enviados" },
	{ FOLDER_USE_SENT, "Inviata" },
	{ FOLDER_USE_SENT, "Posta inviata" },
	{ FOLDER_USE_SENT, "Posta inviati" },
	{ FOLDER_USE_SENT, "Verzonden" },
	{ FOLDER_USE_SENT, "Verzonden items" },
	{ FOLDER_USE_SENT, "Skickat" },
	{ FOLDER_USE_SENT, "Sendt" },
	{ FOLDER_USE_SENT, "Wysłane" },
	{ FOLDER_USE_SENT, "Elementy wysłane" },
	{ FOLDER_USE_SENT, "Odeslaná pošta" },
	{ FOLDER_USE_SENT, "Отправленные" },
	{ FOLDER_USE_SENT, "已发送" },
	{ FOLDER_USE_SENT, "送信済み" },
	{ FOLDER_USE_DRAFTS, "Drafts" },
	{ FOLDER_USE_DRAFTS, "Entwürfe" },
	{ FOLDER_USE_DRAFTS, "Brouillons" },
	{ FOLDER_USE_DRAFTS, "Borradores" },
	{ FOLDER_USE_DRAFTS, "Bozze" },
	{ FOLDER_USE_DRAFTS, "Rascunhos" },
	{ FOLDER_USE_DRAFTS, "Concepten" },
	{ FOLDER_USE_DRAFTS, "Utkast" },
	{ FOLDER_USE_DRAFTS, "Szkice" },
	{ FOLDER_USE_DRAFTS, "Черновики" },
	{ FOLDER_USE_DRAFTS, "草稿箱" },
	{ FOLDER_USE_JUNK, "Junk" },
	{ FOLDER_USE_JUNK, "Junk Mail" },
	{ FOLDER_USE_JUNK, "Junk E-Mail" },
	{ FOLDER_USE_JUNK, "Junk-E-Mail" },
	{ FOLDER_USE_JUNK, "Junk Email" },
	{ FOLDER_USE_JUNK, "Spam" },
	{ FOLDER_USE_JUNK, "Bulk Mail" },
	{ FOLDER_USE_JUNK, "Spamverdacht" },
	{ FOLDER_USE_JUNK, "Unerwünscht" },
	{ FOLDER_USE_JUNK, "Courrier indésirable" },
	{ FOLDER_USE_JUNK, "Indésirables" },
	{ FOLDER_USE_JUNK, "Correo no deseado" },
	{ FOLDER_USE_JUNK, "Posta indesiderata" },
	{ FOLDER_USE_JUNK, "Lixo eletrônico" },
	{ FOLDER_USE_JUNK, "Ongewenste e-mail" },
	{ FOLDER_USE_JUNK, "Спам" },
	{ FOLDER_USE_JUNK, "垃圾邮件" },
	{ FOLDER_USE_TRASH, "Trash" },
	{ FOLDER_USE_TRASH, "Bin" },
	{ FOLDER_USE_TRASH, "Deleted" },
	{ FOLDER_USE_TRASH, "Deleted Items" },
	{ FOLDER_USE_TRASH, "Deleted Messages" },
	{ FOLDER_USE_TRASH, "Papierkorb" },
	{ FOLDER_USE_TRASH, "Gelöscht" },
	{ FOLDER_USE_TRASH, "Gelöschte Elemente" },
	{ FOLDER_USE_TRASH, "Corbeille" },
	{ FOLDER_USE_TRASH, "Éléments supprimés" },
	{ FOLDER_USE_TRASH, "Papelera" },
	{ FOLDER_USE_TRASH, "Elementos eliminados" },
	{ FOLDER_USE_TRASH, "Cestino" },
	{ FOLDER_USE_TRASH, "Posta eliminata" },
	{ FOLDER_USE_TRASH, "Lixeira" },
	{ FOLDER_USE_TRASH, "Itens excluídos" },
	{ FOLDER_USE_TRASH, "Prullenbak" },
	{ FOLDER_USE_TRASH, "Verwijderde items" },
	{ FOLDER_USE_TRASH, "Kosz" },
	{ FOLDER_USE_TRASH, "Удаленные" },
	{ FOLDER_USE_TRASH, "Корзина" },
	{ FOLDER_USE_TRASH, "已删除" },
	{ FOLDER_USE_ARCHIVE, "Archive" },
	{ FOLDER_USE_ARCHIVE, "Archives" },
	{ FOLDER_USE_ARCHIVE, "Archiv" },
	{ FOLDER_USE_ARCHIVE, "Archivo" },
	{ FOLDER_USE_ARCHIVE, "Archivio" },
	{ FOLDER_USE_ARCHIVE, "Arquivo" },
	{ FOLDER_USE_ARCHIVE, "Archief" },
	{ FOLDER_USE_ARCHIVE, "All Mail" },
	{ FOLDER_USE_ARCHIVE, "Архив" },
};

/* By the last level of the name. */
static enum folder_use
use_by_name(const struct folded *name)
{
	struct folded last = *name;

	keep_last_level(&last);
	for (size_t i = 0; i < COUNT_OF(use_names); i++) {
		if (is_word(&last, use_names[i].name))
			return use_names[i].use;
	}
	return FOLDER_USE_NONE;
}

/* ---- spelling */

/* How far off a name of so many letters may be. */
static size_t
most_near(size_t count)
{
	return count < LEAST_NEAR_LEN ? 0 : count < LEAST_FAR_LEN ? 1 : MOST_NEAR;
}

/* ---- the likeliest */

/* The smaller the likelier; UNLIKELY: not at all. */
enum likeness {
	LIKE_CAPITALS,
	LIKE_BELOW_INBOX,   /* "Sent", "INBOX.Sent" */
	LIKE_BELOW_ANOTHER, /* "Sent Mail", "[Gmail]/Sent Mail" */
	LIKE_FLAGGED,
	LIKE_NAMED,
	LIKE_SPELT, /* and as many more as letters differ */
	UNLIKELY = LIKE_SPELT + MOST_NEAR + 1
};

struct wish {
	struct folded name;
	struct folded bare; /* without INBOX */
	enum folder_use use;
};

static size_t
likeness_of(const struct wish *wish, const struct folder *folder)
{
	struct folded name, bare;
	enum folder_use use;
	size_t far;

	fold_name(bytes_of(folder->name), folder->delimiter, &name);
	bare = name;
	drop_inbox(&bare);
	use = use_by_name(&name);
	if (is_same(&name, &wish->name))
		return LIKE_CAPITALS;
	if (is_same(&bare, &wish->bare))
		return LIKE_BELOW_INBOX;
	if ((drop_level(&bare) && is_same(&bare, &wish->bare)))
		return LIKE_BELOW_ANOTHER;
	if (wish->use != FOLDER_USE_NONE && folder->use == wish->use)
		return LIKE_FLAGGED;
	/* Only INBOX itself is the inbox, and what is flagged for one use is not for another. */
	if (wish->use != FOLDER_USE_NONE && use == wish->use && folder->use == FOLDER_USE_NONE &&
		(use != FOLDER_USE_INBOX || is_word(&name, "inbox")))
		return LIKE_NAMED;
	fold_name(bytes_of(folder->name), folder->delimiter, &bare);
	drop_inbox(&bare);
	far = edits_between(wish->bare.letters, wish->bare.count, bare.letters, bare.count);
	return far <= most_near(wish->bare.count) && !bare.is_cut && !wish->bare.is_cut
		       ? LIKE_SPELT + far
		       : UNLIKELY;
}

const struct folder *
folder_find(struct bytes wanted, const struct folders *folders)
{
	for (size_t i = 0; i < folders->count; i++) {
		if (!folders->items[i].is_name_unsound &&
			bytes_equal(bytes_of(folders->items[i].name), wanted))
			return &folders->items[i];
	}
	return NULL;
}

const struct folder *
folder_guess(struct bytes wanted, const struct folders *folders)
{
	const struct folder *best = NULL;
	size_t best_likeness = UNLIKELY;
	const struct folder *listed = folder_find(wanted, folders);
	struct wish wish;

	if (listed && !listed->is_container)
		return NULL;
	fold_wanted(wanted, &wish.name);
	wish.bare = wish.name;
	drop_inbox(&wish.bare);
	wish.use = use_by_name(&wish.name);
	for (size_t i = 0; i < folders->count; i++) {
		const struct folder *folder = &folders->items[i];
		size_t likeness;

		if (folder->is_container || folder->is_name_unsound)
			continue;
		likeness = likeness_of(&wish, folder);
		if (likeness < best_likeness) {
			best = folder;
			best_likeness = likeness;
		}
	}
	return best;
}
