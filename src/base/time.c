/*
 * time.c: the two clocks, RFC 3339 and durations. Layer: base.
 */
#include "base/time.h"

#include <assert.h>
#include <time.h>

#define DURATION_MOST_US (INT64_C(36525) * US_PER_D) /* 100 years */

/* What RFC 3339 has letters for: years 0000 to 9999. A clock beyond is shown as the nearer end. */
#define RFC3339_FIRST_US (INT64_C(-62167219200) * US_PER_S)
#define RFC3339_LAST_US (INT64_C(253402300800) * US_PER_S - 1)

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	int result = clock_gettime(clock, &now);

	assert(result == 0); /* Linux has both clocks */
	(void)result;
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

mono_t
mono_now(void)
{
	return (mono_t){ clock_us(CLOCK_BOOTTIME) };
}

wall_t
wall_now(void)
{
	return (wall_t){ clock_us(CLOCK_REALTIME) };
}

/* The broken-down time, by gmtime_r or localtime_r; returns the microseconds within the second. */
static int64_t
break_down(wall_t time, struct tm *(*by)(const time_t *, struct tm *), struct tm *out)
{
	int64_t us = time.us;
	time_t seconds;

	if (us < RFC3339_FIRST_US)
		us = RFC3339_FIRST_US;
	if (us > RFC3339_LAST_US)
		us = RFC3339_LAST_US;
	seconds = (time_t)(us / US_PER_S - (us % US_PER_S < 0)); /* downwards before 1970 too */
	if (!by(&seconds, out))
		*out = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	return us - (int64_t)seconds * US_PER_S;
}

/* "2026-11-24T09:30:00", with another letter between day and time. */
static void
put_date_time(struct buf *out, const struct tm *at, char between)
{
	buf_put_format(out, "%04d-%02d-%02d%c%02d:%02d:%02d", at->tm_year + 1900, at->tm_mon + 1,
		at->tm_mday, between, at->tm_hour, at->tm_min, at->tm_sec);
}

void
wall_put_ms(struct buf *out, wall_t time)
{
	struct tm at;
	int64_t us = break_down(time, gmtime_r, &at);

	put_date_time(out, &at, 'T');
	buf_put_format(out, ".%03dZ", (int)(us / US_PER_MS));
}

void
wall_put_json(struct buf *out, wall_t time)
{
	if (!wall_is_set(time)) {
		buf_put_string(out, "null");
		return;
	}
	buf_put_byte(out, '"');
	wall_put_ms(out, time);
	buf_put_byte(out, '"');
}

void
wall_put_s(struct buf *out, wall_t time)
{
	struct tm at;

	break_down(time, gmtime_r, &at);
	put_date_time(out, &at, 'T');
	buf_put_byte(out, 'Z');
}

void
wall_put_local(struct buf *out, wall_t time, wall_t now)
{
	struct tm at, today;

	break_down(time, localtime_r, &at);
	break_down(now, localtime_r, &today);
	if (at.tm_year != today.tm_year)
		put_date_time(out, &at, ' ');
	else
		buf_put_format(out, "%02d-%02d %02d:%02d:%02d", at.tm_mon + 1, at.tm_mday,
			at.tm_hour, at.tm_min, at.tm_sec);
}

/* Takes `count` digits off *rest, a number from least to most; ERR_SYNTAX is noted in *err. */
static int
take_digits(struct bytes *rest, size_t count, int least, int most, enum err *err)
{
	uint64_t number = 0;

	if (rest->len < count ||
		bytes_to_number(bytes_first(*rest, count), (uint64_t)most, &number) != ERR_OK ||
		number < (uint64_t)least)
		*err = ERR_SYNTAX;
	*rest = bytes_from(*rest, count);
	return (int)number;
}

/* Takes one byte that is in `wanted` off *rest and returns it. */
static char
take_one_of(struct bytes *rest, const char *wanted, enum err *err)
{
	char byte = rest->len ? rest->at[0] : '\0';

	if (byte == '\0' || !strchr(wanted, byte))
		*err = ERR_SYNTAX;
	*rest = bytes_from(*rest, 1);
	return byte;
}

static int
days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap);
}

/* time-secfrac: "." 1*DIGIT; what is finer than a microsecond is cut. */
static int64_t
take_fraction_us(struct bytes *rest, enum err *err)
{
	int64_t us = 0, unit = US_PER_S;

	if (rest->len == 0 || rest->at[0] != '.')
		return 0;
	*rest = bytes_from(*rest, 1);
	if (rest->len == 0 || !byte_is_digit(rest->at[0]))
		*err = ERR_SYNTAX;
	for (; rest->len > 0 && byte_is_digit(rest->at[0]); *rest = bytes_from(*rest, 1)) {
		unit /= 10;
		us += unit * (rest->at[0] - '0');
	}
	return us;
}

/* time-offset: "Z" or ("+" or "-") time-hour ":" time-minute. */
static int64_t
take_offset_s(struct bytes *rest, enum err *err)
{
	char sign = take_one_of(rest, "Zz+-", err);
	int hours, minutes;

	if (*err != ERR_OK || sign == 'Z' || sign == 'z')
		return 0;
	hours = take_digits(rest, 2, 0, 23, err);
	take_one_of(rest, ":", err);
	minutes = take_digits(rest, 2, 0, 59, err);
	return (sign == '-' ? -1 : 1) * (INT64_C(3600) * hours + INT64_C(60) * minutes);
}

