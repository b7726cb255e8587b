# Postern.  `make run` tries it, `make test` tests it, `make bench` measures it.

# ---- Debian packages: the only lists ----
PKGS_BUILD = gcc make libc6-dev libssl-dev liblmdb-dev libldns-dev \
	libbsd-dev libevent-dev libxxhash-dev libidn2-dev libjansson-dev \
	libpam0g-dev libcrypt-dev libidn-dev libpsl-dev zlib1g-dev
PKGS_RUN = openssl ca-certificates curl
PKGS_TEST = python3-pytest python3-pytest-xdist python3-pytest-timeout \
	python3-dkim python3-spf python3-nacl python3-dnspython opendkim-tools nsd \
	swaks systemd mandoc clang clang-format libclang-rt-14-dev strace iproute2 \
	libdb5.3 libicu72 libnsl2 libsasl2-2 libgnutls-dane0 libidn12 \
	libpcre2-8-0 libopendkim11 libopendmarc2 publicsuffix msmtp mutt \
	python3-cryptography python3-openssl \
	libnet-ssleay-perl libmail-dkim-perl python3-authres \
	python3-lxml libsodium23 libunwind8 libcap2 liblz4-1 libzstd1 debootstrap
PKGS_DEB = build-essential debhelper po-debconf
# Unpacked below build/peers, not installed: each to a folder of its name.
PKGS_PEERS = postfix opensmtpd exim4-daemon-light dovecot-core dovecot-lmtpd fail2ban vacation

# ---- where things go ----
B ?= build
ifeq ($(origin CC),default)
CC = gcc
endif
OPT ?= -O2 -g
SAN ?=

# Of `make install`; the manuals and units are changed to say the same.
DESTDIR ?=
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR ?= $(PREFIX)/sbin
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec/postern
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/postern
CONFDIR ?= $(SYSCONFDIR)/postern
INITDIR ?= $(SYSCONFDIR)/init.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
# What programs without -R use.
RUNDIR ?= /run/postern
SPOOLDIR ?= /var/spool/postern

CSTD = -std=c11 -D_GNU_SOURCE
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wwrite-strings
HARD_C = -fPIE -fstack-protector-strong -fstack-clash-protection
HARD_L = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifeq ($(SAN),)
HARD_C += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
HARD_C += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
HARD_L += -fsanitize=$(SAN)
endif
CFLAGS_ALL = $(CSTD) $(WARN) $(OPT) $(HARD_C) $(CFLAGS)

# ---- what is linked into what: what a process cannot do is not in it ----
LIBS_common = -levent_core -lbsd -lxxhash -lidn2
LIBS_smtpd =
LIBS_session = -lssl -lcrypto
LIBS_lookup = -llmdb -lpthread -lcrypt -ljansson -lcrypto -lidn
LIBS_guard = -lldns -lpsl
LIBS_spawn =
LIBS_pam = -lpam
ifneq ($(SAN),) # it calls the crypt(3) that is there at start; modules load one later
LIBS_pam += -Wl,--push-state,--no-as-needed -lcrypt -Wl,--pop-state
endif
LIBS_keys = -lcrypto
LIBS_sendmail =
LIBS_queue = -llmdb -lpthread
LIBS_control =
LIBS_smtpctl = -llmdb -lldns -lcrypt -lcrypto -lpthread -lidn -lpsl -lz
LIBS_deliver = -lldns -lssl -lcrypto
LIBS_local =

BIN_smtpd = smtpd sendmail
BIN_queue = smtpctl
BIN_deliver =
EXEC_smtpd = session lookup guard keys spawn pam
EXEC_queue = queue control
EXEC_deliver = deliver local

ROOMS = smtpd queue deliver
PROGS = $(foreach r,$(ROOMS),$(BIN_$(r):%=$(B)/%) $(EXEC_$(r):%=$(B)/libexec/%))

