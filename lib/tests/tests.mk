# SPDX-License-Identifier: (LGPL-2.1-or-later OR MIT)
# The library's tests, included by lib/Makefile. Statically linked against the library, so
# that a copy of the file is all that a guest needs.

TESTS	:= core core_merge core_queue core_broadcast step errors transfer ready death names scm raw \
	info hostile many
TEST_BINS := $(addprefix $(OUT)/tests/,$(TESTS))
TEST_CFLAGS := -std=gnu11 $(CFLAGS) $(WARN) $(INC) $(SANITIZE) -D_GNU_SOURCE \
	-D_FILE_OFFSET_BITS=64 -pthread -MMD -MP
CC32	?= i686-linux-gnu-gcc

.PHONY: tests tests-install check check-device check-tsan check-asan wakeup-tests
tests: $(TEST_BINS)

$(OUT)/tests/%: $(SRC)/tests/%.c $(OUT)/libshmring.a | $(OUT)/tests
	$(CC) $(TEST_CFLAGS) -MF $@.d -o $@ $< $(OUT)/libshmring.a $(LDFLAGS)

# The same tests over a library that never looks for deaths: a lost wake-up hangs.
WAKEUP_CFLAGS := -DSHMRING_SLICE_LAST_NS=1000000000000ull
wakeup-tests:
	@$(MAKE) -s -C $(SRC) VARIANT=-wakeup CFLAGS='$(CFLAGS) $(WAKEUP_CFLAGS)' tests

check: all tests wakeup-tests
	SHMRING_TEST_BACKEND=memfd CC='$(CC)' CXX='$(CXX)' CC32='$(CC32)' TOP='$(TOP)' \
		LIB='$(OUT)' CFLAGS='$(CFLAGS)' \
		sh $(SRC)/tests/run.sh $(SRC)/tests/build.sh $(TEST_BINS) \
		$(SRC)/tests/wakeup.sh

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

tests-install: tests
	$(INSTALL) -d $(DESTDIR)$(TESTDIR)
	$(INSTALL) -m 755 $(TEST_BINS) $(SRC)/tests/run.sh $(DESTDIR)$(TESTDIR)

-include $(TEST_BINS:=.d)
