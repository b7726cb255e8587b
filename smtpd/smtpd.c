/*
 * Process: parent (smtpd)
 * Runs as: root, root directory /
 * Holds: the configuration, the listening sockets, the pid file
 * Asks: nobody; its children tell it when they are ready or broken
 * Never: reads from the network, from users, or from mail
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "conf_print.h"
#include "log.h"
#include "parent.h"
#include "places.h"
#include "priv_command.h"

#define FILES_MAX 65536

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: smtpd [-dFnvV] [-D macro=value] [-f file] [-R dir]\n"
	    "       smtpd -P resolver [-D macro=value] [-f file]\n");
	exit(EX_USAGE);
}

static void
add_macro(struct options *o, const char *arg)
{
	/* The argument stays as it was: a newer program is given it too. */
	char *text = xstrdup(arg), *eq = strchr(text, '=');

	if (eq == NULL || eq == text || o->n_macros == MACROS_MAX)
		usage();
	*eq = '\0';
	o->macros[o->n_macros].name = text;
	o->macros[o->n_macros].value = eq + 1;
	o->n_macros++;
}

static void
read_options(struct options *o, int argc, char **argv)
{
	int c;

	o->conf = places_conf;
	o->argv = argv;
	while ((c = getopt(argc, argv, "dFnvVD:f:P:R:")) != -1) {
		switch (c) {
		case 'd':
			o->foreground = o->stay = true;
			break;
		case 'F':
			o->stay = true;
			break;
		case 'n':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			o->version = true;
			break;
		case 'D':
			add_macro(o, optarg);
			break;
		case 'f':
			o->conf = optarg;
			break;
		case 'P':
			if (strcmp(optarg, "resolver") != 0)
				usage();
			o->resolver = true;
			break;
		case 'R':
			o->dir = optarg;
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

/* `smtpd -P resolver`, for smtpctl: "ADDRESS PORT TIMEOUT", or nothing.  The
 * exit status. */
static int
print_resolver(const struct options *o)
{
	struct conf_errors errors = { 0 };
	struct sockaddr_storage ss;
	uint32_t timeout;
	struct buf out;
	bool good;
	size_t i;

	good = conf_file_resolver(o->conf, o->macros, o->n_macros, &ss,
	    &timeout, &errors);
	for (i = 0; i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	conf_errors_free(&errors);
	if (!good || ss.ss_family == 0)
		return good ? 0 : 1;
	buf_init(&out, 0);
	conf_print_addr(&out, &ss);
	buf_printf(&out, " %u %u\n", conf_print_port(&ss), timeout);
	good = fwrite(buf_data(&out), 1, out.len, stdout) == out.len &&
	    fflush(stdout) == 0;
	buf_free(&out);
	return good ? 0 : 1;
}

/* Prints what is wrong with the file, all of it; false if anything is.
 * Warnings too. */
static bool
load(struct parent *p)
{
	struct buf *why = &p->reload.why, *doubts = &p->reload.doubts;

	p->next = generation_load(p, why);
	fwrite(buf_data(why), 1, why->len, stderr);
	/* In front they are in the log. */
	if (p->options->check || !p->options->stay)
		fwrite(buf_data(doubts), 1, doubts->len, stderr);
	/* Nobody reads that if we were another program before. */
	if (p->next == NULL && p->pid_file != -1)
		reload_log_why(p);
	return p->next != NULL;
}

/* An absolute path; the directory need not exist yet. */
static bool
absolute(const char *dir, const char *below, char out[PATH_MAX])
{
	char cwd[PATH_MAX] = "";
	int n;

	if (dir[0] != '/' && getcwd(cwd, sizeof cwd) == NULL)
		return false;
	n = snprintf(out, PATH_MAX, "%s%s%s%s", cwd, cwd[0] == '\0' ? "" : "/",
	    dir, below);
	/* It travels in a message to the children. */
	return n > 0 && n < 500;
}

static void
count_children(struct parent *p)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int k;

	if (cores < 1)
		cores = 1;
	/* Older generations need slots too. */
	if (cores > COUNT_MAX)
		cores = COUNT_MAX;
	for (k = 0; k < PROC_KINDS; k++) {
		p->count[k] = proc_table[k].count != 0 ? proc_table[k].count :
							 (unsigned int)cores;
		/* One is enough to say whether it could start. */
		if (p->options->check)
			p->count[k] = proc_table[k].check;
	}
}

/*
 * Leaves the terminal.  The process in front stays until the one behind says
 * that all is up (a byte), or ends without having said so.
 */
static void
go_behind(struct parent *p)
{
	int pipes[2], null;
	char byte;

	if (pipe2(pipes, O_CLOEXEC) == -1)
		fatal("pipe: %s", strerror(errno));
	switch (fork()) {
	case -1:
		fatal("fork: %s", strerror(errno));
	case 0:
		break;
	default:
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(pipes[0]);
	p->told = pipes[1];
	setsid();
	if (chdir("/") == -1)
		fatal("chdir /: %s", strerror(errno));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		dup2(null, 0);
		dup2(null, 1);
	}
}

/*
 * What was open before us is not ours to keep; what stands on 0 to 2 is, and
 * must not be a socket because whoever started us had closed them.
 */
static void
clean_descriptors(unsigned int activated)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	closefrom(STDERR_FILENO + 1 + (int)activated);
}

static const char *
prepare(struct parent *p)
{
	const char *why;

	if ((why = priv_users(p)) != NULL)
		return why;
	/* An ordinary user may check a file without a place to run in. */
	if (p->options->check && !p->jailed)
		return NULL;
	if ((why = priv_dirs(p)) != NULL || p->options->check)
		return why;
	if (p->pid_file == -1 && (why = priv_pid_file(p)) != NULL)
		return why;
	if ((why = generation_bind(p, p->next)) != NULL ||
	    (why = generation_listen(p, p->next)) != NULL ||
	    (p->control == -1 && (why = priv_control(p)) != NULL))
		priv_clean(p);
	return why;
}

/* Two for each process, of some generations. */
static void
raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max < FILES_MAX ? r.rlim_max : FILES_MAX;
	setrlimit(RLIMIT_NOFILE, &r);
}

static void
init(struct parent *p, const struct options *o)
{
	p->options = o;
	p->told = p->pid_file = p->control = -1;
	TAILQ_INIT(&p->all);
	buf_init(&p->reload.why, 0);
	buf_init(&p->reload.doubts, 0);
	p->cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->cwd == -1)
		fatal("the working directory: %s", strerror(errno));
	if (!absolute(o->dir != NULL ? o->dir : places_run, "", p->run) ||
	    !absolute(o->dir != NULL ? o->dir : places_spool,
		o->dir != NULL ? "/spool" : "", p->spool))
		fatal("the path of the run directory is too long");
	raise_limit();
	upgrade_init(p);
	notify_init(p);
	command_libexec(p->libexec);
	count_children(p);
}

