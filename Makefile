# SPDX-License-Identifier: Apache-2.0
# smcmesh: the only build file. `make help` lists the targets.

BUILD   ?= build
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PREFIX  ?= /usr/local
VERSION := $(shell cat .version 2>/dev/null || echo 0.1.0)
# where the test kernel, the lab's root and other large things are kept
CACHE   ?= $(if $(SMCMESH_CACHE),$(SMCMESH_CACHE),/var/cache/smcmesh)
export SMCMESH_CACHE := $(CACHE)

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

LIBS := libbpf libuv libcurl yyjson libmicrohttpd libmnl libnftables
WARN := -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2 -Wpointer-arith
# CI and `make check` build with WERROR=1
WERROR ?= 0
ifeq ($(WERROR),1)
WARN += -Werror
endif
# FAULTS=1: build the fault points in (base/fault.h); goes to its own directory
FAULTS ?= 0
ifeq ($(FAULTS),1)
BUILD := $(BUILD)/faults
FAULTDEF := -DSMCMESH_FAULTS
endif

CPPFLAGS := -Iinclude -Iuser -I$(BUILD) -D_GNU_SOURCE $(FAULTDEF) \
	-DSMCMESH_VERSION='"$(VERSION)"'
CFLAGS  ?= -O2 -g
CFLAGS  += -std=gnu11 $(WARN) $(shell pkg-config --cflags $(LIBS) 2>/dev/null)
LDLIBS   = $(shell pkg-config --libs $(LIBS) 2>/dev/null)

BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_OBJ := $(BPF_SRC:bpf/%.bpf.c=$(BUILD)/bpf/%.o)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Iinclude \
	-Ivmlinux -Ibpf -I$(BUILD) -Wall -Wextra -Wno-unused-parameter \
	-Wno-missing-declarations $(if $(filter 1,$(WERROR)),-Werror) \
	$(shell pkg-config --cflags libbpf 2>/dev/null)

USER_SRC := $(wildcard user/*.c user/*/*.c)
USER_OBJ := $(USER_SRC:%.c=$(BUILD)/%.o)
SKEL := $(BUILD)/smcmesh.skel.h

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo check check-unit check-bpf check-net check-vm check-lab \
	lint bench shell install clean fmt help

all: $(BUILD)/smcmesh ## build build/smcmesh

$(BUILD)/bpf/%.o: bpf/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/smcmesh.bpf.o: $(BPF_OBJ)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/smcmesh.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name smcmesh_bpf > $@

$(BUILD)/%.o: %.c | $(SKEL)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/smcmesh: $(USER_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- unit tests: cmocka, ASan and UBSan, no root ---------------------------
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
UNIT_LIB := $(BUILD)/unit/libsmcmesh.a
UNIT_OBJ := $(patsubst %.c,$(BUILD)/unit/%.o,$(filter-out user/main.c,$(USER_SRC)))

$(BUILD)/unit/%.o: %.c | $(SKEL)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) -O1 $(SAN) -MMD -MP -c $< -o $@

$(UNIT_LIB): $(UNIT_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/test_%: $(BUILD)/unit/tests/unit/test_%.o $(UNIT_LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ -lcmocka $(LDLIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
