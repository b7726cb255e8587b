/*
 * The history: a line out and in, lines that are none, and files that are
 * written, cut off, gone on with and forgotten.
 *
 * SPDX-License-Identifier: ISC
 */
#include "history.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <time.h>
#include <utime.h>

#include <bsd/string.h>

#include "unit.h"
#include "unit_dir.h"

static struct history_row
a_row(uint64_t id)
{
	struct history_row row;

	memset(&row, 0, sizeof row);
	row.when = 1700000000123456;
	row.id = id;
	row.n = 3;
	row.event = HISTORY_DELIVERY;
	row.attempts = 2;
	row.size = UINT64_MAX;
	row.other = 5;
	outcome_set(&row.last, LATER, WIDTH_SITE, 451, "4.7.1",
	    "a\ttab, a \\ and\na line");
	row.last.local = 0;
	row.last.cause = CAUSE_RATE;
	row.last.stage = STAGE_RCPT;
	row.last.after = 300;
	strlcpy(row.from, "a@example.org", sizeof row.from);
	strlcpy(row.to, "b\\n@example.net", sizeof row.to);
	strlcpy(row.client, "[192.0.2.1]", sizeof row.client);
	strlcpy(row.route, "mx:example.net", sizeof row.route);
	strlcpy(row.relay, "mx.example.net[192.0.2.2]:25", sizeof row.relay);
	strlcpy(row.tls, "TLSv1.3:X:verified", sizeof row.tls);
	return row;
}

static void
test_line(void)
{
	struct history_row row = a_row(7), back;
	struct buf b;
	struct slice line;
	bool good = true;
	size_t n;

	buf_init(&b, HISTORY_LINE_MAX);
	CHECK("a line is printed", history_line_print(&row, &b));
	line = (struct slice){ (const char *)buf_data(&b), b.len - 1 };
	CHECK("it is one line",
	    memchr(line.p, '\n', line.len) == NULL && line.p[line.len] == '\n');
	line.p = unit_guard(line.p, line.len);
	CHECK("it is read", history_line_parse(line, &back) == NULL);
	CHECK("and is the same", memcmp(&row, &back, sizeof row) == 0);
	for (n = 0; n < line.len - strlen("a\\ttab, a \\\\ and\\na line");
	     n++) {
		struct slice cut = { unit_guard(line.p, n), n };

		good = good && history_line_parse(cut, &back) != NULL;
	}
	CHECK("cut short it is none", good);

	memset(row.from, 'x', ADDR_MAX);
	memset(row.to, '\\', ADDR_MAX);
	memset(row.orig_to, '\n', ADDR_MAX);
	memset(row.client, 99, sizeof row.client - 1);
	memset(row.route, '\t', ROUTE_MAX);
	memset(row.relay, '\r', RELAY_MAX);
	memset(row.tls, 't', TLS_TEXT_MAX);
	memset(row.last.text, '\\', OUTCOME_TEXT_MAX);
	buf_drain(&b, b.len);
	CHECK("the longest line has room", history_line_print(&row, &b));
	line = (struct slice){ (const char *)buf_data(&b), b.len - 1 };
	CHECK("the longest line is the same",
	    history_line_parse(line, &back) == NULL &&
		memcmp(&row, &back, sizeof row) == 0);
	buf_free(&b);
}

/* Columns: name, what is put in place of the field with that number. */
static const struct {
	const char *name;
	unsigned int field;
	const char *text;
} bad[] = {
	{ "version", 0, "2" },
	{ "no time", 1, "" },
	{ "a time with a sign", 1, "-5" },
	{ "an id that is too large", 2, "18446744073709551616" },
	{ "an event that is not known", 4, "99" },
	{ "a verdict that is not known", 8, "3" },
	{ "a cause that is not known", 15, "200" },
	{ "a backslash at the end", 18, "a\\" },
	{ "a backslash before another", 18, "a\\x" },
};

