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
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_file.h"
#include "log.h"
#include "parent.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc/postern"
#endif
#ifndef RUNDIR
#define RUNDIR "/run/postern"
#endif
#ifndef SPOOLDIR
#define SPOOLDIR "/var/spool/postern"
#endif
#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/libexec/postern"
#endif

#define MACROS_MAX 64

struct options {
	const char *conf, *dir;
	bool foreground, check, verbose;
	struct conf_macro macros[MACROS_MAX];
	size_t n_macros;
};

static _Noreturn void
usage(void)
{
	fprintf(stderr,
	    "usage: smtpd [-dnv] [-D macro=value] [-f file] [-R dir]\n");
	exit(64);
}

static void
add_macro(struct options *o, char *text)
{
	char *eq = strchr(text, '=');

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

	o->conf = SYSCONFDIR "/smtpd.conf";
	while ((c = getopt(argc, argv, "dnvD:f:R:")) != -1) {
		switch (c) {
		case 'd':
			o->foreground = true;
			break;
		case 'n':
			o->check = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'D':
			add_macro(o, optarg);
			break;
		case 'f':
			o->conf = optarg;
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

/* Prints what is wrong with the file, all of it; false if anything is. */
static bool
load(struct parent *p, const struct options *o)
{
	struct conf_errors errors = { 0 };
	struct conf_image image = { 0 }, bare = { 0 };
	size_t i;
	int bad;

	bad = conf_file_load(o->conf, o->macros, o->n_macros, &image, &errors);
	for (i = 0; i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	conf_errors_free(&errors);
	if (bad != 0)
		return false;
	if (conf_image_without_tables(&image, &bare) != 0)
		fatal("no memory for the configuration");
	p->conf_fd[0] = conf_seal(bare.conf, bare.size);
	p->conf_fd[1] = conf_seal(image.conf, image.size);
	if (p->conf_fd[0] == -1 || p->conf_fd[1] == -1)
		fatal("cannot seal the configuration: %s", strerror(errno));
	conf_image_free(&bare);
	p->conf = image.conf; /* for as long as we live */
	return true;
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

/* Beside this program if it was built there, else where it was installed. */
static void
find_libexec(struct parent *p)
{
	char self[PATH_MAX - 16], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	struct stat st;

	snprintf(p->libexec, sizeof p->libexec, "%s", LIBEXECDIR);
	if (n <= 0)
		return;
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) == NULL)
		return;
	snprintf(slash, sizeof self - (size_t)(slash - self), "/libexec");
	if (stat(self, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(p->libexec, sizeof p->libexec, "%s", self);
}

static void
count_children(struct parent *p)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int k;

	if (cores < 1)
		cores = 1;
	if (cores > PROC_MAX)
		cores = PROC_MAX;
	for (k = 0; k < PROC_KINDS; k++) {
		p->count[k] = proc_table[k].count != 0 ? proc_table[k].count :
							 (unsigned int)cores;
		if (p->check && proc_table[k].check == 0)
			p->count[k] = 0;
	}
	p->count[PROC_PARENT] = 1;
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
clean_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	closefrom(STDERR_FILENO + 1);
}

static const char *
prepare(struct parent *p)
{
	const char *why;

	if ((why = priv_users(p)) != NULL)
		return why;
	/* An ordinary user may check a file without a place to run in. */
	if (p->check && !p->jailed)
		return NULL;
	if ((why = priv_dirs(p)) != NULL || p->check)
		return why;
	if ((why = priv_pid_file(p)) != NULL)
		return why;
	if ((why = priv_listen(p)) != NULL)
		priv_clean(p);
	return why;
}

static void
open_log(const struct options *o)
{
	if (o->foreground || o->check)
		log_to_stderr("smtpd", o->verbose);
	else
		log_to_syslog("smtpd", o->verbose);
}

int
main(int argc, char **argv)
{
	static struct parent p;
	static struct options o;
	const char *why, *dir;

	clean_descriptors();
	log_to_stderr("smtpd", false);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	read_options(&o, argc, argv);
	p.check = o.check;
	p.verbose = o.verbose;
	p.foreground = o.foreground || o.check;
	p.told = p.pid_file = p.control = -1;
	dir = o.dir;
	if (!absolute(dir != NULL ? dir : RUNDIR, "", p.run) ||
	    !absolute(dir != NULL ? dir : SPOOLDIR, dir != NULL ? "/spool" : "",
		p.spool))
		fatal("the path of the run directory is too long");
	if (!load(&p, &o))
		return 1;
	find_libexec(&p);
	count_children(&p);
	if (getrandom(p.token, sizeof p.token, 0) != sizeof p.token)
		fatal("no random numbers: %s", strerror(errno));
	if (!o.foreground && !o.check)
		go_behind(&p);
	if ((why = prepare(&p)) != NULL) {
		fprintf(stderr, "smtpd: %s\n", why);
		return 1;
	}
	open_log(&o);
	if (!p.jailed && !p.check)
		log_event(0, "one-user",
		    "uid=%u all processes run as the user who started smtpd: no separation of privileges",
		    (unsigned int)geteuid());
	p.loop = loop_new();
	parent_start(&p);
	loop_run(p.loop);
	if (!p.check)
		priv_clean(&p);
	return p.status;
}