/* Nothing runs yet.  0, or the exit status: why was said. */
static int
start(struct parent *p)
{
	const struct options *o = p->options;
	const char *why;

	/* Who starts us again must not do so for this. */
	if (!load(p))
		return o->check ? 1 : EX_CONFIG;
	if (p->pid_file == -1 &&
	    getrandom(p->token, sizeof p->token, 0) != sizeof p->token)
		fatal("no random numbers: %s", strerror(errno));
	if (p->pid_file == -1 && !o->stay && !o->check)
		go_behind(p);
	if ((why = prepare(p)) != NULL) {
		fprintf(stderr, "smtpd: %s\n", why);
		return 1;
	}
	upgrade_sockets_close(p);
	parent_log_as(p, p->next);
	if (!o->check)
		reload_log_doubts(p);
	if (!p->jailed && !o->check)
		log_event(0, "one-user",
		    "uid=%u all processes run as the user who started smtpd: no separation of privileges",
		    (unsigned int)geteuid());
	return 0;
}

/* The program before us has left its processes. */
static void
go_on(struct parent *p)
{
	const char *why = priv_users(p);

	if (why != NULL)
		fatal("%s", why);
	parent_log_as(p, p->now);
	p->started = true;
	child_watch(p);
	notify_watch(p);
	table_watch(p);
	p->reload.wanted = true;
	reload_again(p);
}

int
main(int argc, char **argv)
{
	static struct parent p;
	static struct options o;
	bool inherits = upgrade_inherits();
	unsigned int activated = inherits ? 0 : activate_count();
	int status;

	if (!inherits)
		clean_descriptors(activated);
	log_to_stderr("smtpd", false);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	read_options(&o, argc, argv);
	if (o.version)
		upgrade_print();
	if (o.version && !o.check)
		return 0;
	if (o.resolver)
		return print_resolver(&o);
	init(&p, &o);
	if (!o.check)
		activate_take(&p, activated);
	if (inherits) {
		if (!o.foreground)
			log_to_syslog("smtpd", LOG_MAIL, o.verbose);
		p.loop = loop_new();
		upgrade_inherit(&p);
	}
	if (p.now != NULL) {
		go_on(&p);
	} else {
		if ((status = start(&p)) != 0)
			return status;
		if (p.loop == NULL)
			p.loop = loop_new();
		child_watch(&p);
		notify_watch(&p);
		reload_first(&p);
	}
	loop_run(p.loop);
	if (!o.check)
		priv_clean(&p);
	return p.status;
}
