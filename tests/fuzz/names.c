/*
 * names.c: texts that name something: paths and queries, folders on the wire, mailboxes, hosts;
 * and what leaves by escape_put(). Layer: tests.
 */
#include "fuzz.h"

#include "base/escape.h"
#include "control/uri.h"
#include "dialogue/utf7.h"
#include "facts/mailbox.h"

static void
read_uri(struct bytes text)
{
	struct bytes rest = text;
	struct path path;
	struct buf name = { 0 }, value = { 0 };

	if (path_parse(text, &path) == ERR_OK)
		must(path.count <= PATH_MOST_SEGMENTS);
	path_done(&path);
	while (query_next(&rest, &name, &value) == ERR_OK)
		must(name.len + value.len <= text.len);
	buf_done(&name);
	buf_done(&value);
}

/* What is decoded codes back to itself (H2-32); every name that can be coded can be decoded. */
static void
read_folder(struct bytes text)
{
	struct buf name = { 0 }, wire = { 0 };

	if (utf7_put_decoded(&name, text) == ERR_OK) {
		must(utf7_put(&wire, buf_bytes(&name)) == ERR_OK);
		must(bytes_equal(buf_bytes(&wire), text));
	}
	buf_clear(&wire);
	buf_clear(&name);
	if (utf7_put(&wire, text) == ERR_OK) {
		must(utf7_put_decoded(&name, buf_bytes(&wire)) == ERR_OK);
		must(bytes_equal(buf_bytes(&name), text));
	}
	buf_done(&wire);
	buf_done(&name);
}

static void
escape(struct bytes text)
{
	struct buf out = { 0 };

	for (int place = 0; place < ESCAPE_PLACE_COUNT; place++) {
		escape_put(&out, text, (enum escape_place)place);
		for (size_t i = 0; i < out.len; i++)
			must((uint8_t)out.at[i] >= 0x20 && out.at[i] != 0x7f);
		buf_clear(&out);
		escape_put_cut(&out, text, (enum escape_place)place, 20);
		must(out.len <= 20);
		buf_clear(&out);
	}
	escape_put(&out, text, ESCAPE_TERMINAL);
	must(text_is_clean(buf_bytes(&out)));
	(void)text_columns(buf_bytes(&out));
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes text = fuzz_copy((struct bytes){ (const char *)data, len });
	struct buf key = { 0 };

	read_uri(text);
	read_folder(text);
	escape(text);
	must(!mailbox_name_is_valid(text) || text.len <= MAILBOX_NAME_MOST);
	(void)!site_of_host(text, &key);
	buf_clear(&key);
	(void)!account_key(text, BYTES("imap.example.com"), &key);
	buf_done(&key);
	fuzz_drop(text);
	return 0;
}
