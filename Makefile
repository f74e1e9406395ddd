# adherd: build, test, demo, install.  `make help` lists the targets.

VERSION := 0.1.0
BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
PKGS := libpq libcurl libevent glib-2.0 libutf8proc
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lmbedcrypto

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
CARE := $(call objects,daemon/care/*.c)
FLOW := $(call objects,daemon/flow/*.c) $(BUILD)/gen/statements.o $(BUILD)/gen/words.o
DOOR := $(call objects,daemon/door/*.c)
CTL := $(call objects,daemon/ctl*.c) $(BUILD)/gen/migrations.o
SIM := $(call objects,tests/sim/*.c)
# the rooms in the order of their includes: door → flow → care → base
ROOMS := $(BUILD)/libdoor.a $(BUILD)/libflow.a $(BUILD)/libcare.a $(BUILD)/libbase.a
GATEWAYS := $(patsubst gateways/%.c,$(BUILD)/gateways/%.so,$(wildcard gateways/*.c))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SQL := $(sort $(wildcard daemon/sql/*.sql))
WORDS := $(sort $(wildcard templates/words/*.txt))
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
# ISO C promises strings of 4095 bytes; statements are longer
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(call say,CC $@)
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-overlength-strings -MMD -MP -c -o $@ $<

$(BUILD)/adherd: $(BUILD)/daemon/main.o $(ROOMS)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -ldl
$(BUILD)/adherctl: $(CTL) $(ROOMS)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -ldl
$(BUILD)/gateways/%.so: $(BUILD)/gateways/%.o
	$(call say,CC $@)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -o $@ $<

# ---- what a newcomer types ----

help:
	@echo 'make             build adherd, adherctl and the gateways in build/'
	@echo 'make demo        install what it needs, run everything on loopback'
	@echo 'make test        install what it needs, run the tests'
	@echo 'make test-faults kill, crash and restart under load: the long ones'
	@echo 'make test-oracles  vendors'"'"' own SDKs against the simulator'
	@echo 'make fuzz        every fuzzer for FUZZ_SECONDS (30) each'
	@echo 'make lint        formatting, clang-tidy, cppcheck, shellcheck, mandoc'
	@echo 'make install     into DESTDIR PREFIX (/usr/local)'
	@echo 'make clean       remove build/'
	@echo 'variables: BUILD=build CC=gcc SAN=-fsanitize=… V=1'

demo: deps-build
	@$(MAKE) --no-print-directory all $(BUILD)/tests/adherd-sim
	@tests/demo/demo.sh $(BUILD)

# packages; says what it installs, quick when all is there
deps-build:
	@tests/packages.sh build
deps-test:
	@tests/packages.sh build test
deps-oracles:
	@tests/packages.sh build test oracles

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
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(in_order) $(PKG_LIBS) -lcmocka -ldl -lm
$(BUILD)/tests/adherd-sim: $(SIM) $(BUILD)/libbase.a
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
# what a fuzzer is made of, without clang: so that it always compiles
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(STATIC_GATEWAYS) $(ROOMS)
	@mkdir -p $(dir $@)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $(in_order) $(PKG_LIBS) -ldl -lm

# random lives stand behind a fuzzer and a test
$(BUILD)/tests/test_lives $(BUILD)/fuzz/fuzz_plan: $(BUILD)/tests/life/life.o

everything: all $(UNIT) $(BUILD)/tests/adherd-sim
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

test: deps-test
	@$(MAKE) --no-print-directory -j2 everything
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/clang CC=clang OPT=-O1 everything
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/san OPT='-O1 -g' SAN='$(SANITIZERS)' everything
	@BUILD=$(BUILD) tests/run-all.sh

test-faults: deps-test
	@$(MAKE) --no-print-directory -j2 everything
	@BUILD=$(BUILD) tests/run.sh -c $(sort $(wildcard tests/faults/test_*.py))

test-oracles: deps-oracles
	@$(MAKE) --no-print-directory -j2 $(BUILD)/tests/adherd-sim
	@BUILD=$(BUILD) tests/run.sh tests/oracles/run.sh

FUZZ_SECONDS ?= 30
fuzz: deps-test
	@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/fuzzing CC=clang \
	    OPT='-O1 -g' SAN='$(SANITIZERS) -fsanitize=fuzzer-no-link' fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $(BUILD)/fuzzing/fuzz
fuzzers: $(FUZZ)

lint: deps-test
	@tests/lint.sh

# ---- install ----

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
	    $(DESTDIR)$(PREFIX)/lib/adherd/gateways \
	    $(DESTDIR)$(PREFIX)/share/adherd $(DESTDIR)$(PREFIX)/include/adherd \
	    $(DESTDIR)$(PREFIX)/share/man/man3 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 755 $(BUILD)/adherd $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(BUILD)/adherctl $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(GATEWAYS) $(DESTDIR)$(PREFIX)/lib/adherd/gateways
	install -m 644 gateways/gateway.h $(DESTDIR)$(PREFIX)/include/adherd
	install -m 644 gateways/gateway.3 $(DESTDIR)$(PREFIX)/share/man/man3
	$(BUILD)/adherd --manual >$(DESTDIR)$(PREFIX)/share/man/man5/adherd.conf.5
	cp -R templates $(DESTDIR)$(PREFIX)/share/adherd

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all help demo deps-build deps-test deps-oracles everything test \
	test-faults test-oracles fuzz fuzzers lint install clean
.DELETE_ON_ERROR:
.SECONDARY:
