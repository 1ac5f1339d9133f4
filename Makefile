# SPDX-License-Identifier: GPL-2.0-only
# The top of shmring: "make help" says what can be made. Each of kmod, lib, tools and
# selftests also builds by itself; this file knows how they depend on each other.

top := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
BUILD ?= $(top)/build
override BUILD := $(abspath $(BUILD))
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr/local%,$(PREFIX)),/etc,$(PREFIX)/lib)
KERNEL ?= 6.1
NEWER ?= 6.12
export BUILD PREFIX DESTDIR

# Without V=1 only what happens is told, not how.
V ?= 0
ifeq ($(V),0)
Q := @
MAKEFLAGS += --no-print-directory
sub = +$(Q)echo "  MAKE    $(1)"; $(MAKE) -s -C $(1)
else
Q :=
sub = +$(MAKE) -C $(1)
endif

all: lib tools modules

help:
	@echo 'Building (output goes to build/):'
	@echo '  all             - lib, tools and modules (the default)'
	@echo '  lib             - libshmring.so and libshmring.a'
	@echo '  tools           - the shmring program'
	@echo '  modules         - shmring.ko for the running kernel; KVER=release or'
	@echo '                    KDIR=dir for another; the test kernel if there are no headers'
	@echo '  samples         - modules that use shmring, and their programs (kmod/samples)'
	@echo '  selftests       - the test programs'
	@echo ''
	@echo 'Seeing:'
	@echo '  demo            - a tour in two parts: the module in a guest with two NUMA'
	@echo '                    nodes, then the module-free backend here, measured'
	@echo '  bench           - producer and consumer, measured here and now'
	@echo '  bench-peers     - against DPDK, Concurrency Kit, Boost, iceoryx, moodycamel, which are'
	@echo '                    installed for it, and what the kernel has'
	@echo '  bench-bpf       - kernel events through shmring and BPF'"'"'s ring buffer, in a guest'
	@echo ''
	@echo 'Testing (nothing is loaded into this kernel):'
	@echo '  check           - lint, check-fast, check-vm, a part of the module'"'"'s tests on a newer'
	@echo '                    kernel (NEWER=6.12), and a part of check-numa'
	@echo '  check-fast      - library and tools on the module-free backend, no guest'
	@echo '  check-vm        - module, library and tools in a guest; KERNEL=6.1 (default), 6.12'
	@echo '  check-numa      - placement in guests with 4 nodes, and with nodes without memory'
	@echo '  check-all       - the module on every kernel: 6.1, 6.12, the newest that Debian'
	@echo '                    has, aarch64; and compiled by clang; check-trace'
	@echo '  check-trace     - Documentation/shmring.bt, by bpftrace in a guest'
	@echo '  lint            - checkpatch, sparse, W=1, clang, coccinelle, shellcheck, ABI...'
	@echo '  lint-more       - clang-tidy and cppcheck, which take minutes'
	@echo '  check-debug     - check-vm on kernels built here from source, with KASAN,'
	@echo '                    lockdep, kmemleak and failing allocations, and with KCSAN;'
	@echo '                    fuzzer, stress-ng and trinity for minutes: hours, all in all'
	@echo '  coverage        - which lines of the module the tests reach'
	@echo '  stress          - kill storms, blocking rounds, order and scribbling peers for long, on'
	@echo '                    the module-free backend; STRESS= times as much (500: 10^6 rounds)'
	@echo '  litmus          - every barrier pair judged by herd7 (downloads it)'
	@echo '  check-aarch64   - the ring core as aarch64 programs, under qemu'
	@echo '  check-deb       - the packages of "make deb" in a fresh Debian 12: install, use,'
	@echo '                    compile against, build the module by dkms, purge'
	@echo '  fuzz            - the ring core under libFuzzer; FUZZ_SECONDS= each'
	@echo '  vm-shell        - a shell in the guest'
	@echo ''
	@echo 'Installing and cleaning:'
	@echo '  install         - lib, tools, headers, manual pages, documents, udev rule;'
	@echo '                    DESTDIR= PREFIX= DOCDIR=;'
	@echo '                    as root and without DESTDIR also ldconfig, the group, udev'"'"'s reload'
	@echo '  modules_install - shmring.ko; INSTALL_MOD_PATH='
	@echo '  uninstall       - remove what install brought; the same DESTDIR= PREFIX= DOCDIR='
	@echo '  deb             - Debian packages of all of it, in build/deb; the module by dkms'
	@echo '  clean           - remove what was built, keep what was downloaded'
	@echo '  distclean       - remove build/'
	@echo ''
	@echo '  make V=1 shows the commands. What Debian 12 lacks is installed with apt;'
	@echo '  DEPS=no only names it.'