/* RFC 3339 5.6, with the blank for T that its note allows. Second 60 is the next minute's 0. */
enum err
wall_parse(struct bytes text, wall_t *out)
{
	enum err err = ERR_OK;
	struct tm at = { 0 };
	int64_t us, seconds;

	at.tm_year = take_digits(&text, 4, 0, 9999, &err) - 1900;
	take_one_of(&text, "-", &err);
	at.tm_mon = take_digits(&text, 2, 1, 12, &err) - 1;
	take_one_of(&text, "-", &err);
	at.tm_mday = take_digits(&text, 2, 1, 31, &err);
	take_one_of(&text, "Tt ", &err);
	at.tm_hour = take_digits(&text, 2, 0, 23, &err);
	take_one_of(&text, ":", &err);
	at.tm_min = take_digits(&text, 2, 0, 59, &err);
	take_one_of(&text, ":", &err);
	at.tm_sec = take_digits(&text, 2, 0, 60, &err);
	us = take_fraction_us(&text, &err);
	seconds = -take_offset_s(&text, &err);
	if (err != ERR_OK || text.len > 0)
		return ERR_SYNTAX;
	if (at.tm_mday > days_of_month(at.tm_year + 1900, at.tm_mon + 1))
		return ERR_SYNTAX;
	seconds += (int64_t)timegm(&at);
	*out = (wall_t){ seconds * US_PER_S + us };
	return ERR_OK;
}

/* The largest first: the order in a setting. */
static const struct duration_unit {
	struct bytes word;
	int64_t us;
} duration_units[] = {
	{ { "d", 1 }, US_PER_D },
	{ { "h", 1 }, US_PER_H },
	{ { "m", 1 }, US_PER_M },
	{ { "s", 1 }, US_PER_S },
	{ { "ms", 2 }, US_PER_MS },
};

/* Takes the letters of a unit off *rest; the unit's index, or COUNT_OF(duration_units). */
static size_t
take_unit(struct bytes *rest)
{
	size_t len = 0, unit = 0;

	while (len < rest->len && byte_is_letter(rest->at[len]))
		len++;
	while (unit < COUNT_OF(duration_units) &&
		!bytes_equal(bytes_first(*rest, len), duration_units[unit].word))
		unit++;
	*rest = bytes_from(*rest, len);
	return unit;
}

/* duration: 1*DIGIT, or 1*DIGIT "d" … 1*DIGIT "ms" of which any may be missing, not all. */
enum err
duration_parse(struct bytes text, int64_t *out_us)
{
	bool is_in_range = true;
	size_t next_unit = 0;
	int64_t sum = 0;

	if (text.len == 0)
		return ERR_SYNTAX;
	for (bool is_first = true; text.len > 0; is_first = false) {
		size_t digits = 0, unit;
		uint64_t number = 0;
		enum err err;

		while (digits < text.len && byte_is_digit(text.at[digits]))
			digits++;
		err = bytes_to_number(bytes_first(text, digits), DURATION_MOST_US, &number);
		if (err == ERR_SYNTAX)
			return err;
		text = bytes_from(text, digits);
		if (is_first && text.len == 0)
			unit = 3; /* a number alone is seconds */
		else
			unit = take_unit(&text);
		if (unit >= COUNT_OF(duration_units) || unit < next_unit)
			return ERR_SYNTAX;
		next_unit = unit + 1;
		/* Told at the end: what is wrong in form as well is told by its form. */
		if (err != ERR_OK || (int64_t)number > DURATION_MOST_US / duration_units[unit].us)
			is_in_range = false;
		else
			sum += (int64_t)number * duration_units[unit].us;
		if (sum > DURATION_MOST_US)
			is_in_range = false;
	}
	if (!is_in_range)
		return ERR_RANGE;
	*out_us = sum;
	return ERR_OK;
}

void
duration_put(struct buf *out, int64_t us)
{
	if (us < US_PER_MS) {
		buf_put_string(out, "0s"); /* a negative one too: there is no form for it */
		return;
	}
	for (size_t i = 0; i < COUNT_OF(duration_units); i++) {
		int64_t count = us / duration_units[i].us;

		us %= duration_units[i].us;
		if (count == 0)
			continue;
		buf_put_number(out, count);
		buf_put(out, duration_units[i].word);
	}
}

void
duration_put_short(struct buf *out, int64_t us)
{
	size_t i = 0;
	int64_t next;

	if (us < US_PER_S) {
		duration_put(out, us);
		return;
	}
	while (us < duration_units[i].us)
		i++;
	buf_put_number(out, us / duration_units[i].us);
	buf_put(out, duration_units[i].word);
	if (duration_units[i].us == US_PER_S)
		return; /* milliseconds are told below a second alone */
	next = us % duration_units[i].us / duration_units[i + 1].us;
	if (next > 0) {
		buf_put_byte(out, ' ');
		buf_put_number(out, next);
		buf_put(out, duration_units[i + 1].word);
	}
}

void
mono_sleep(int64_t us)
{
	struct timespec rest = { us / US_PER_S, us % US_PER_S * 1000 };

	nanosleep(&rest, NULL);
}
