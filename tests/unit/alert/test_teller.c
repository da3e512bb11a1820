/*
 * test_teller.c: teller.h: sinks that stall, die and come back delay themselves alone. The sinks
 * are doubles that note the ids that they take.
 */
#include "../unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "alert/teller.h"

#define MOST_TAKEN 2000
#define PATIENCE_US (10 * US_PER_S)

/* A double: takes, or says `answer`. What it took is under the mutex. */
struct fake {
	struct sink sink;
	atomic_int answer; /* enum err */
	atomic_int tries;
	pthread_mutex_t mutex;
	unsigned taken[MOST_TAKEN];
	size_t taken_count;
};

static atomic_int freed;

static enum err
fake_tell(struct sink *sink, const struct told *told, struct fault *why)
{
	struct fake *fake = CONTAINER_OF(sink, struct fake, sink);
	enum err err = (enum err)atomic_load(&fake->answer);

	atomic_fetch_add(&fake->tries, 1);
	if (err != ERR_OK) {
		fault_set(why, "%s says %s", sink->name, err_name(err));
		return err;
	}
	pthread_mutex_lock(&fake->mutex);
	if (fake->taken_count < MOST_TAKEN)
		fake->taken[fake->taken_count++] =
			(unsigned)(told->id.bytes[14] << 8 | told->id.bytes[15]);
	pthread_mutex_unlock(&fake->mutex);
	return ERR_OK;
}

static void
fake_free(struct sink *sink)
{
	struct fake *fake = CONTAINER_OF(sink, struct fake, sink);

	pthread_mutex_destroy(&fake->mutex);
	free(fake);
	atomic_fetch_add(&freed, 1);
}

static const struct sink_calls fake_calls = { fake_tell, fake_free };

static struct fake *
fake_new(const char *name, enum err answer)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	fake->sink = (struct sink){ &fake_calls, name, -1 };
	atomic_store(&fake->answer, answer);
	pthread_mutex_init(&fake->mutex, NULL);
	return fake;
}

static struct teller *
start(struct fake **fakes, size_t count, const struct teller_limits *limits)
{
	struct sink *sinks[TELLER_MOST_SINKS];
	struct teller *teller = NULL;
	struct fault why = { "" };

	for (size_t i = 0; i < count; i++)
		sinks[i] = &fakes[i]->sink;
	assert_ok(teller_start(sinks, count, limits, &teller, &why));
	return teller;
}

static void
put(struct teller *teller, unsigned number, unsigned which)
{
	struct told *told = calloc(1, sizeof(*told));

	told->id.bytes[14] = (uint8_t)(number >> 8);
	told->id.bytes[15] = (uint8_t)number;
	assert_ok(teller_put(teller, told, which));
	told_free(told); /* the teller has an owner of its own */
}

static size_t
taken_count(struct fake *fake)
{
	size_t count;

	pthread_mutex_lock(&fake->mutex);
	count = fake->taken_count;
	pthread_mutex_unlock(&fake->mutex);
	return count;
}

static void
wait_taken(struct fake *fake, size_t count)
{
	mono_t deadline = mono_add(mono_now(), PATIENCE_US);

	while (taken_count(fake) < count && mono_is_before(mono_now(), deadline))
		mono_sleep(US_PER_MS);
	assert_int_equal(taken_count(fake), count);
}

/* The numbers from first on, in order. */
static void
assert_taken(struct fake *fake, unsigned first, size_t count)
{
	wait_taken(fake, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fake->taken[i], first + i);
}

/* Reads reports until one of this kind; others are let go. */
static struct teller_report
wait_report(struct teller *teller, enum teller_report_kind kind)
{
	struct teller_report found = { .sink = SIZE_MAX };
	mono_t deadline = mono_add(mono_now(), PATIENCE_US);

	while (found.sink == SIZE_MAX && mono_is_before(mono_now(), deadline)) {
		struct pollfd wait = { .fd = queue_fd(teller_reports(teller)), .events = POLLIN };
		struct queue_node *node;

		poll(&wait, 1, 100);
		node = queue_take(teller_reports(teller));
		while (node) {
			struct teller_report *report =
				CONTAINER_OF(node, struct teller_report, node);

			node = node->next;
			if (report->kind == kind)
				found = *report;
			free(report);
		}
	}
	if (found.sink == SIZE_MAX)
		fail_msg("no report of kind %d", (int)kind);
	return found;
}

static void
test_teller_lets_a_stalled_sink_delay_itself_alone_H8_01(void **state)
{
	static const enum err stalls[] = { ERR_AGAIN, ERR_NOT_FOUND, ERR_CLOSED };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(stalls); i++) {
		struct fake *fakes[] = { fake_new("stalled", stalls[i]), fake_new("well", ERR_OK) };
		struct teller *teller = start(fakes, 2, NULL);
		struct teller_figures figures;

		unit_row(err_name(stalls[i]));
		for (unsigned number = 1; number <= 1000; number++)
			put(teller, number, ~0u);
		assert_taken(fakes[1], 1, 1000);
		teller_figures(teller, &figures);
		assert_int_equal(figures.sink_count, 2);
		assert_string_equal(figures.sinks[0].name, "stalled");
		assert_int_equal(figures.sinks[0].queue, 1000);
		assert_true(figures.sinks[0].failures > 0);
		assert_int_equal(figures.sinks[1].queue, 0);
		assert_int_equal(figures.sinks[1].failures, 0);
		/* All once, in order. */
		atomic_store(&fakes[0]->answer, ERR_OK);
		assert_taken(fakes[0], 1, 1000);
		assert_int_equal(taken_count(fakes[1]), 1000);
		teller_end(teller, mono_now());
	}
}

static void
test_teller_tries_a_dead_sink_ever_more_seldom(void **state)
{
	struct fake *fake = fake_new("dead", ERR_CLOSED);
	struct teller *teller = start(&fake, 1, NULL);

	(void)state;
	put(teller, 1, 1);
	mono_sleep(400 * US_PER_MS);
	/* At 0, 50, 150, 350 ms; other events make it no faster. */
	for (unsigned number = 2; number < 100; number++)
		put(teller, number, 1);
	mono_sleep(50 * US_PER_MS);
	assert_in_range(atomic_load(&fake->tries), 1, 8);
	teller_end(teller, mono_now());
}

/* A sink whose descriptor says when there is room: it is not left waiting for the timer. */
static void
test_teller_goes_on_as_soon_as_there_is_room(void **state)
{
	struct fake *fake = fake_new("full", ERR_AGAIN);
	int fd = eventfd(UINT32_MAX, EFD_NONBLOCK | EFD_CLOEXEC);
	struct teller *teller;
	mono_t begin;
	uint64_t most = UINT64_MAX - 1 - UINT32_MAX;
	uint64_t all;

	(void)state;
	assert_int_equal(write(fd, &most, sizeof(most)), sizeof(most)); /* not writable */
	fake->sink.fd = fd;
	teller = start(&fake, 1, NULL);
	put(teller, 1, 1);
	mono_sleep(800 * US_PER_MS); /* the next try by the timer is at 1550 ms */
	begin = mono_now();
	atomic_store(&fake->answer, ERR_OK);
	assert_int_equal(read(fd, &all, sizeof(all)), sizeof(all)); /* writable */
	wait_taken(fake, 1);
	assert_true(mono_since(mono_now(), begin) < 700 * US_PER_MS);
	teller_end(teller, mono_now());
	close(fd);
}

/* One that calls itself writable and takes nothing does not make us spin. */
static void
test_teller_does_not_spin_on_a_descriptor_that_lies(void **state)
{
	struct fake *fake = fake_new("liar", ERR_AGAIN);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct teller *teller;

	(void)state;
	fake->sink.fd = fd;
	teller = start(&fake, 1, NULL);
	put(teller, 1, 1);
	mono_sleep(500 * US_PER_MS);
	assert_in_range(atomic_load(&fake->tries), 2, 20);
	teller_end(teller, mono_now());
	close(fd);
}

static void
test_teller_reports_how_far_each_sink_has_come(void **state)
{
	struct fake *fakes[] = { fake_new("first", ERR_OK), fake_new("second", ERR_OK) };
	struct teller *teller = start(fakes, 2, NULL);
	unsigned last[2] = { 0 };
	mono_t deadline = mono_add(mono_now(), PATIENCE_US);

	(void)state;
	for (unsigned number = 1; number <= 600; number++)
		put(teller, number, number % 2 ? 1u << 0 : 1u << 1);
	while ((last[0] != 599 || last[1] != 600) && mono_is_before(mono_now(), deadline)) {
		struct queue_node *node = queue_take(teller_reports(teller));

		if (!node)
			mono_sleep(US_PER_MS);
		while (node) {
			struct teller_report *report =
				CONTAINER_OF(node, struct teller_report, node);
			unsigned number =
				(unsigned)(report->id.bytes[14] << 8 | report->id.bytes[15]);

			node = node->next;
			assert_int_equal(report->kind, TELLER_TOOK);
			assert_true(report->sink < 2);
			assert_int_equal(number % 2, report->sink == 0);
			assert_true(number > last[report->sink]);
			last[report->sink] = number;
			free(report);
		}
	}
	assert_int_equal(last[0], 599);
	assert_int_equal(last[1], 600);
	assert_int_equal(taken_count(fakes[0]), 300);
	assert_int_equal(taken_count(fakes[1]), 300);
	teller_end(teller, mono_now());
}

