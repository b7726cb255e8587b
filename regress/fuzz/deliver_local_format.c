/*
 * Paths and commands with format specifiers.  A value makes no folder of its
 * own in a path, and the text that a shell reads is the same whatever the
 * values are.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <strings.h>

#include "local_format.h"

static struct local world;

static void
take_value(struct slice *in, char *out, size_t size)
{
	char *line = fuzz_text(fuzz_line(in));

	snprintf(out, size, "%s", line);
	free(line);
}

static size_t
slashes(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '/';
	return n;
}

static void
check_path(const char *template)
{
	static const char home[] = "%{user.directory";
	char out[FORMAT_PATH_MAX];
	const char *at;
	size_t homes = 1;

	if (format_path(&world, template, out) != NULL)
		return;
	MUST(out[0] == '/' && strlen(out) < sizeof out);
	for (at = template; (at = strstr(at, "%{")) != NULL; at++)
		homes += strncasecmp(at, home, sizeof(home) - 1) == 0;
	/* The template's, those of homes, and one behind a home. */
	MUST(slashes(out) <=
	    slashes(template) + homes * slashes(world.start.take.to.home) + 1);
	if (strstr(template, "%{") == NULL || strstr(template, "..") != NULL)
		return;
	for (at = out; (at = strstr(at, "/..")) != NULL; at++)
		MUST(at[3] != '/' && at[3] != '\0');
}

static void
check_values(const struct shell *sh)
{
	unsigned int i;

	MUST(strlen(sh->text) < sizeof sh->text && sh->n <= SHELL_ARGS_MAX);
	for (i = 0; i < sh->n; i++)
		MUST(strlen(sh->value[i]) < sizeof sh->value[i]);
}

static void
check_command(const char *command, const char *wrapper)
{
	static struct shell one, two;
	struct local_take *t = &world.start.take, keep = *t;
	const char *why = format_command(&world, command, wrapper, &one);

	if (why == NULL)
		check_values(&one);
	/* Long enough for most slices. */
	snprintf(t->sender, sizeof t->sender, "anybody.else@example.org");
	snprintf(t->rcpt, sizeof t->rcpt, "anybody.else@example.org");
	snprintf(t->of, sizeof t->of, "anybody.else@example.org");
	if (format_command(&world, command, wrapper, &two) == NULL &&
	    why == NULL)
		MUST(one.n == two.n && strcmp(one.text, two.text) == 0);
	*t = keep;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice s = { (const char *)in, len };
	struct local_take *t = &world.start.take;
	char *command, *wrapper;

	memset(&world, 0, sizeof world);
	world.start.delim = '+';
	take_value(&s, t->sender, sizeof t->sender);
	take_value(&s, t->rcpt, sizeof t->rcpt);
	take_value(&s, t->of, sizeof t->of);
	snprintf(t->to.user, sizeof t->to.user, "bob");
	snprintf(t->to.home, sizeof t->to.home, "/home/bob");
	command = fuzz_text(fuzz_line(&s));
	wrapper = fuzz_text(s);
	check_path(command);
	check_command(command, "");
	check_command(command, wrapper);
	free(command);
	free(wrapper);
	return 0;
}
