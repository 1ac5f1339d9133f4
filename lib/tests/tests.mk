# SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
# The library's tests, included by lib/Makefile. Statically linked against the library, so
# that a copy of the file is all that a guest needs.

TESTS	:= core core_merge core_queue core_broadcast core_circle core_takeover core_threads step \
	fuzz_consumer fuzz_producer errors transfer ready death names scm raw info hostile foreign \
	geometry limits many uring storm rounds space drain order scribble untold model killed liars
TEST_BINS := $(addprefix $(OUT)/tests/,$(TESTS))
TEST_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) $(INC) $(SANITIZE) -D_GNU_SOURCE \
	-D_FILE_OFFSET_BITS=64 -pthread -MMD -MP
CC32	?= i686-linux-gnu-gcc

.PHONY: tests tests-install check check-device check-tsan check-asan wakeup-tests
tests: $(TEST_BINS)

$(OUT)/tests/%: $(SRC)/tests/%.c $(OUT)/libshmring.a | $(OUT)/tests
	$(CC) $(TEST_CFLAGS) -MF $@.d -o $@ $< $(OUT)/libshmring.a $(LDFLAGS)

$(OUT)/tests/uring: LDFLAGS += -luring

# Those over a library that can be stopped before every access to shared memory.
STEPS		:= -include $(SRC)/tests/steps.h
STEPS_OBJS	:= $(OBJS:$(OUT)/%=$(OUT)/steps/%)
$(OUT)/steps:
	mkdir -p $@

$(OUT)/steps/%.o: $(SRC)/%.c | $(OUT)/steps
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(STEPS) -c -o $@ $<

$(OUT)/tests/killed $(OUT)/tests/liars: $(OUT)/tests/%: $(SRC)/tests/%.c $(STEPS_OBJS) | $(OUT)/tests
	$(CC) $(TEST_CFLAGS) $(STEPS) -MF $@.d -o $@ $< $(STEPS_OBJS) $(LDFLAGS)

# The same tests over a library that never looks for deaths: a lost wake-up hangs.
WAKEUP_CFLAGS := -DSHMRING_SLICE_LAST_NS=1000000000000ull
wakeup-tests:
	@$(MAKE) -s -C $(SRC) VARIANT=-wakeup CFLAGS='$(CFLAGS) $(WAKEUP_CFLAGS)' tests

check: all tests wakeup-tests
	SHMRING_TEST_BACKEND=memfd CC='$(CC)' CXX='$(CXX)' CC32='$(CC32)' TOP='$(TOP)' \
		LIB='$(OUT)' CFLAGS='$(CFLAGS)' \
		sh $(SRC)/tests/run.sh $(SRC)/tests/build.sh $(SRC)/tests/guide.sh \
		$(TEST_BINS) $(SRC)/tests/wakeup.sh

# The same for long. Those who wait use the library that never looks up by itself, each way
# of waiting beside the others: most of the time they sleep.
STRESS	?= 500
WAYS	:= blocking waiting thresholds polling epoll_level epoll_edge eventfds bursts \
	bursts_of_space
.PHONY: stress $(WAYS:%=stress-%)
stress: tests wakeup-tests
	SHMRING_TEST_BACKEND=memfd SHMRING_STRESS=$(STRESS) sh $(SRC)/tests/run.sh \
		$(OUT)/tests/storm $(OUT)/tests/order $(OUT)/tests/scribble $(OUT)/tests/geometry \
		$(OUT)/tests/model $(OUT)/tests/killed $(OUT)/tests/liars
	@$(MAKE) -s -C $(SRC) -j $(words $(WAYS)) --output-sync=target $(WAYS:%=stress-%)

$(WAYS:%=stress-%): stress-%:
	SHMRING_TEST_BACKEND=memfd SHMRING_TEST_NO_SLICES=1 SHMRING_STRESS=$(STRESS) \
		SHMRING_TEST_ONLY=$* sh $(SRC)/tests/run.sh $(OUT)-wakeup/tests/rounds \
		$(OUT)-wakeup/tests/space