static void
test_teller_reports_a_dead_sink_once_and_that_it_is_back(void **state)
{
	static const struct teller_limits limits = { 200 * US_PER_MS, 1000 };
	struct fake *fake = fake_new("journal", ERR_CLOSED);
	struct teller *teller = start(&fake, 1, &limits);
	struct teller_report report;
	mono_t begin = mono_now();

	(void)state;
	put(teller, 1, 1);
	report = wait_report(teller, TELLER_DEAD);
	assert_true(mono_since(mono_now(), begin) >= limits.dead_after_us);
	assert_int_equal(report.sink, 0);
	assert_non_null(strstr(report.why.text, "journal says"));
	mono_sleep(900 * US_PER_MS); /* a try more at least */
	assert_null(queue_take(teller_reports(teller)));
	atomic_store(&fake->answer, ERR_OK);
	report = wait_report(teller, TELLER_BACK);
	assert_int_equal(report.dropped, 0);
	assert_taken(fake, 1, 1);
	teller_end(teller, mono_now());
}

static void
test_teller_drops_the_oldest_beyond_the_bound_and_says_so_H8_10(void **state)
{
	static const struct teller_limits limits = { 10 * US_PER_S, 100 };
	struct fake *fakes[] = { fake_new("stalled", ERR_AGAIN), fake_new("well", ERR_OK) };
	struct teller *teller = start(fakes, 2, &limits);
	struct teller_figures figures;
	struct teller_report report;

	(void)state;
	for (unsigned number = 1; number <= 130; number++) {
		put(teller, number, ~0u);
		wait_taken(fakes[1], number);
	}
	teller_figures(teller, &figures);
	assert_int_equal(figures.sinks[0].queue, 100);
	assert_int_equal(figures.sinks[0].dropped, 30);
	assert_int_equal(figures.sinks[1].dropped, 0);
	/* Not dead, and told all the same. */
	atomic_store(&fakes[0]->answer, ERR_OK);
	report = wait_report(teller, TELLER_BACK);
	assert_int_equal(report.sink, 0);
	assert_int_equal(report.dropped, 30);
	assert_taken(fakes[0], 31, 100);
	/* Once. */
	put(teller, 131, ~0u);
	wait_taken(fakes[0], 101);
	report = wait_report(teller, TELLER_TOOK);
	teller_stop(teller, mono_now());
	for (struct queue_node *node = queue_take(teller_reports(teller)); node;) {
		struct teller_report *left = CONTAINER_OF(node, struct teller_report, node);

		node = node->next;
		assert_int_equal(left->kind, TELLER_TOOK);
		free(left);
	}
	teller_end(teller, mono_now());
}

static void
test_teller_tells_what_was_put_before_its_end(void **state)
{
	struct fake *fakes[] = { fake_new("dead", ERR_CLOSED), fake_new("well", ERR_OK) };
	struct teller *teller = start(fakes, 2, NULL);
	struct teller_report report;
	int tries;
	mono_t begin;

	(void)state;
	put(teller, 1, 1);
	mono_sleep(500 * US_PER_MS); /* the dead one's next try is at 750 ms */
	tries = atomic_load(&fakes[0]->tries);
	for (unsigned number = 2; number <= 1500; number++)
		put(teller, number, 2);
	begin = mono_now();
	teller_stop(teller, mono_add(begin, 100 * US_PER_MS));
	assert_true(mono_since(mono_now(), begin) < 5 * US_PER_S);
	assert_taken(fakes[1], 2, 1499);
	assert_true(atomic_load(&fakes[0]->tries) > tries); /* at least a try for each */
	/* The last reports are there: or what was told would be told again after a restart. */
	report = wait_report(teller, TELLER_TOOK);
	assert_int_equal(report.id.bytes[14] << 8 | report.id.bytes[15], 1500);
	atomic_store(&freed, 0);
	teller_end(teller, mono_now());
	assert_int_equal(atomic_load(&freed), 2);
}

static void
test_teller_frees_the_sinks_of_one_that_does_not_start(void **state)
{
	struct sink *sinks[TELLER_MOST_SINKS + 1];
	struct teller *teller = NULL;
	struct fault why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sinks); i++)
		sinks[i] = &fake_new("many", ERR_OK)->sink;
	atomic_store(&freed, 0);
	assert_err_equal(teller_start(sinks, COUNT_OF(sinks), NULL, &teller, &why), ERR_LIMIT);
	assert_int_equal(atomic_load(&freed), COUNT_OF(sinks));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_teller_lets_a_stalled_sink_delay_itself_alone_H8_01),
	cmocka_unit_test(test_teller_tries_a_dead_sink_ever_more_seldom),
	cmocka_unit_test(test_teller_goes_on_as_soon_as_there_is_room),
	cmocka_unit_test(test_teller_does_not_spin_on_a_descriptor_that_lies),
	cmocka_unit_test(test_teller_reports_how_far_each_sink_has_come),
	cmocka_unit_test(test_teller_reports_a_dead_sink_once_and_that_it_is_back),
	cmocka_unit_test(test_teller_drops_the_oldest_beyond_the_bound_and_says_so_H8_10),
	cmocka_unit_test(test_teller_tells_what_was_put_before_its_end),
	cmocka_unit_test(test_teller_frees_the_sinks_of_one_that_does_not_start),
};

UNIT_MAIN(tests)