# ---- building -------------------------------------------------------------------------

deps-%:
	$(Q)$(top)/selftests/deps.sh $(if $(filter no,$(DEPS)),--name) $*

lib: deps-build
	$(call sub,lib) all

tools: lib
	$(call sub,tools) all

# Either the kernel that the user means, or one that is certain to have headers.
ifneq ($(KDIR)$(KVER)$(wildcard /lib/modules/$(shell uname -r)/build),)
kernel_headers:
else
kernel_headers: kernel-$(KERNEL)
modules modules_install samples: KVER := $(KERNEL)
endif

modules modules_install samples: deps-build deps-kernel kernel_headers
	$(call sub,kmod) $@ $(if $(KVER),KVER=$(KVER)) $(if $(KDIR),KDIR=$(KDIR))

samples: sample_programs

sample_programs: lib
	$(call sub,kmod/samples) all

kernel-%: deps-build
	$(Q)$(top)/selftests/fetch.sh kernel $*

ksft: deps-build
	$(Q)$(top)/selftests/fetch.sh ksft

selftests: deps-build deps-vm ksft
	$(call sub,selftests) all

# ---- seeing and testing ---------------------------------------------------------------

demo: lib tools deps-kernel deps-vm kernel-$(KERNEL)
	$(Q)KERNEL=$(KERNEL) $(top)/selftests/demo.sh

bench: tools
	$(Q)$(BUILD)/tools/shmring bench pc

bench-peers: deps-peers tools
	$(Q)$(BUILD)/tools/shmring bench peers

bench_bpf: deps-bpf lib
	$(call sub,selftests/bpf) all

bench-bpf: bench_bpf deps-kernel deps-vm kernel-$(KERNEL)
	$(Q)$(top)/selftests/vm/run-vm --kernel $(KERNEL) --add $(BUILD)/selftests/bpf/bench_bpf \
		-- /tests/bench_bpf

check_needs_lint := ksft kernel-$(KERNEL) deps-lint deps-kernel
check_needs_fast := lib tools
check_needs_vm := lib tools selftests deps-kernel kernel-$(KERNEL)

lint: $(check_needs_lint)
	+$(Q)KERNEL=$(KERNEL) $(top)/selftests/check.sh lint

check-fast: $(check_needs_fast)
	+$(Q)$(top)/selftests/check.sh fast

check-vm: $(check_needs_vm)
	+$(Q)KERNEL=$(KERNEL) $(top)/selftests/check.sh vm

# The short guest is a part of check as well; in the other one all nodes have memory.
check-numa: $(check_needs_vm)
	+$(Q)KERNEL=$(KERNEL) $(top)/selftests/check.sh numa
	$(Q)$(top)/selftests/vm/run-vm --kernel $(KERNEL) --nodes 4 --cpus 4 -t '*/[hni][un][gmf]*'

check: $(check_needs_lint) $(check_needs_fast) $(check_needs_vm)
	+$(Q)KERNEL=$(KERNEL) VM_TESTS='shmring/[amn]*' \
		$(top)/selftests/check.sh lint fast vm numa vm-$(NEWER)

check-all: $(check_needs_vm) deps-cross deps-arm64 deps-clang deps-trace
	+$(Q)$(top)/selftests/check.sh vm-6.1 vm-6.12 vm-sid vm-arm64 clang trace

check-trace: lib tools deps-kernel deps-trace kernel-$(KERNEL)
	+$(Q)KERNEL=$(KERNEL) $(top)/selftests/check.sh trace

lint-more: deps-lint-more lib
	+$(Q)$(top)/selftests/check.sh lint-more

check-debug: $(check_needs_vm) deps-debug-kernel deps-stress
	+$(Q)$(top)/selftests/check.sh debug kcsan stress-ng trinity

