/*
 * Commands with format specifiers: which text /bin/sh gets, and what it makes
 * of it with values that want to be executed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>

#include "local_format.h"

static struct local world;

static void
begin(const char *sender)
{
	struct local_take *t = &world.start.take;

	memset(&world, 0, sizeof world);
	world.start.delim = '+';
	snprintf(t->sender, sizeof t->sender, "%s", sender);
	snprintf(t->rcpt, sizeof t->rcpt, "bob@host.test");
	snprintf(t->to.user, sizeof t->to.user, "bob");
	snprintf(t->to.home, sizeof t->to.home, "/home/bob");
}

/* Columns: command, wrapper, the shell's text; NULL: refused. */
static const struct {
	const char *command, *wrapper, *text;
} rows[] = {
	{ "", "", "" },
	{ "cat", "", "cat" },
	{ "a 'b' \"c\" `d` $(e) \\f # g", "", "a 'b' \"c\" `d` $(e) \\f # g" },
	/* Without formats nothing is refused. */
	{ "echo 'not closed", "", "echo 'not closed" },
	{ "cat <<EOF\nit's\nEOF", "", "cat <<EOF\nit's\nEOF" },
	{ "date +%s%%", "", "date +%s%" },
	{ "%", "", "%" },
	/* no quotes */
	{ "lda %{rcpt}", "", "lda \"${1}\"" },
	{ "lda -d %{rcpt} -f %{sender}", "", "lda -d \"${1}\" -f \"${2}\"" },
	{ "lda --to=%{rcpt}x", "", "lda --to=\"${1}\"x" },
	{ "%{rcpt}", "", "\"${1}\"" },
	{ "a %%{rcpt}", "", "a %{rcpt}" },
	{ "a %%%{rcpt}", "", "a %\"${1}\"" },
	/* quotes */
	{ "a \"%{rcpt}\"", "", "a \"${1}\"" },
	{ "a \"x%{rcpt}y\" %{rcpt}", "", "a \"x${1}y\" \"${2}\"" },
	{ "a '%{rcpt}'", "", "a ''\"${1}\"''" },
	{ "a 'x%{rcpt}y' %{rcpt}", "", "a 'x'\"${1}\"'y' \"${2}\"" },
	{ "a '\"%{rcpt}\"'", "", "a '\"'\"${1}\"'\"'" },
	{ "a \"'%{rcpt}'\"", "", "a \"'${1}'\"" },
	{ "a \\'%{rcpt}", "", "a \\'\"${1}\"" },
	{ "a \\\"%{rcpt}", "", "a \\\"\"${1}\"" },
	{ "a \"\\\"%{rcpt}\"", "", "a \"\\\"${1}\"" },
	{ "a '\\' %{rcpt}", "", "a '\\' \"${1}\"" },
	{ "a \\%{rcpt}", "", "a \"${1}\"" },
	{ "a \\\\%{rcpt}", "", "a \\\\\"${1}\"" },
	{ "a \"\\%{rcpt}\"", "", "a \"\\\\${1}\"" },
	{ "a \"\\\\%{rcpt}\"", "", "a \"\\\\${1}\"" },
	{ "a '\\%{rcpt}'", "", "a '\\'\"${1}\"''" },
	/* comments */
	{ "a # don't %{rcpt}", "", "a # don't " },
	{ "a # don't\nb %{rcpt}", "", "a # don't\nb \"${1}\"" },
	{ "a#don\\'t %{rcpt}", "", "a#don\\'t \"${1}\"" },
	{ "# 'x\nb %{rcpt}", "", "# 'x\nb \"${1}\"" },
	{ "a;# 'x\nb %{rcpt}", "", "a;# 'x\nb \"${1}\"" },
	{ "a $# %{rcpt}", "", "a $# \"${1}\"" },
	{ "a '#' %{rcpt}", "", "a '#' \"${1}\"" },
	{ "a \\\n# 'x\nb %{rcpt}", "", "a \\\n# 'x\nb \"${1}\"" },
	/* parentheses */
	{ "(a %{rcpt})", "", "(a \"${1}\")" },
	{ "a $(b %{rcpt}) '%{dest}'", "", "a $(b \"${1}\") ''\"${2}\"''" },
	{ "a \"$(b %{rcpt})\"", "", "a \"$(b \"${1}\")\"" },
	{ "a \"$(b '%{rcpt}')%{rcpt}\"", "", "a \"$(b ''\"${1}\"'')${2}\"" },
	{ "a \"$(b \"$(c %{rcpt})\")\"", "", "a \"$(b \"$(c \"${1}\")\")\"" },
	{ "a $( (b) %{rcpt})", "", "a $( (b) \"${1}\")" },
	{ "case x in x) a %{rcpt};; esac", "",
	    "case x in x) a \"${1}\";; esac" },
	{ "f() { a %{rcpt}; }; f", "", "f() { a \"${1}\"; }; f" },
	{ "a \"(\" %{rcpt}", "", "a \"(\" \"${1}\"" },
	/* other things of the shell */
	{ "a ${HOME} %{rcpt}", "", "a ${HOME} \"${1}\"" },
	{ "a \"${HOME}/%{rcpt}\"", "", "a \"${HOME}/${1}\"" },
	{ "a `b` %{rcpt}", "", "a `b` \"${1}\"" },
	{ "a `b 'c` %{rcpt}", "", "a `b 'c` \"${1}\"" },
	{ "a `b \\` c` %{rcpt}", "", "a `b \\` c` \"${1}\"" },
	{ "a \"`b \"c\"`\" %{rcpt}", "", "a \"`b \"c\"`\" \"${1}\"" },
	{ "a $((1 + (2))) %{rcpt}", "", "a $((1 + (2))) \"${1}\"" },
	{ "a $$ %{rcpt}", "", "a $$ \"${1}\"" },
	{ "a < b > %{rcpt}", "", "a < b > \"${1}\"" },
	{ "a && b %{rcpt} | c", "", "a && b \"${1}\" | c" },
	/* What is not sure is refused. */
	{ "a `b %{rcpt}`", "", NULL },
	{ "a ${x:-%{rcpt}}", "", NULL },
	{ "a ${x:-'b'} %{rcpt}", "", NULL },
	{ "a \"${x:-\"b\"}\" %{rcpt}", "", NULL },
	{ "a $((1 + %{rcpt}))", "", NULL },
	{ "a $(('1')) %{rcpt}", "", NULL },
	{ "a $%{rcpt}", "", NULL },
	{ "a \"$%{rcpt}\"", "", NULL },
	{ "a $'b' %{rcpt}", "", NULL },
	{ "cat <<EOF\n%{rcpt}\nEOF", "", NULL },
	{ "a $(case x in x) b %{rcpt};; esac)", "", NULL },
	{ "a \"$(case x in x) b;; esac)\" %{rcpt}", "", NULL },
	{ "a '%{rcpt}", "", NULL },
	{ "a \"%{rcpt}", "", NULL },
	{ "a (%{rcpt}", "", NULL },
	{ "a %{rcpt} \\", "", NULL },
	{ "a %{rcpt} $(b # )", "", NULL },
	{ "((((((((((((((((((a %{rcpt}))))))))))))))))))", "", NULL },
	{ "a %{nothing}", "", NULL },
	{ "a %{rcpt", "", NULL },
	{ "a %{mda}", "", NULL },
	/* wrappers */
	{ "lda %{rcpt}", "w -- %{mda}", "w -- lda \"${1}\"" },
	{ "lda %{rcpt}", "w %{sender} -- %{mda}",
	    "w \"${1}\" -- lda \"${2}\"" },
	{ "lda %{rcpt}", "w \"%{mda}\"", "w \"lda ${1}\"" },
	{ "lda %{rcpt}", "w '%{mda}' %{MDA}",
	    "w 'lda '\"${1}\"'' lda \"${2}\"" },
	{ "lda", "w", "w" },
	{ "lda '%%'", "w %%{mda} %{mda}", "w %{mda} lda '%'" },
	{ "lda", "w %{mda:raw}", NULL },
	{ "lda", "w %{mda", NULL },
};

/* A command as the name of a case: one line. */
static const char *
one_line(const char *what, const char *command)
{
	static char name[200];
	char *s;

	snprintf(name, sizeof name, "%s%s", what, command);
	for (s = name; *s != '\0'; s++)
		if (*s == '\n')
			*s = ' ';
	return name;
}

static void
check_rows(void)
{
	static struct shell sh;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		why = format_command(&world,
		    unit_guard(rows[i].command, strlen(rows[i].command) + 1),
		    unit_guard(rows[i].wrapper, strlen(rows[i].wrapper) + 1),
		    &sh);
		CHECK(one_line("", rows[i].command),
		    rows[i].text == NULL ?
			why != NULL :
			why == NULL && strcmp(sh.text, rows[i].text) == 0);
		if (rows[i].text != NULL && why != NULL)
			printf("# %s\n", why);
		else if (rows[i].text != NULL &&
		    strcmp(sh.text, rows[i].text) != 0)
			printf("# %s\n", sh.text);
	}
}

static void
check_bounds(void)
{
	static struct shell sh;
	static char text[SHELL_TEXT_MAX + 100];
	size_t i;

	for (i = 0; i < SHELL_ARGS_MAX; i++)
		snprintf(text + i * 7, 8, "%%{rcpt}");
	CHECK("as many formats as there may be",
	    format_command(&world, text, "", &sh) == NULL &&
		sh.n == SHELL_ARGS_MAX && strstr(sh.text, "\"${32}\"") != NULL);
	snprintf(text + i * 7, 8, "%%{rcpt}");
	CHECK("one more", format_command(&world, text, "", &sh) != NULL);
	memset(text, 'x', SHELL_TEXT_MAX + 50);
	text[SHELL_TEXT_MAX + 50] = '\0';
	CHECK("too long", format_command(&world, text, "", &sh) != NULL);
	CHECK("too long in a wrapper",
	    format_command(&world, text, "w %{mda}", &sh) != NULL);
	text[SHELL_TEXT_MAX - 1] = '\0';
	CHECK("just not too long",
	    format_command(&world, text, "", &sh) == NULL);
	for (i = SHELL_TEXT_MAX - 40; i < SHELL_TEXT_MAX; i++) {
		memset(text, 'x', i);
		snprintf(text + i, 16, "\"%%{rcpt}\"");
		if (format_command(&world, text, "", &sh) == NULL &&
		    strlen(sh.text) >= SHELL_TEXT_MAX)
			CHECK("room for references", false);
	}
}

