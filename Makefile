# SPDX-License-Identifier: Apache-2.0
# smcmesh: the only build file. `make help` lists the targets.

BUILD   ?= build
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PREFIX  ?= /usr/local
# .version of an archive: the version, and the commit and its date (RFC 3339)
SAID    := $(shell cat .version 2>/dev/null)
VERSION := $(or $(word 1,$(SAID)),0.1.0)
# else git says them: the last commit, and whether files differ from it
COMMIT   = $(or $(word 2,$(SAID)),$(shell git describe --always --dirty \
	--abbrev=12 --exclude='*' 2>/dev/null),unknown)
DATE     = $(or $(word 3,$(SAID)),$(shell TZ=UTC git log -1 --format=%cd \
	--date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null),unknown)
# where the test kernel, the lab's root and other large things are kept
CACHE   ?= $(if $(SMCMESH_CACHE),$(SMCMESH_CACHE),/var/cache/smcmesh)
export SMCMESH_CACHE := $(CACHE)

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

LIBS := libbpf libuv libcurl yyjson libmicrohttpd libmnl libnftables libip4tc \
	libip6tc yaml-0.1 smartcols zlib nettle
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
override BUILD := $(BUILD)/faults
FAULTDEF := -DSMCMESH_FAULTS
endif

# ABI=3: the same tree with another ABI number, for the tests of live upgrades
ABI ?=
ifneq ($(ABI),)
override BUILD := $(BUILD)/abi$(ABI)
ABIDEF := -DSMC_ABI_VERSION=$(ABI)
endif

# SELECTOR=synfilter: without hs_ctrl on kernels that have it, too (tests only)
SELECTOR ?=
ifneq ($(SELECTOR),)
override BUILD := $(BUILD)/$(SELECTOR)
SELDEF := -DSMC_WITHOUT_HS_CTRL
endif

CPPFLAGS := -Iinclude -Iuser -I$(BUILD) -D_GNU_SOURCE $(FAULTDEF) $(ABIDEF) $(SELDEF) \
	-DSMCMESH_VERSION='"$(VERSION)"'
CFLAGS  ?= -O2 -g
CFLAGS  += -std=gnu11 $(WARN) $(shell pkg-config --cflags $(LIBS) 2>/dev/null)
LDLIBS   = $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm

BPF_SRC := $(wildcard bpf/*.bpf.c)
BPF_OBJ := $(BPF_SRC:bpf/%.bpf.c=$(BUILD)/bpf/%.o)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 $(ABIDEF) $(SELDEF) -Iinclude \
	-Ivmlinux -Ibpf -I$(BUILD) -Wall -Wextra -Wno-unused-parameter \
	-Wno-missing-declarations $(if $(filter 1,$(WERROR)),-Werror) \
	$(shell pkg-config --cflags libbpf 2>/dev/null)

USER_SRC := $(wildcard user/*.c user/*/*.c)
USER_OBJ := $(USER_SRC:%.c=$(BUILD)/%.o)
# objects that a command loads, and no agent: each with a skeleton of its own
TOOL_SKEL := $(patsubst bpf/tools/%.bpf.c,$(BUILD)/%.skel.h,\
	$(wildcard bpf/tools/*.bpf.c))
SKEL := $(BUILD)/smcmesh.skel.h $(TOOL_SKEL)

# What the build needs and this machine lacks; asked once a build needs it.
MISSING = $(strip \
	$(foreach t,$(firstword $(CC)) $(firstword $(CLANG)) $(BPFTOOL) pkg-config,\
		$(if $(shell command -v $(t) 2>&1),,$(notdir $(t)))) \
	$(foreach l,$(LIBS),$(if $(shell pkg-config --exists $(l) 2>&1 || echo no),$(l))))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tools fuzz faults next-abi deps root kernel demo check check-programs \
	synfilter revision check-unit check-bpf check-net check-vm check-lab check-long check-k8s k8s \
	kernel-stock check-kernels \
	k8s-stop lint bench vm-programs \
	shell image plugin bundle install clean fmt help

all: $(BUILD)/smcmesh ## build build/smcmesh

tools:
	$(if $(MISSING),$(error the build lacks $(MISSING). On Debian 12 or 13 this \
		installs it: sudo tests/deps build))

$(BUILD)/bpf/%.o: bpf/%.bpf.c | tools
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/smcmesh.bpf.o: $(BPF_OBJ)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/smcmesh.skel.h: $(BUILD)/smcmesh.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name smcmesh_bpf > $@

$(TOOL_SKEL): $(BUILD)/%.skel.h: $(BUILD)/bpf/tools/%.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/%.o: %.c | $(SKEL)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# What is known of the commit is in main.o alone: a commit costs that and a link.
$(BUILD)/user/main.o: $(BUILD)/built.h

$(BUILD)/built.h: revision
	@mkdir -p $(@D)
	$(Q)printf '#define SMCMESH_%s "%s"\n' COMMIT "$(COMMIT)" DATE "$(DATE)" \
		ARCH "$(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))" >$@.new
	$(Q)if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

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

# with the fault points, which do nothing unless $SMCMESH_FAULT names one
$(BUILD)/unit/%.o: %.c | $(SKEL)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DSMCMESH_FAULTS -Itests/unit $(CFLAGS) -O1 $(SAN) -MMD -MP -c $< -o $@

$(UNIT_LIB): $(UNIT_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/test_%: $(BUILD)/unit/tests/unit/test_%.o $(UNIT_LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ -lcmocka $(LDLIBS)

# ---- the other tiers' programs, the bench's -------------------------------
BPF_TEST := $(patsubst tests/bpf/%.c,$(BUILD)/bpf/%,$(wildcard tests/bpf/test_*.c)) \
	$(BUILD)/bpf/inspect $(BUILD)/bpf/synrun $(BUILD)/bpf/tests/types.o
NET_PROG := $(patsubst tests/net/%.c,$(BUILD)/net/%,$(wildcard tests/net/*.c))
VM_PROG := $(NET_PROG:$(BUILD)/net/%=$(BUILD)/vm/%)
BENCH := $(addprefix $(BUILD)/bench/,overhead churn preload.so)

$(BUILD)/bpf/test_%: $(BUILD)/unit/tests/bpf/test_%.o $(UNIT_LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ -lcmocka $(LDLIBS)

# BPF programs that only tests have, each with a skeleton for its test
$(BUILD)/bpf/tests/%.o: tests/bpf/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -Itests/bpf -MMD -MP -c $< -o $@

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/tests/%.o
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/unit/tests/bpf/test_verdict.o: $(BUILD)/bpf/verdict.skel.h
$(BUILD)/unit/tests/bpf/test_ration.o: $(BUILD)/bpf/ration.skel.h
$(BUILD)/unit/tests/bpf/test_quarantine.o: $(BUILD)/bpf/quarantine.skel.h
$(BUILD)/unit/tests/bpf/test_answers.o: $(BUILD)/bpf/answers.skel.h
$(BUILD)/unit/tests/bpf/test_path.o: $(BUILD)/bpf/path.skel.h

# without sanitizers: it also runs in the lab
$(BUILD)/bpf/inspect $(BUILD)/bpf/synrun: $(BUILD)/bpf/%: $(BUILD)/tests/bpf/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -lbpf

# every type of vmlinux.h: the compiler leaves out those that nobody uses
$(BUILD)/bpf/tests/types.o: vmlinux/vmlinux.h
	@mkdir -p $(@D)
	$(Q)awk 'BEGIN { print "#include <vmlinux.h>" } \
		/^(struct|enum) [a-z0-9_]+ \{/ { print $$1, $$2, "v_" $$2 ";" }' \
		$< > $(@:.o=.c)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $(@:.o=.c) -o $@

$(BUILD)/net/%: $(BUILD)/unit/tests/net/%.o $(UNIT_LIB)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ -lcmocka $(LDLIBS)

# The same without sanitizers, with the fault points, for the lab: an emulated
# processor takes minutes for what ASan does, and the net tier has done it.
$(BUILD)/tests/net/%.o: CPPFLAGS += -Itests/unit

$(BUILD)/vm/%: $(BUILD)/tests/net/%.o $(filter-out $(BUILD)/user/main.o,$(USER_OBJ))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$(BUILD)/bench/%: tests/bench/%.c | $(SKEL)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(if $(filter overhead,$*),$(LDLIBS),-static)

# it holds the BPF object
$(BUILD)/bench/overhead: $(SKEL)

$(BUILD)/bench/%.so: tests/bench/%.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $< -ldl

# ---- what people type ------------------------------------------------------
export SMCMESH_BUILD := $(abspath $(BUILD))
SMCLAB := PYTHONPATH=tests/lib PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m smclab
# a sub-make gets its own jobs unless the caller said how many
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

faults: ## build/faults/smcmesh, with fault points; build/faults/vm (tests only)
	+$(Q)$(SUBMAKE) FAULTS=1 all vm-programs

vm-programs: $(VM_PROG)

next-abi: ## build/abi3/smcmesh, the tree with another ABI number (tests only)
	+$(Q)$(SUBMAKE) ABI=3 all

synfilter: ## build/synfilter/smcmesh, which knows no hs_ctrl (tests only)
	+$(Q)$(SUBMAKE) SELECTOR=synfilter all

deps: ## install what is missing, by package name; says first what it adds
	$(Q)tests/deps

kernel: ## find the test kernel, or build it (13 minutes)
	$(Q)tests/kernel/build

kernel-stock: root ## Debian's own 6.12 for VMs, from its package (110 MB)
	$(Q)$(SMCLAB) kernel stock

root: ## make the lab's private root file system (2 minutes)
	$(Q)$(SMCLAB) root

# in this order, also with -j; pkg-config is asked again after deps
define READY
	$(Q)tests/deps
	$(Q)tests/kernel/build
	$(Q)$(SMCLAB) root
	$(Q)$(SMCLAB) kernel stock
endef

# what a cluster needs besides: its programs (15 minutes, once), its nodes' root
define READY_K8S
	$(READY)
	$(Q)tests/k8s/build >/dev/null
	$(Q)$(SMCLAB) root k8s
endef

demo: ## two nodes, real programs, plain and annotated pods in turns (as root)
	$(READY)
	+$(Q)$(SUBMAKE) all
	$(Q)/usr/bin/python3 tests/demo/run.py

# the tests need a kernel with all of the fragment, the demo takes any
check check-vm check-lab check-long check-kernels: export SMCMESH_KERNEL_WHOLE := 1

check: ## packages, build with -Werror, lint, all tiers (as root)
	$(READY_K8S)
	+$(Q)$(SUBMAKE) WERROR=1 all faults next-abi synfilter check-programs image
	$(Q)tests/run

check-programs: $(UNIT_BIN) $(BPF_TEST) $(NET_PROG)

check-unit: ## unit tests, under 30 s once they are built, no root
	+$(Q)$(SUBMAKE) $(UNIT_BIN)
	$(Q)tests/run unit

check-bpf: all $(BPF_TEST) kernel root ## the BPF programs alone (as root)
	$(Q)tests/run bpf

check-net: all faults $(NET_PROG) ## this machine's own kernel (as root)
	$(Q)tests/run --short net

check-vm: all faults next-abi synfilter kernel root kernel-stock $(BUILD)/bpf/inspect ## one virtual machine: a node (as root)
	$(Q)tests/run --short vm

check-lab: all faults kernel root kernel-stock ## two virtual machines: two nodes (as root)
	$(Q)tests/run --short lab

# of these tiers what `make check`, check-net, check-vm and check-lab leave out
check-long: all faults next-abi synfilter kernel root kernel-stock $(BUILD)/bpf/synrun ## what takes long, here and in VMs (as root)
	$(Q)tests/deps browser
	$(Q)tests/run --long bpf net vm lab

check-kernels: all faults next-abi root $(BUILD)/bpf/inspect ## what holds on every kernel, on each of them, as a matrix (as root)
	$(Q)tests/kernels

k8s: ## a Kubernetes of two nodes to play with, until k8s-stop (as root)
	$(READY_K8S)
	+$(Q)$(SUBMAKE) all image
	$(Q)$(SMCLAB) k8s start

k8s-stop: ## end what `make k8s` started
	$(Q)$(SMCLAB) k8s stop

check-k8s: ## in a Kubernetes, also what `make check` has no time for (as root)
	$(READY_K8S)
	$(Q)tests/deps browser
	+$(Q)$(SUBMAKE) all image
	$(Q)tests/run k8s

lint: ## layout, shell, Python, licences, lengths, layers
	$(Q)tests/run lint

bench: all $(BENCH) kernel root ## what it costs and gains, with the goals beside it (as root)
	$(Q)/usr/bin/python3 tests/bench/run.py

shell: all kernel root ## a shell in a virtual machine with the lab's root
	$(Q)$(SMCLAB) shell

fmt: ## lay out the C sources
	$(Q)find user bpf include tests -name '*.[ch]' -exec clang-format-19 -i {} +

FUZZ_SECONDS ?= 60
FUZZ_SRC := tests/fuzz/fuzz_decode.c $(wildcard user/objects/decode*.c) \
	user/objects/fields.c user/objects/json.c user/objects/kinds.c $(wildcard user/mesh/*.c user/base/*.c)
fuzz: ## damaged Lists into the decoder for FUZZ_SECONDS (needs libclang-rt-dev)
	@mkdir -p $(BUILD)/fuzz/found
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu11 -g -O1 $(SAN) -fsanitize=fuzzer $(FUZZ_SRC) \
		$(shell pkg-config --cflags --libs yyjson) -o $(BUILD)/fuzz/decode
	$(Q)$(BUILD)/fuzz/decode -max_total_time=$(FUZZ_SECONDS) -max_len=20000 \
		$(BUILD)/fuzz/found tests/fuzz/corpus

IMAGE ?=
image: all ## the container image, build/smcmesh.oci.tar; IMAGE=name: another name
	$(Q)tests/deps image
	$(Q)deploy/image/build $(BUILD) $(IMAGE)

URI ?=
PLUGIN := $(BUILD)/kubectl-smcmesh.tar.gz
plugin: ## kubectl-smcmesh for krew: archive and manifest in build/; URI=where it will be
	$(if $(URI),,$(error say where the archive will be: make plugin URI=https://...))
	@mkdir -p $(BUILD)
	$(Q)tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 -c \
		-C deploy/kubectl kubectl-smcmesh -C $(CURDIR) LICENSE | gzip -9n >$(PLUGIN)
	$(Q)sum=$$(sha256sum <$(PLUGIN)) && sed -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@URI@|$(URI)|' -e "s|@SHA256@|$${sum%% *}|" \
		deploy/kubectl/krew.yaml >$(BUILD)/smcmesh.yaml

bundle: all ## one archive for a node that is not Debian, build/smcmesh-*.tar.gz
	$(Q)deploy/bundle/build $(BUILD) $(VERSION)

install: all ## program, manual, completions and systemd units, below DESTDIR/PREFIX
	$(Q)install -D -m 755 $(BUILD)/smcmesh $(DESTDIR)$(PREFIX)/bin/smcmesh
	$(Q)for unit in smcmesh smcmesh-node-setup; do \
		sed 's|/usr/local/bin/|$(PREFIX)/bin/|' deploy/systemd/$$unit.service \
			> $(BUILD)/$$unit.service && \
		install -D -m 644 $(BUILD)/$$unit.service \
			$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit.service || exit; \
	done
	$(Q)install -D -m 644 user/cli/smcmesh.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8/smcmesh.8
	$(Q)deploy/completions $(BUILD)/smcmesh $(DESTDIR)$(PREFIX)/share

clean: ## remove the build directory; the cache stays
	$(Q)rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))
	@echo "  V=1 shows commands; BUILD=dir, PREFIX=dir; SMCMESH_CACHE, SMCMESH_KERNEL"

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