static void
test_bad(void)
{
	struct history_row row = a_row(7), back;
	char line[HISTORY_LINE_MAX], made[HISTORY_LINE_MAX], *p, *tab, *next;
	unsigned int field;
	struct buf b;
	size_t i;

	buf_init(&b, HISTORY_LINE_MAX);
	history_line_print(&row, &b);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memcpy(line, buf_data(&b), b.len);
		line[b.len - 1] = '\0';
		made[0] = '\0';
		for (field = 0, p = line; p != NULL; p = next, field++) {
			tab = strchr(p, '\t');
			next = tab == NULL ? NULL : tab + 1;
			if (tab != NULL)
				*tab = '\0';
			if (field > 0)
				strlcat(made, "\t", sizeof made);
			strlcat(made, field == bad[i].field ? bad[i].text : p,
			    sizeof made);
		}
		CHECK(bad[i].name,
		    history_line_parse(slice_of(made), &back) != NULL);
	}
	buf_free(&b);
}

/* ---- files ---- */

static uint64_t seen[20000];
static size_t n_seen;

static bool
on_row(void *arg, const struct history_row *row)
{
	(void)arg;
	if (n_seen < sizeof seen / sizeof seen[0])
		seen[n_seen++] = row->id;
	return true;
}

static bool
read_all(const char *dir)
{
	n_seen = 0;
	return history_walk(dir, on_row, NULL);
}

static void
add(struct loop *l, const char *dir, uint64_t from, uint64_t to, int64_t keep,
    uint64_t size)
{
	const char *why = NULL;
	struct history *h = history_open(l, dir, keep, size, &why);
	struct history_row row;
	uint64_t id;

	CHECK("it opens", h != NULL);
	for (id = from; h != NULL && id < to; id++) {
		row = a_row(id);
		history_add(h, &row);
	}
	history_close(&h);
}

static bool
seen_are(uint64_t from, uint64_t to)
{
	size_t i;

	if (n_seen != to - from)
		return false;
	for (i = 0; i < n_seen; i++) {
		if (seen[i] != from + i)
			return false;
	}
	return true;
}

/* The newest file. */
static void
newest(const char *dir, char *out, size_t size)
{
	char folder[512], name[HISTORY_NAME + 1];
	uint64_t *numbers;
	int fd, n;

	snprintf(folder, sizeof folder, "%s/facts", dir);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	n = history_files(fd, &numbers);
	close(fd);
	snprintf(out, size, "%s/%s", folder,
	    n > 0 ? history_file_name(numbers[n - 1], name) : "none");
	free(numbers);
}

static void
test_files(void)
{
	struct utimbuf old = { .actime = 1000000000, .modtime = 1000000000 };
	char dir[] = "/tmp/postern-unit-XXXXXX", path[512], file[600];
	struct loop *l = loop_new();
	const char *why = NULL;
	struct history *h;
	struct stat st;
	int fd;

	if (mkdtemp(dir) == NULL)
		abort();
	CHECK("without a folder it does not open",
	    history_open(l, dir, 1000, 1 << 20, &why) == NULL && why != NULL);
	CHECK("nor is it read", !read_all(dir));
	snprintf(path, sizeof path, "%s/facts", dir);
	mkdir(path, 0700);
	CHECK("an empty one is read", read_all(dir) && n_seen == 0);

	add(l, dir, 1, 101, 1000, 1 << 20);
	CHECK("what was added is read", read_all(dir) && seen_are(1, 101));
	newest(dir, file, sizeof file);
	CHECK("nobody else reads it",
	    stat(file, &st) == 0 && (st.st_mode & 077) == 0);
	fd = open(file, O_WRONLY | O_APPEND);
	CHECK("a line is cut off", write(fd, "1\t55\t5", 6) == 6);
	close(fd);
	add(l, dir, 101, 201, 1000, 1 << 20);
	CHECK("it goes on behind it", read_all(dir) && seen_are(1, 201));

	add(l, dir, 201, 10201, 1000, 1 << 20);
	CHECK("it is bounded",
	    read_all(dir) && n_seen > 1000 && n_seen < 6000 &&
		seen_are(10201 - n_seen, 10201));

	newest(dir, file, sizeof file);
	utime(file, &old);
	h = history_open(l, dir, 1000, 1 << 20, &why);
	CHECK("what is too old goes at the start", stat(file, &st) == -1);
	history_close(&h);

	h = history_open(l, dir, 1000, 1 << 20, &why);
	history_add(h, &(struct history_row){ .id = 1 });
	rmdir(path);
	CHECK("a row without texts", h != NULL);
	history_close(&h);
	history_close(&h);
	history_add(NULL, &(struct history_row){ .id = 1 });
	loop_free(&l);
	unit_remove(dir);
}

int
main(void)
{
	test_line();
	test_bad();
	test_files();
	return unit_end();
}