coverage: $(check_needs_vm) deps-debug-kernel
	$(Q)$(top)/selftests/vm/coverage

stress: lib
	$(call sub,lib) stress

litmus: deps-build
	$(Q)command -v herd7 >/dev/null && [ -n "$(LKMM)" ] || $(top)/selftests/fetch.sh herd
	$(Q)if [ -e $(BUILD)/herd/herd7 ]; then export HERD7=$(BUILD)/herd/herd7 \
			LKMM=$(BUILD)/herd/memory-model; fi; \
		$(top)/Documentation/litmus/run

check-aarch64: deps-build deps-cross
	$(call sub,lib) check-aarch64

check-deb: deb deps-check-deb
	$(Q)$(top)/selftests/deb.sh

fuzz: deps-build deps-fuzz
	$(call sub,lib) fuzz

vm-shell: lib tools deps-kernel deps-vm kernel-$(KERNEL)
	$(Q)$(top)/selftests/vm/run-vm --kernel $(KERNEL) --shell

# ---- installing -----------------------------------------------------------------------

INSTALL ?= install
put = $(INSTALL) -D -m 644 $(1) $(DESTDIR)$(2)
dist_files := 60-shmring.rules sysusers.conf modules-load.conf
place_60-shmring.rules := udev/rules.d/60-shmring.rules
place_sysusers.conf := sysusers.d/shmring.conf
place_modules-load.conf := modules-load.d/shmring.conf
dist_place = $(SYSCONFDIR)/$(place_$(1))
man_pages := $(wildcard $(top)/Documentation/man/*.[1-9])
docs := $(wildcard $(top)/Documentation/*.rst) $(top)/Documentation/shmring.bt
DOCDIR ?= $(PREFIX)/share/doc/shmring
man_place = $(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))

# What a package manager would do once files came or went; nothing fails for want of it.
as_root = [ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || { PATH="$$PATH:/usr/sbin:/sbin"; $(1); }
if_there = ! command -v $(firstword $(1)) >/dev/null || $(1)
reload = $(call if_there,ldconfig) || :; $(call if_there,udevadm control --reload) 2>/dev/null || :

install: lib tools
	$(call sub,lib) install
	$(call sub,tools) install
	$(Q)$(foreach file,$(dist_files),$(call put,$(top)/kmod/dist/$(file),$(call dist_place,$(file))) && ) :
	$(Q)$(foreach page,$(man_pages),$(call put,$(page),$(call man_place,$(page))) && ) :
	$(Q)[ -z "$(DOCDIR)" ] || $(INSTALL) -D -m 644 -t "$(DESTDIR)$(DOCDIR)" $(docs)
	$(Q)$(call as_root,$(call if_there,systemd-sysusers $(call dist_place,sysusers.conf)) || :; $(reload))

uninstall:
	$(call sub,lib) uninstall
	$(call sub,tools) uninstall
	$(Q)rm -f $(foreach file,$(dist_files),$(DESTDIR)$(call dist_place,$(file))) \
		$(foreach page,$(man_pages),$(DESTDIR)$(call man_place,$(page))) \
		$(if $(DOCDIR),$(addprefix $(DESTDIR)$(DOCDIR)/,$(notdir $(docs))))
	$(Q)[ -z "$(DOCDIR)" ] || rmdir "$(DESTDIR)$(DOCDIR)" 2>/dev/null || :
	$(Q)$(call as_root,$(reload))

deb: deps-build deps-deb
	$(Q)$(top)/kmod/dist/make-deb

clean:
	$(Q)rm -rf $(BUILD)/lib $(BUILD)/tools $(BUILD)/selftests $(BUILD)/kmod $(BUILD)/vm \
		$(BUILD)/check $(BUILD)/lint $(BUILD)/samples $(BUILD)/deb

distclean:
	$(Q)rm -rf $(BUILD)

.PHONY: all help lib tools modules modules_install samples sample_programs kernel_headers ksft selftests demo bench bench-peers bench_bpf bench-bpf \
	lint lint-more check check-fast check-vm check-numa check-all check-trace check-deb check-debug coverage stress litmus check-aarch64 fuzz vm-shell install uninstall deb clean distclean
