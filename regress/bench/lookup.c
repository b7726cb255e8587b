/*
 * How fast a table answers: reads one as lookup does, asks it as the rules
 * do, and prints what that took.  `make bench` runs it.
 *
 *	lookup file|db PATH ENTRIES QUESTIONS
 *
 * Keys are "userN@example.net", N below ENTRIES, in an order without order;
 * one in eight questions is for a key that is not there.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/resource.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf_image.h"
#include "log.h"
#include "lookup_table.h"

/* Of processor time: what else the machine does is not our matter. */
static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Of this process now, in KiB. */
static long
memory(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		err(1, "/proc/self/statm");
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct tables *
open_table(const char *kind, const char *path)
{
	struct conf_table row = { .services = 1u << SERVICE_ALIAS };
	struct conf *c = image_new();
	struct tables *ts;
	int fd = open(path, O_RDONLY);

	if (fd == -1)
		err(1, "%s", path);
	row.kind = strcmp(kind, "db") == 0 ? TABLE_DB : TABLE_FILE;
	row.name = image_text(c, "bench");
	image_rows(c, &c->table, &row, 1, sizeof(row));
	ts = tables_new(c);
	tables_file(ts, 0, fd);
	return ts;
}

/* Returns how many were found. */
static unsigned long
ask_all(struct tables *ts, unsigned long entries, unsigned long questions)
{
	struct table *t = tables_row(ts, 0);
	unsigned long i, found = 0;
	struct table_req req;
	struct buf value;
	char key[64];
	uint64_t n = 1;

	buf_init(&value, 0);
	for (i = 0; i < questions; i++) {
		n = n * 6364136223846793005u + 1442695040888963407u;
		snprintf(key, sizeof(key), "user%llu@example.net",
		    (unsigned long long)((n >> 33) % entries +
			(i % 8 == 0 ? entries : 0)));
		found += table_ask(t, SERVICE_ALIAS, key, &value, &req, NULL,
			     NULL) == TABLE_YES;
		value.len = 0;
	}
	buf_free(&value);
	return found;
}

int
main(int argc, char **argv)
{
	unsigned long entries, questions, found;
	struct tables *ts;
	double begin, loaded, done;
	long before;

	if (argc != 5)
		errx(64, "usage: lookup file|db path entries questions");
	log_to_stderr("bench", false);
	entries = strtoul(argv[3], NULL, 10);
	questions = strtoul(argv[4], NULL, 10);
	before = memory();
	begin = seconds();
	ts = open_table(argv[1], argv[2]);
	loaded = seconds();
	found = ask_all(ts, entries, questions);
	done = seconds();
	if (found != questions - (questions + 7) / 8)
		errx(1, "%lu of %lu were found", found, questions);
	printf("%.3f %.0f %ld\n", loaded - begin,
	    (double)questions / (done - loaded), memory() - before);
	return 0;
}
