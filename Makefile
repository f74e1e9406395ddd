# adherd: build, test, demo, install.  `make help` lists the targets.

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
PKGS := libpq libcurl libevent glib-2.0 libutf8proc
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lmbedcrypto -lm

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wundef \
	-Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -Werror
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full
OPT ?= -O2 -g
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -fPIC $(OPT) $(if $(SAN),,$(HARDEN)) \
	$(WARN) -Idaemon -I. $(patsubst -I%,-isystem %,$(PKG_CFLAGS)) \
	-DADHERD_VERSION='"$(VERSION)"' $(SAN) $(CFLAGS)
LDFLAGS_ALL := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SAN) $(LDFLAGS)

# one line a step; V=1 shows the commands
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)')

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
BASE := $(call objects,daemon/base/*.c)
CARE := $(call objects,daemon/care/*.c) $(BUILD)/gen/replies.o
FLOW := $(call objects,daemon/flow/*.c) $(BUILD)/gen/statements.o $(BUILD)/gen/words.o
DOOR := $(call objects,daemon/door/*.c)
DAEMON := $(call objects,daemon/main*.c)
CTL := $(call objects,daemon/ctl*.c) $(BUILD)/gen/migrations.o
SIM := $(call objects,tests/sim/*.c)
# the rooms in the order of their includes: door → flow → care → base
ROOMS := $(BUILD)/libdoor.a $(BUILD)/libflow.a $(BUILD)/libcare.a $(BUILD)/libbase.a
GATEWAYS := $(patsubst gateways/%.c,$(BUILD)/gateways/%.so,$(wildcard gateways/*.c))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SQL := $(sort $(wildcard daemon/sql/*.sql))
WORDS := $(sort $(wildcard templates/words/*.txt))
REPLIES := $(sort $(wildcard daemon/care/reply/*.rules))
MIGRATIONS := $(sort $(wildcard migrations/[0-9]*.sql))

all: $(BUILD)/adherd $(BUILD)/adherctl $(GATEWAYS)

$(BUILD)/libbase.a: $(BASE)
$(BUILD)/libcare.a: $(CARE)
$(BUILD)/libflow.a: $(FLOW)
$(BUILD)/libdoor.a: $(DOOR)
$(BUILD)/lib%.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/gen/statements.c: daemon/embed.sh $(SQL)
	@mkdir -p $(dir $@)
	$(Q)daemon/embed.sh statements $@ $(SQL)
$(BUILD)/gen/migrations.c: daemon/embed.sh $(MIGRATIONS)
	@mkdir -p $(dir $@)
	$(Q)daemon/embed.sh migrations $@ $(MIGRATIONS)
$(BUILD)/gen/words.c: daemon/embed.sh $(WORDS)
	@mkdir -p $(dir $@)
	$(Q)daemon/embed.sh words $@ $(WORDS)
$(BUILD)/gen/replies.c: daemon/embed.sh $(REPLIES)
	@mkdir -p $(dir $@)
	$(Q)daemon/embed.sh replies $@ $(REPLIES)
# ISO C promises strings of 4095 bytes; statements are longer
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(call say,CC $@)
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-overlength-strings -MMD -MP -c -o $@ $<

$(BUILD)/adherd: $(DAEMON) $(ROOMS)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -ldl
$(BUILD)/adherctl: $(CTL) $(ROOMS)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -ldl
$(BUILD)/gateways/%.so: $(BUILD)/gateways/%.o
	$(call say,CC $@)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -o $@ $< $(GATEWAY_LIBS)
# what some plug-ins need, and nothing else does
$(BUILD)/gateways/wechat_oa.so $(BUILD)/gateways/wechat_mini.so \
    $(BUILD)/gateways/wecom.so: GATEWAY_LIBS := -lexpat

# ---- what a newcomer types ----

help:
	@echo 'make             build adherd, adherctl and the gateways in build/'
	@echo 'make demo        install what it needs, run everything on loopback'
	@echo 'make test        install what it needs, run the tests'
	@echo 'make likely      learn the weights of replies'"'"' words'
	@echo 'make test-faults kill, crash and restart under load: the long ones'
	@echo 'make test-oracles  vendors'"'"' own SDKs against the simulator; promtool, lintian'
	@echo 'make soak        half an hour of every fault at once'
	@echo 'make bench       drains beside a reference line: rates, ratios, CPU, memory;'
	@echo '                 ten minutes; bench-million takes longer'
	@echo 'make fuzz        every fuzzer for FUZZ_SECONDS (30) each'
	@echo 'make lint        formatting, clang-tidy, cppcheck, shellcheck, mandoc'
	@echo 'make install     into DESTDIR PREFIX (/usr/local)'
	@echo 'make deb         a Debian package, in build/'
	@echo 'make clean       remove build/'
	@echo 'variables: BUILD=build CC=gcc SAN=-fsanitize=… V=1'

demo: deps-build
	@$(MAKE) --no-print-directory all $(BUILD)/tests/adherd-sim
	@tests/demo/demo.sh $(BUILD)

# packages; says what it installs, quick when all is there
deps-build:
	@tests/packages.sh build
deps-test:
	@tests/packages.sh build test deb
deps-deb:
	@tests/packages.sh build deb
deps-learn:
	@tests/packages.sh learn
deps-oracles:
	@tests/packages.sh build test deb oracles

# ---- tests ----

# objects before the libraries that they need
in_order = $(filter %.o,$^) $(filter %.a,$^)

# unit tests: cmocka, TAP; the gateways linked in under names of their own
$(BUILD)/gateways/%.static.o: gateways/%.c
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(CFLAGS_ALL) -Dadherd_gateway=adherd_gateway_$* -MMD -MP -c -o $@ $<
STATIC_GATEWAYS := $(patsubst gateways/%.c,$(BUILD)/gateways/%.static.o,$(wildcard gateways/*.c))
$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(STATIC_GATEWAYS) $(ROOMS)
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(in_order) $(PKG_LIBS) -lexpat -lcmocka -ldl -lm
$(BUILD)/tests/sim/views.o: tests/sim/phones.html
$(BUILD)/tests/adherd-sim: $(SIM) $(BUILD)/libbase.a
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
# what a fuzzer is made of, without clang: so that it always compiles
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(STATIC_GATEWAYS) $(ROOMS)
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $(in_order) $(PKG_LIBS) -lexpat -ldl -lm

# random lives stand behind a fuzzer and a test
$(BUILD)/tests/test_lives $(BUILD)/fuzz/fuzz_plan: $(BUILD)/tests/life/life.o

# plug-ins that misbehave on purpose, for tests; never installed
PLUGINS := $(patsubst tests/plugins/%.c,$(BUILD)/tests/plugins/%.so,$(wildcard tests/plugins/*.c))
$(BUILD)/tests/plugins/%.so: tests/plugins/%.c
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(CFLAGS_ALL) -Igateways -MMD -MP -shared $(LDFLAGS_ALL) -o $@ $<

# what benchmarks measure with
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/tests/adherd-%,$(wildcard tests/bench/*.c))
$(BUILD)/tests/adherd-%: $(BUILD)/tests/bench/%.o $(ROOMS)
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(in_order) $(PKG_LIBS) -ldl

# what replies' words weigh, learned from all labelled ones but those that are
# held out to measure by; how far rules are to be trusted, from those that no
# rule was made from
replies = $(patsubst %,tests/replies/%.jsonl,$(1))
HELD_OUT := $(call replies,thirds streets porch shores ferries mailbox)
UNRULED := $(call replies,harm refusals answers items talk abroad lanes fields fifty \
    idioms beside topics short kin onward ailments asked told ills brief wrapped \
    south north elliptic hints homes gossip young old)
LEARNED := $(filter-out $(HELD_OUT),$(sort $(wildcard tests/replies/*.jsonl)))
$(BUILD)/tests/features: $(BUILD)/tests/replies/features.o $(BUILD)/libcare.a $(BUILD)/libbase.a
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(in_order) $(PKG_LIBS)
likely: $(BUILD)/tests/features deps-learn
	$(BUILD)/tests/features labels >$(BUILD)/labels
	$(BUILD)/tests/features $(LEARNED) >$(BUILD)/features
	tests/replies/learn.py $(BUILD)/features $(BUILD)/labels $(UNRULED) \
	    >$(BUILD)/likely.rules
	mv $(BUILD)/likely.rules daemon/care/reply/likely.rules

everything: all $(UNIT) $(PLUGINS) $(BUILD)/tests/adherd-sim $(BENCH)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

test: deps-test
	@$(MAKE) --no-print-directory -j2 everything
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/clang CC=clang OPT=-O1 everything
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/san OPT='-O1 -g' SAN='$(SANITIZERS)' everything
	@BUILD=$(BUILD) tests/run-all.sh

# builds that can be told to break: daemon/base/fault.h
test-faults: deps-test
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/faults \
	    CFLAGS='$(CFLAGS) -DADHERD_FAULTS' everything
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/faultssan \
	    CFLAGS='$(CFLAGS) -DADHERD_FAULTS' OPT='-O1 -g' \
	    SAN='$(SANITIZERS)' all $(BUILD)/faultssan/tests/adherd-sim
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/san OPT='-O1 -g' SAN='$(SANITIZERS)' everything
	@tests/faults/run.sh $(BUILD)/faults $(BUILD)/san

# what others say of us: vendors' SDKs, promtool and Prometheus, lintian
test-oracles: deps-oracles
	@$(MAKE) --no-print-directory -j2 everything
	@BUILD=$(BUILD) tests/run.sh tests/oracles/run.sh \
	    tests/monitoring/test_monitoring.py tests/package/test_deb.sh

# half an hour (SOAK_SECONDS) of everything at once, by three copies
soak: deps-test
	@$(MAKE) --no-print-directory -j2 everything
	@BUILD=$(BUILD) tests/faults/soak.py

# BENCH_PEOPLE (20000) and BENCH_MANY (100000) at a time, beside the reference
# line; CASES="plain many" does these alone, STATEMENTS=1 tells where the
# server's time goes
bench: deps-test
	@$(MAKE) --no-print-directory -j2 all $(BENCH) $(BUILD)/tests/adherd-sim
	@BUILD=$(BUILD) tests/bench/bench.py $(CASES)
bench-million:
	@BENCH_MILLION=1 $(MAKE) --no-print-directory bench

FUZZ_SECONDS ?= 30
fuzz: deps-test
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/fuzzing CC=clang \
	    OPT='-O1 -g' SAN='$(SANITIZERS) -fsanitize=fuzzer-no-link' fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $(BUILD)/fuzzing/fuzz
fuzzers: $(FUZZ)

lint: deps-test
	@tests/lint.sh

# ---- install ----

# where the installed daemon finds its plug-ins and texts: settings.o is made
# again when that changes
$(BUILD)/gen/prefix: FORCE
	@mkdir -p $(dir $@)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
$(BUILD)/daemon/flow/settings.o: $(BUILD)/gen/prefix
$(BUILD)/daemon/flow/settings.o: CFLAGS_ALL += \
	-DADHERD_TEMPLATE_DIR='"$(PREFIX)/share/adherd/templates"' \
	-DADHERD_PLUGIN_DIR='"$(PREFIX)/lib/adherd/gateways"'

# adherd(8) with a paragraph for each alarm
$(BUILD)/gen/adherd.8: daemon/adherd.8 \
    $(wildcard systemd/monitoring/alarms.mdoc) $(BUILD)/gen/prefix
	$(Q)sed -e '/^\.\\" ALARMS$$/r $(or $(filter %.mdoc,$^),/dev/null)' \
	    -e '/^\.\\" ALARMS$$/d' -e 's|@PREFIX@|$(PREFIX)|' $< >$@
$(BUILD)/gen/adherd.conf.5: $(BUILD)/adherd $(GATEWAYS)
	$(Q)$< --manual=$(BUILD)/gateways >$@
$(BUILD)/gen/adherd.conf.example: $(BUILD)/adherd $(GATEWAYS)
	$(Q)$< --example=$(BUILD)/gateways >$@
$(BUILD)/gen/completion: systemd/completion.sh $(BUILD)/adherctl $(BUILD)/adherd
	$(Q)systemd/completion.sh $(BUILD)/adherctl $(BUILD)/adherd >$@
PAGES := $(BUILD)/gen/adherd.8 $(BUILD)/gen/adherd.conf.5

ROOT := $(DESTDIR)$(PREFIX)
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
UNITS := $(wildcard systemd/*.service systemd/*.timer systemd/*.socket)
install: all $(PAGES) $(BUILD)/gen/adherd.conf.example $(BUILD)/gen/completion
	install -d $(ROOT)/bin $(ROOT)/sbin $(ROOT)/include/adherd \
	    $(ROOT)/lib/adherd/gateways $(ROOT)/lib/sysusers.d \
	    $(ROOT)/lib/tmpfiles.d $(ROOT)/share/adherd/monitoring \
	    $(ROOT)/share/bash-completion/completions $(ROOT)/share/doc/adherd \
	    $(addprefix $(ROOT)/share/man/man,1 3 5 8) $(DESTDIR)$(UNIT_DIR)
	install -m 755 $(BUILD)/adherd $(ROOT)/sbin
	install -m 755 $(BUILD)/adherctl $(ROOT)/bin
	install -m 644 $(GATEWAYS) $(ROOT)/lib/adherd/gateways
	install -m 644 gateways/gateway.h $(ROOT)/include/adherd
	install -m 644 daemon/adherctl.1 $(ROOT)/share/man/man1
	install -m 644 gateways/gateway.3 $(ROOT)/share/man/man3
	install -m 644 $(BUILD)/gen/adherd.conf.5 $(ROOT)/share/man/man5
	install -m 644 $(BUILD)/gen/adherd.8 $(ROOT)/share/man/man8
	install -m 644 $(BUILD)/gen/completion $(ROOT)/share/bash-completion/completions/adherctl
	ln -sf adherctl $(ROOT)/share/bash-completion/completions/adherd
	install -m 644 $(BUILD)/gen/adherd.conf.example $(ROOT)/share/doc/adherd
	install -m 644 systemd/sysusers.conf $(ROOT)/lib/sysusers.d/adherd.conf
	install -m 644 systemd/tmpfiles.conf $(ROOT)/lib/tmpfiles.d/adherd.conf
	@for unit in $(UNITS); do \
	    sed -e 's|@SBINDIR@|$(PREFIX)/sbin|' -e 's|@BINDIR@|$(PREFIX)/bin|' \
	        $$unit | install -m 644 /dev/stdin \
	            $(DESTDIR)$(UNIT_DIR)/$${unit##*/} || exit; done
	install -m 644 systemd/listener.sql $(ROOT)/share/adherd
	cp -R templates $(ROOT)/share/adherd
	@find systemd/monitoring -name '*.mdoc' -o -type f -print 2>/dev/null | \
	    while read -r file; do install -D -m 644 $$file \
	        $(ROOT)/share/adherd/$${file#systemd/} || exit; done
	chmod -R u=rwX,go=rX $(ROOT)/share/adherd

clean:
	rm -rf $(BUILD)

# the package builds as Debian builds, in a tree of its own
DEB := $(BUILD)/deb/adherd-$(VERSION)
deb: deps-deb
	@rm -rf $(BUILD)/deb
	@mkdir -p $(DEB)
	@cp -R daemon gateways migrations templates systemd Makefile README.md \
	    LICENSE NOTICE $(DEB)
	@mv $(DEB)/systemd/debian $(DEB)/debian
	@cd $(DEB) && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD \
	    dpkg-buildpackage -us -uc -b
	@cp $(BUILD)/deb/*.deb $(BUILD)/
	@lintian --allow-root --fail-on error,warning --tag-display-limit 0 \
	    $(BUILD)/deb/*.changes

-include $(shell find $(BUILD) -path $(BUILD)/deb -prune -o \
	-type f -name '*.d' -print 2>/dev/null)
.PHONY: all help demo deps-build deps-test deps-deb deps-learn deps-oracles everything test \
	test-faults test-oracles soak bench bench-million fuzz fuzzers likely lint install deb clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