/* ---- what the shell makes of it ---- */

/* Runs it as local does; what it prints goes to out.  Its folder is empty and
 * goes with it. */
static int
run(struct shell *sh, char *out, size_t size)
{
	char name[] = "sh", flag[] = "-c", end[] = "--";
	char path[] = "PATH=/usr/bin:/bin";
	char *argv[SHELL_ARGS_MAX + 6] = { name, flag, end, sh->text, name };
	char *env[] = { path, NULL };
	int pipes[2], status, null;
	size_t len = 0;
	unsigned int i;
	ssize_t n;
	pid_t pid;

	for (i = 0; i < sh->n; i++)
		argv[5 + i] = sh->value[i];
	if (pipe(pipes) == -1)
		abort();
	pid = fork();
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(pipes[1], 1);
		dup2(null, 2);
		closefrom(3);
		alarm(10);
		execve("/bin/sh", argv, env);
		_exit(99);
	}
	close(pipes[1]);
	while (len + 1 < size &&
	    (n = read(pipes[0], out + len, size - len - 1)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	return status;
}

/* Each would say so in a file if a shell executed a part of it. */
static const char *const hostile[] = {
	"; echo x >done ;",
	"`echo x >done`",
	"$(echo x >done)",
	"' ; echo x >done ; '",
	"\" ; echo x >done ; \"",
	"'\"; echo x >done; \"'",
	"\\'; echo x >done #",
	"\\\"; echo x >done #",
	"\n echo x >done\n",
	"| tee done",
	"& echo x >done &",
	"|| echo x >done",
	"\\",
	"\\\\",
	"}; echo x >done; {",
	") ; echo x >done ; (",
	"${x:-`echo x >done`}",
	"${1}",
	"\"${1}\"",
	"* ? [a-z]*",
	"~",
	"-n",
	"%{rcpt}",
	"%s%n",
	"a b  c",
	"$HOME $1 $@ $$",
	"!! !$",
	"\x01\x7f\xff\xc3\xa9",
	"EOF\necho x >done\n",
	"# echo",
};

/* Columns: a command, and what it prints around the value. */
static const struct {
	const char *command, *left, *right;
} places[] = {
	{ "printf '[%%s]' %{sender:raw}", "[", "]" },
	{ "printf '[%%s]' \"%{sender:raw}\"", "[", "]" },
	{ "printf '[%%s]' '%{sender:raw}'", "[", "]" },
	{ "printf '[%%s]' a%{sender:raw}b", "[a", "b]" },
	{ "printf '[%%s]' \"a'%{sender:raw}'b\"", "[a'", "'b]" },
	{ "printf '[%%s]' 'a\"%{sender:raw}\"b'", "[a\"", "\"b]" },
	{ "printf '[%%s]' \\%{sender:raw}", "[", "]" },
	{ "printf '[%%s]' \"\\%{sender:raw}\"", "[\\", "]" },
	{ "printf '[%%s]' \\\\%{sender:raw}", "[\\", "]" },
	{ "(printf '[%%s]' %{sender:raw})", "[", "]" },
	{ "x=%{sender:raw}; printf '[%%s]' \"$x\"", "[", "]" },
	{ "x='%{sender:raw}'; printf '[%%s]' \"$x\"", "[", "]" },
	{ "# it's\nprintf '[%%s]' %{sender:raw}", "[", "]" },
	{ "f() { printf '[%%s]' \"$1\"; }; f %{sender:raw}", "[", "]" },
	{ "case x in x) printf '[%%s]' '%{sender:raw}';; esac", "[", "]" },
	{ "printf '[%%s]' \"$(printf '%%s]' '%{sender:raw}')\"", "[", "]]" },
	{ "printf '[%%s]' \"$(printf %%s] %{sender:raw})\"", "[", "]]" },
	{ "case %{sender:raw} in %{sender:raw}) printf '[%%s]' same;; esac",
	    NULL, NULL },
	{ "%{sender:raw}", NULL, NULL },
	{ "%{sender:raw} x", NULL, NULL },
	{ "exec '%{sender:raw}'", NULL, NULL },
	{ "test -e %{sender:raw} > /dev/null", NULL, NULL },
};

/* In $( ) the shell drops line feeds at the end: places have a ] there. */
static bool
says(const char *got, size_t place, const char *value)
{
	size_t a, v = strlen(value), b;

	if (places[place].left == NULL)
		return true;
	a = strlen(places[place].left);
	b = strlen(places[place].right);
	return strlen(got) == a + v + b &&
	    memcmp(got, places[place].left, a) == 0 &&
	    memcmp(got + a, value, v) == 0 &&
	    memcmp(got + a + v, places[place].right, b) == 0;
}

static void
check_hostile(void)
{
	static struct shell sh;
	char dir[] = "/tmp/local-shell.XXXXXX", got[4096];
	size_t i, k;
	bool good;

	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		abort();
	for (i = 0; i < sizeof places / sizeof places[0]; i++) {
		for (k = 0, good = true; k < sizeof hostile / sizeof hostile[0];
		     k++) {
			begin(hostile[k]);
			good = format_command(&world, places[i].command, "",
				   &sh) == NULL &&
			    good;
			run(&sh, got, sizeof got);
			good = good && says(got, i, hostile[k]) &&
			    access("done", F_OK) == -1;
			if (!good) {
				printf("# %s with %s: %s\n", sh.text,
				    hostile[k], got);
				break;
			}
		}
		CHECK(one_line("hostile values in: ", places[i].command), good);
	}
	unlink("done");
	if (chdir("/") == -1 || rmdir(dir) == -1)
		CHECK("nothing is left behind", false);
	/* The bait works: an honest mistake would be seen. */
	if (mkdir(dir, 0700) == -1 || chdir(dir) == -1)
		abort();
	snprintf(sh.text, sizeof sh.text, "true %s", hostile[0]);
	sh.n = 0;
	run(&sh, got, sizeof got);
	CHECK("a shell that read it would have left a file",
	    access("done", F_OK) == 0);
	unlink("done");
	if (chdir("/") == -1 || rmdir(dir) == -1)
		CHECK("nothing is left behind", false);
}

/* ---- commands that nobody thought of ---- */

static unsigned int
dice(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % n;
}

/* What has a meaning to the shell and does nothing, in any order: `p` is a
 * function that shows its arguments. */
static void
invent(unsigned int *seed, char *out, size_t size)
{
	static const char *const pieces[] = { "%{sender:raw}", "%{sender:raw}",
		"%{sender:raw}", "'", "'", "\"", "\"", "\\", " ", " ", "p ",
		";p ", "\n", "$(p ", ")", "(", "`", "#", " #", "${x}", "$ ",
		"$'", "$\"", "a", "=", "||p ", "{ ", ";}", "<<", "case x in x)",
		";;esac", "$((1))", "$x/" };
	size_t len = (size_t)snprintf(out, size, "p ");
	unsigned int n = 2 + dice(seed, 12);

	while (n-- > 0)
		len += (size_t)snprintf(out + len, size - len, "%s",
		    pieces[dice(seed, sizeof pieces / sizeof pieces[0])]);
}

/* in with each `what` as `with`. */
static void
replace(const char *in, const char *what, const char *with, char *out,
    size_t size)
{
	size_t len = 0, n = strlen(what);

	out[0] = '\0';
	while (*in != '\0' && len + strlen(with) + 2 < size) {
		if (strncmp(in, what, n) == 0) {
			len +=
			    (size_t)snprintf(out + len, size - len, "%s", with);
			in += n;
		} else {
			out[len++] = *in++;
			out[len] = '\0';
		}
	}
}

static const char prelude[] =
    "p() { for a in \"$@\"; do printf '<%%s>' \"$a\"; done; }; x=y\n";

/*
 * A harmless value as a reference is what it would be as text; a hostile one
 * stands where that stood, and nothing else is different.
 */
static void
check_invented(void)
{
	static struct shell sh;
	static char command[4096 + 100], text[4096], plain[8192], hoped[16384],
	    got[16384];
	static const char evil[] =
	    "';:>done;'\";:>done;\"`:>done`$(:>done)&:>done&:>done#\\";
	char dir[] = "/tmp/local-shell.XXXXXX";
	unsigned int seed = 1, tried = 0, i;
	bool good = true;

	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		abort();
	for (i = 0; i < 1500 && good; i++) {
		invent(&seed, text, sizeof text);
		snprintf(command, sizeof command, "%s%s", prelude, text);
		begin("VALUE");
		if (format_command(&world, command, "", &sh) != NULL ||
		    sh.n == 0)
			continue;
		tried++;
		run(&sh, got, sizeof got);
		replace(command, "%{sender:raw}", "VALUE", sh.text,
		    sizeof sh.text);
		replace(sh.text, "%%", "%", plain, sizeof plain);
		snprintf(sh.text, sizeof sh.text, "%s", plain);
		sh.n = 0;
		run(&sh, plain, sizeof plain);
		good = strcmp(plain, got) == 0;
		begin(evil);
		good = good && format_command(&world, command, "", &sh) == NULL;
		run(&sh, got, sizeof got);
		replace(plain, "VALUE", evil, hoped, sizeof hoped);
		good = good && strcmp(hoped, got) == 0 &&
		    access("done", F_OK) == -1;
		if (!good)
			printf("# %s\n# %s\n# %s\n# %s\n", text, sh.text, hoped,
			    got);
	}
	CHECK("commands by chance: values are where they should be", good);
	CHECK("commands by chance: enough of them", tried > 100);
	printf("# %u tried\n", tried);
	unlink("done");
	if (chdir("/") == -1 || rmdir(dir) == -1)
		CHECK("nothing is left behind", false);
}

int
main(void)
{
	begin("ann@a.test");
	check_rows();
	check_bounds();
	check_hostile();
	check_invented();
	return unit_end();
}
