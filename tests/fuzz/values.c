/*
 * values.c: durations, counts, numbers, times, ids, pins, address ranges and URLs, as settings and
 * the socket hold them. Layer: tests. What is read and written again reads the same.
 */
#include "fuzz.h"

#include "base/time.h"
#include "base/ulid.h"
#include "config/numbers.h"
#include "config/parse.h"
#include "config/pin.h"
#include "config/proxy_url.h"
#include "facts/prefix.h"

static void
read_duration(struct bytes text)
{
	struct buf written = { 0 };
	int64_t us, again;

	if (duration_parse(text, &us) != ERR_OK)
		return;
	must(us >= 0 && us <= 100 * 366 * US_PER_D);
	duration_put(&written, us);
	must(duration_parse(buf_bytes(&written), &again) == ERR_OK && again == us);
	buf_done(&written);
}

static void
read_time(struct bytes text)
{
	struct buf written = { 0 };
	wall_t wall, again;

	if (wall_parse(text, &wall) != ERR_OK)
		return;
	wall_put_ms(&written, wall);
	must(wall_parse(buf_bytes(&written), &again) == ERR_OK);
	must(again.us / US_PER_MS == wall.us / US_PER_MS);
	buf_done(&written);
}

static void
read_id(struct bytes text)
{
	char written[ULID_TEXT_LEN + 1];
	struct ulid id, again;

	if (ulid_parse(text, &id) != ERR_OK)
		return;
	ulid_text(id, written);
	must(ulid_parse(bytes_of(written), &again) == ERR_OK && ulid_compare(id, again) == 0);
}

static void
read_prefixes(struct bytes text)
{
	struct prefixes prefixes = { 0 };
	enum err err = ERR_OK;

	while (text.len > 0 && err == ERR_OK)
		err = prefixes_add(&prefixes, fuzz_part(&text, ','));
	for (size_t i = 0; i < prefixes.count; i++) {
		must(prefixes.items[i].bits <= 128);
		must(prefixes_hold(&prefixes, prefixes.items[i].bytes));
	}
	prefixes_done(&prefixes);
}

static void
read_proxy(struct bytes text)
{
	struct proxy proxy = { 0 };
	struct fault why = { "" };
	enum err err = proxy_url_parse(text, &proxy, &why);

	must((err == ERR_OK) == (why.text[0] == '\0'));
	if (err == ERR_OK) {
		must(proxy.host && proxy.host[0] != '\0' && proxy.port > 0);
		proxy_done(&proxy);
	}
}

static void
on_scan_fault(void *owner, int line, enum scan_fault fault, struct bytes name, const char *what)
{
	must(line >= 1 && what);
}

static void
on_include(void *owner, int line, size_t start, size_t end, struct bytes name)
{
	const struct bytes *text = owner;

	must(start < end && end <= text->len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes text = fuzz_copy((struct bytes){ (const char *)data, len });
	uint8_t pin[PIN_BYTES];
	unsigned count;
	int64_t window_us;
	uint64_t number;

	read_duration(text);
	read_time(text);
	read_id(text);
	read_prefixes(text);
	read_proxy(text);
	must(bytes_to_number(text, 65535, &number) != ERR_OK || number <= 65535);
	must(count_parse(text, &count, &window_us) != ERR_OK || (count >= 1 && window_us >= 1));
	(void)!pin_parse(text, pin);
	scan_text(text, &(struct scan){ on_scan_fault, on_include, &text });
	fuzz_drop(text);
	return 0;
}