# A program's own file is room/program.c, room/program_main.c, or with root's
# rights room/priv_program.c; the rest of a room is an archive, of which each
# program takes what it calls.
main_of = $(if $(wildcard $(1)/priv_$(2).c),$(1)/priv_$(2),$(1)/$(2)_main)
MAINS = $(foreach r,$(ROOMS),$(BIN_$(r):%=$(r)/%.c) $(foreach p,$(EXEC_$(r)),$(call main_of,$(r),$(p)).c))
SRC_common = $(wildcard common/*.c)
$(foreach r,$(ROOMS),$(eval SRC_$(r) = $$(filter-out $(MAINS),$$(wildcard $(r)/*.c))))

all: $(PROGS)

define ROOM
$(B)/lib$(1).a: $(SRC_$(1):%.c=$(B)/obj/%.o)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach r,common $(ROOMS),$(eval $(call ROOM,$(r))))

define LINK # room, program, path, object
$(3): $(B)/obj/$(4).o $(B)/lib$(1).a $(B)/libcommon.a
	@mkdir -p $$(@D)
	$(CC) $(OPT) $(HARD_L) -o $$@ $$^ $$(LIBS_$(2)) $(LIBS_common) $(LDFLAGS)
endef
$(foreach r,$(ROOMS),$(foreach p,$(BIN_$(r)),$(eval $(call LINK,$(r),$(p),$(B)/$(p),$(r)/$(p)))))
$(foreach r,$(ROOMS),$(foreach p,$(EXEC_$(r)),$(eval $(call LINK,$(r),$(p),$(B)/libexec/$(p),$(call main_of,$(r),$(p))))))

# Rooms see their own headers and common's, never each other's.
$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Icommon -I$(firstword $(subst /, ,$<)) -MMD -MP -c -o $@ $<

# The places that are compiled in, and what they were the last time.
PLACES = -DCONFDIR='"$(CONFDIR)"' -DRUNDIR='"$(RUNDIR)"' \
	-DSPOOLDIR='"$(SPOOLDIR)"' -DLIBEXECDIR='"$(LIBEXECDIR)"' \
	-DSBINDIR='"$(SBINDIR)"'
$(B)/obj/common/places.o: CFLAGS_ALL += $(PLACES)
$(B)/obj/common/places.o: $(B)/places
$(B)/places: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(PLACES) | cmp -s - $@ || printf '%s\n' $(PLACES) >$@
FORCE:

# ---- unit tests: regress/unit/ROOM_NAME.c is linked with that room ----
UNIT_SRC = $(wildcard regress/unit/*.c)
UNITS = $(UNIT_SRC:regress/unit/%.c=$(B)/unit/%)
LIBS_unit_common = -lldns -lssl -lcrypto -lidn -lpsl
LIBS_unit_smtpd = -lldns -lssl -lcrypto -lcrypt -ljansson -llmdb -lpthread -lidn -lpsl
LIBS_unit_queue = -llmdb -lldns -lcrypt -lcrypto -lpthread -lidn -lpsl -lz
LIBS_unit_deliver = -lldns -lssl -lcrypto

unit: $(UNITS)

.SECONDEXPANSION:
$(B)/unit/%: regress/unit/%.c $$(wildcard regress/unit/*.h) $$(B)/lib$$(firstword $$(subst _, ,$$*)).a $(B)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Icommon -I$(firstword $(subst _, ,$*)) -Iregress/unit $(HARD_L) -o $@ $< \
	    $(B)/lib$(firstword $(subst _, ,$*)).a $(B)/libcommon.a \
	    $(LIBS_unit_$(firstword $(subst _, ,$*))) $(LIBS_common) $(LDFLAGS)

# ---- fuzzers: regress/fuzz/ROOM_NAME.c, linked as the unit tests are ----
# `make fuzz` tries each for FUZZ_SECONDS, FUZZ_JOBS at once; what it finds goes
# to a new folder in /tmp, and what breaks something fails.
FUZZ_SECONDS ?= 10
FUZZ_JOBS ?= 1
FUZZ_SRC = $(wildcard regress/fuzz/*.c)
FUZZ_NAMES = $(FUZZ_SRC:regress/fuzz/%.c=%)
# Those whose input comes from the network.
FUZZ_NETWORK = $(filter smtpd_% common_% deliver_%,$(filter-out \
	common_conf common_ipc common_num common_table common_trailer \
	common_resolv smtpd_args smtpd_conf smtpd_message \
	smtpd_protocol smtpd_table,$(FUZZ_NAMES)))
FUZZ ?= $(FUZZ_NAMES)
FUZZ_SAN = address,undefined
FUZZ_FLAGS = -max_len=4096 -timeout=10 -rss_limit_mb=1024 -close_fd_mask=1 -print_final_stats=1

fuzz: packages
	@$(MAKE) CC=clang OPT="-O1 -g" SAN=fuzzer-no-link,$(FUZZ_SAN) B=$(B)/fuzz $(FUZZ:%=$(B)/fuzz/fuzz/%)
	@dir=$$(mktemp -d /tmp/postern-fuzz-XXXXXX) && \
	printf '%s\n' $(FUZZ) | xargs -P $(FUZZ_JOBS) -I @@ sh -c ' \
		mkdir '$$dir'/@@; \
		$(B)/fuzz/fuzz/@@ $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) \
		    -artifact_prefix='$$dir'/@@- '$$dir'/@@ regress/fuzz/corpus/@@ \
		    >'$$dir'/@@.log 2>&1 || { tail -n 60 '$$dir'/@@.log; \
			echo "not ok @@: see '$$dir'"; exit 1; }; \
		n=$$(sed -n "s/^stat::number_of_executed_units: *//p" '$$dir'/@@.log); \
		echo "ok @@ ($$n inputs)"' && \
	rm -rf $$dir

fuzz-network:
	@$(MAKE) fuzz FUZZ="$(FUZZ_NETWORK)"

$(B)/fuzz/%: regress/fuzz/%.c $$(wildcard regress/fuzz/*.h regress/unit/*.h) $$(B)/lib$$(firstword $$(subst _, ,$$*)).a $(B)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Icommon -I$(firstword $(subst _, ,$*)) -Iregress/fuzz -Iregress/unit \
	    -fsanitize=fuzzer,$(FUZZ_SAN) $(HARD_L) -o $@ $< \
	    $(B)/lib$(firstword $(subst _, ,$*)).a $(B)/libcommon.a \
	    $(LIBS_unit_$(firstword $(subst _, ,$*))) $(LIBS_common) $(LDFLAGS)

# ---- what `make bench` asks directly: regress/bench/NAME.c, with smtpd's room ----
$(B)/bench/%: regress/bench/%.c regress/unit/conf_image.h $(B)/libsmtpd.a $(B)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Icommon -Ismtpd -Iregress/unit $(HARD_L) -o $@ $< \
	    $(B)/libsmtpd.a $(B)/libcommon.a $(LIBS_unit_smtpd) $(LIBS_common) $(LDFLAGS)

# ---- installing it ----
INSTALL = B='$(B)' DESTDIR='$(DESTDIR)' SYSCONFDIR='$(SYSCONFDIR)' \
	SBINDIR='$(SBINDIR)' BINDIR='$(BINDIR)' LIBDIR='$(LIBDIR)' \
	LIBEXECDIR='$(LIBEXECDIR)' MANDIR='$(MANDIR)' DOCDIR='$(DOCDIR)' \
	CONFDIR='$(CONFDIR)' INITDIR='$(INITDIR)' UNITDIR='$(UNITDIR)' \
	SYSUSERSDIR='$(SYSUSERSDIR)' TMPFILESDIR='$(TMPFILESDIR)' \
	RUNDIR='$(RUNDIR)' SPOOLDIR='$(SPOOLDIR)' \
	SBIN='$(foreach r,$(ROOMS),$(BIN_$(r)))' \
	LIBEXEC='$(foreach r,$(ROOMS),$(EXEC_$(r)))' sh etc/install.sh

install: all
	@$(INSTALL) install

uninstall:
	@$(INSTALL) uninstall

# ---- what a compiler warns of, without making code: make syntax CC=clang ----
# Each file behind the folder of its room; SYNTAX_BUT='$(FUZZ_MADE)': but for
# those of which `make fuzz`, by clang too, says the same.
FUZZ_MADE = $(foreach r,common $(ROOMS),$(SRC_$(r))) $(FUZZ_SRC)
SYNTAX_BUT ?=
SYNTAX = $(foreach r,common $(ROOMS),$(patsubst %,-I$(r)!%,$(filter-out \
	$(SYNTAX_BUT),$(wildcard $(r)/*.c regress/unit/$(r)_*.c \
	regress/fuzz/$(r)_*.c)))) $(patsubst %,-Ismtpd!%,$(wildcard regress/bench/*.c))

syntax: packages
	@printf '%s\n' $(SYNTAX) | tr '!' ' ' | \
	    xargs -L 1 -P $$(nproc) $(CC) $(CFLAGS_ALL) $(PLACES) -fsyntax-only \
	    -Icommon -Iregress/unit -Iregress/fuzz

# ---- the Debian package: etc/debian, over a copy of the sources ----
DEB = $(B)/deb
DEB_SRC = $(wildcard common/*.[ch] $(foreach r,$(ROOMS),$(r)/*.[ch]))

deb: packages-deb
	@mkdir -p $(DEB)/postern
	@cd $(DEB) && rm -f *.deb *.changes *.buildinfo && cd postern && \
	    ls -A | grep -vx build | xargs -r rm -rf
	@cp -p --parents $(DEB_SRC) Makefile README LICENSE $(DEB)/postern
	@cp -pR etc man $(DEB)/postern
	@mv $(DEB)/postern/etc/debian $(DEB)/postern/debian
	cd $(DEB)/postern && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u MAKEOVERRIDES \
	    dpkg-buildpackage -b -us -uc -nc
	@ls $(DEB)/*.deb

clean:
	rm -rf $(B)

format:
	clang-format -i $(wildcard */*.[ch] regress/*/*.[ch])

format-check:
	clang-format --dry-run -Werror $(wildcard */*.[ch] regress/*/*.[ch])

# ---- packages and users ----
# What of a list is missing is installed by root; others are told how.
define NEED
@missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}\n' $$p 2>&1 | \
	grep -q '^install ok installed' || echo $$p; done); \
test -z "$$missing" && exit 0; \
if [ $$(id -u) != 0 ]; then \
	echo "Packages are missing. As root: apt-get install" $$missing; exit 1; \
fi; \
export DEBIAN_FRONTEND=noninteractive; \
apt-get -q update && apt-get -qy install --no-install-recommends $$missing
endef

packages-build:
	$(call NEED,$(PKGS_BUILD))

packages-run:
	$(call NEED,$(PKGS_BUILD) $(PKGS_RUN))

packages-deb:
	$(call NEED,$(PKGS_BUILD) $(PKGS_DEB))

packages:
	$(call NEED,$(PKGS_BUILD) $(PKGS_RUN) $(PKGS_TEST))

# The system users of the processes; an ordinary user does without.
users:
	@test $$(id -u) != 0 || sh etc/users.sh etc/postern.sysusers

# ---- trying it ----
run: packages-run
	$(MAKE) all users
	@sh etc/run.sh $(B)

# ---- testing it ----
PEERS ?= build/peers
PYTHON = /usr/bin/python3
PYTEST = POSTERN_BUILD=$(abspath $(B)) POSTERN_PEERS=$(abspath $(PEERS)) \
	POSTERN_SAN=$(SAN) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest \
	-c regress/pytest.ini --rootdir regress
TESTS ?= regress
TESTFLAGS ?= -q -n 6 --dist loadfile
TALLY ?=

peers: $(PKGS_PEERS:%=$(PEERS)/%)

$(PKGS_PEERS:%=$(PEERS)/%): $(PEERS)/%:
	@mkdir -p $(PEERS)
	cd $(PEERS) && rm -rf $*_*.deb $*.new && \
	    apt-get -q -o APT::Sandbox::User=root download $* && \
	    dpkg -x $*_*.deb $*.new && mv $*.new $* && rm -f $*_*.deb

test: packages
	@test $$(id -u) = 0 || { echo "make test: as root, or by sudo: the tests try the separation of privileges"; exit 1; }
	$(MAKE) all unit peers users
	@$(PYTEST) $(TESTFLAGS) $(TALLY:%=--tally=%) $(TESTS)

# ---- measuring it ----
bench: packages
	@test $$(id -u) = 0 || { echo "make bench: as root, or by sudo"; exit 1; }
	$(MAKE) all peers users $(B)/bench/lookup $(B)/bench/load $(B)/bench/verify
	@POSTERN_BUILD=$(abspath $(B)) POSTERN_PEERS=$(abspath $(PEERS)) \
	    PYTHONDONTWRITEBYTECODE=1 $(PYTHON) regress/bench/bench.py $(BENCH)

.PHONY: packages packages-build packages-run packages-deb users run peers test bench

.PHONY: all unit syntax fuzz fuzz-network install uninstall deb clean format format-check FORCE
.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