check-device: all tests
	SHMRING_TEST_BACKEND=device sh $(SRC)/tests/run.sh $(TEST_BINS)

check-tsan:
	$(MAKE) -C $(SRC) VARIANT=-tsan SANITIZE=-fsanitize=thread check-variant

check-asan:
	$(MAKE) -C $(SRC) VARIANT=-asan \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' check-variant

.PHONY: check-variant
check-variant: tests
	SHMRING_TEST_BACKEND=memfd sh $(SRC)/tests/run.sh $(TEST_BINS)

# The ring core needs no library: what is plain memory runs on any machine that QEMU knows.
AARCH64_CC	?= aarch64-linux-gnu-gcc
AARCH64_QEMU	?= qemu-aarch64-static
CORE_TESTS	:= core core_merge core_queue core_broadcast core_circle core_takeover core_threads step \
	fuzz_consumer fuzz_producer
.PHONY: check-aarch64 fuzz
check-aarch64:
	@if ! command -v $(AARCH64_CC) > /dev/null || ! command -v $(AARCH64_QEMU) > /dev/null; then \
		echo 'SKIP: check-aarch64 needs $(AARCH64_CC) and $(AARCH64_QEMU)'; exit 0; fi; \
	mkdir -p $(OUT)-aarch64 && cd $(OUT)-aarch64 && for t in $(CORE_TESTS); do \
		$(AARCH64_CC) $(filter-out -MMD -MP,$(TEST_CFLAGS)) -static -o $$t.bin \
			$(SRC)/tests/$$t.c || exit 1; \
		printf '#!/bin/sh\nexec %s %s\n' $(AARCH64_QEMU) $(OUT)-aarch64/$$t.bin > $$t; \
		chmod +x $$t; \
	done && SHMRING_TEST_BACKEND=memfd sh $(SRC)/tests/run.sh $(CORE_TESTS:%=./%)

# libFuzzer, for so many seconds each; what it found before is in build/. fuzz-seeds makes
# the seeds in the tree anew, of the fewest bytes that reach as much.
FUZZ_SECONDS	?= 60
FUZZERS		:= fuzz_consumer fuzz_producer
.PHONY: fuzz-seeds
fuzz: $(FUZZERS:%=$(OUT)/tests/%)
	@for t in $(FUZZERS); do \
		mkdir -p $(OUT)/tests/$$t.corpus && \
		$(OUT)/tests/$$t 0 $(OUT)/tests/$$t.corpus && \
		clang $(filter-out -MMD -MP,$(TEST_CFLAGS)) -DFUZZ_LIBFUZZER -Wno-unused-variable \
			-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
			-o $(OUT)/tests/$$t-lib $(SRC)/tests/$$t.c && \
		$(OUT)/tests/$$t-lib -max_total_time=$(FUZZ_SECONDS) -max_len=256 -timeout=5 \
			-use_value_profile=1 -print_final_stats=1 -artifact_prefix=$(OUT)/tests/ \
			$(OUT)/tests/$$t.corpus || exit 1; \
	done

fuzz-seeds: fuzz
	@for t in $(FUZZERS); do \
		rm -rf $(OUT)/tests/$$t.min && mkdir $(OUT)/tests/$$t.min && \
		$(OUT)/tests/$$t-lib -merge=1 -use_counters=0 -max_len=192 $(OUT)/tests/$$t.min \
			$(OUT)/tests/$$t.corpus && \
		{ echo '/* SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT) */'; \
			echo '/* Inputs of fuzz.h, in hex; made by "make -C lib fuzz-seeds". */'; \
			for f in $(OUT)/tests/$$t.min/*; do \
				printf '"%s",\n' "$$(od -An -v -tx1 $$f | tr -d ' \n')"; \
			done | LC_ALL=C sort; } > $(SRC)/tests/$$t.seeds || exit 1; \
	done

tests-install: tests
	$(INSTALL) -d $(DESTDIR)$(TESTDIR)
	$(INSTALL) -m 755 $(TEST_BINS) $(SRC)/tests/run.sh $(DESTDIR)$(TESTDIR)

-include $(TEST_BINS:=.d) $(STEPS_OBJS:.o=.d)
