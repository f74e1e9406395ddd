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
FLOW := $(call objects,daemon/flow/*.c) $(BUILD)/gen/statements.o
DOOR := $(call objects,daemon/door/*.c)
CTL := $(call objects,daemon/ctl*.c) $(BUILD)/gen/migrations.o
SIM := $(call objects,tests/sim/*.c)
# the rooms in the order of their includes: door → flow → care → base
ROOMS := $(BUILD)/libdoor.a $(BUILD)/libflow.a $(BUILD)/libcare.a $(BUILD)/libbase.a
GATEWAYS := $(patsubst gateways/%.c,$(BUILD)/gateways/%.so,$(wildcard gateways/*.c))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SQL := $(sort $(wildcard daemon/sql/*.sql))
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

# unit tests: cmocka, TAP; the gateways linked in under names of their own
$(BUILD)/gateways/%.static.o: gateways/%.c
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(CFLAGS_ALL) -Dadherd_gateway=adherd_gateway_$* -MMD -MP -c -o $@ $<
STATIC_GATEWAYS := $(patsubst gateways/%.c,$(BUILD)/gateways/%.static.o,$(wildcard gateways/*.c))
$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(STATIC_GATEWAYS) $(ROOMS)
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lcmocka -ldl -lm
$(BUILD)/tests/adherd-sim: $(SIM) $(BUILD)/libbase.a
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# fuzzers want clang; SAN and CC are set by the target
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(STATIC_GATEWAYS) $(ROOMS)
	@mkdir -p $(dir $@)
	$(call say,CC $@)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS) -ldl -lm

check-unit: $(UNIT)
	@for t in $(UNIT); do CMOCKA_MESSAGE_OUTPUT=TAP $$t || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all check-unit clean
.DELETE_ON_ERROR:
.SECONDARY:
