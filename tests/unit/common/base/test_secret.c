/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/base/secret.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/mem.h"

/* secret.c is compiled here with munmap() replaced by this: the last look at the pages. */
static size_t unmapped, not_wiped;
int munmap_watched(void *pages, size_t size);
int munmap_watched(void *pages, size_t size)
{
	unmapped += size;
	for (size_t i = 0; i < size; i++)
		not_wiped += ((char *)pages)[i] != 0;
	return (int)syscall(SYS_munmap, pages, size);
}

/* … and mlock() by this: AddressSanitizer's does nothing. */
int mlock_watched(const void *pages, size_t size);
int mlock_watched(const void *pages, size_t size)
{
	return (int)syscall(SYS_mlock, pages, size);
}

/* The VmFlags line of proc(5), smaps, for the mapping that holds address. */
static void vm_flags(const void *address, char *ret_line, int size)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long first, last;
	bool here = false;
	char line[512];

	ck_assert_ptr_nonnull(file);
	ret_line[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			here = (uintptr_t)address >= first && (uintptr_t)address < last;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(ret_line, (size_t)size, "%s", line);
	}
	fclose(file);
}

START_TEST(test_a_secret_is_a_copy_with_a_nul_behind)
{
	auto_talloc struct secret *secret = NULL;
	char bytes[] = { 'a', '\0', 'b' };

	ck_assert_int_eq(secret_new(NULL, bytes, sizeof(bytes), &secret), 0);
	secret_wipe(bytes, sizeof(bytes));
	ck_assert_mem_eq(bytes, "\0\0\0", 3);
	ck_assert_uint_eq(secret_size(secret), 3);
	ck_assert_mem_eq(secret_bytes(secret), "a\0b", 4);
}
END_TEST

START_TEST(test_an_empty_secret_is_the_empty_text)
{
	auto_talloc struct secret *secret = NULL;

	ck_assert_int_eq(secret_new(NULL, NULL, 0, &secret), 0);
	ck_assert_uint_eq(secret_size(secret), 0);
	ck_assert_str_eq(secret_bytes(secret), "");
}
END_TEST

START_TEST(test_64_kib_is_the_limit)
{
	static char bytes[64 * 1024 + 1];
	struct secret *secret = NULL;

	memset(bytes, 'x', sizeof(bytes));
	ck_assert_int_eq(secret_new(NULL, bytes, sizeof(bytes), &secret), -EINVAL);
	ck_assert_ptr_null(secret);
	ck_assert_int_eq(secret_new(NULL, bytes, sizeof(bytes) - 1, &secret), 0);
	ck_assert_uint_eq(strlen(secret_bytes(secret)), 64 * 1024);
	talloc_free(secret);
}
END_TEST

START_TEST(test_a_freed_secret_was_wiped)
{
	void *parent = talloc_new(NULL);
	struct secret *secret = NULL;

	ck_assert_int_eq(secret_new(parent, "password", 8, &secret), 0);
	talloc_free(parent);
	ck_assert_uint_eq(unmapped, 9);
	ck_assert_uint_eq(not_wiped, 0);
}
END_TEST

START_TEST(test_the_pages_are_locked_and_in_no_core_dump)
{
	auto_talloc struct secret *secret = NULL;
	char flags[512];

	ck_assert_int_eq(secret_new(NULL, "password", 8, &secret), 0);
	vm_flags(secret_bytes(secret), flags, sizeof(flags));
	ck_assert_ptr_nonnull(strstr(flags, " dd"));
	ck_assert_ptr_nonnull(strstr(flags, " lo"));
}
END_TEST

/* Root has no limit, so this is no test for the lock: only that its absence is not fatal. */
START_TEST(test_no_lock_is_no_failure)
{
	struct rlimit none = { 0 };
	auto_talloc struct secret *secret = NULL;

	setrlimit(RLIMIT_MEMLOCK, &none);
	ck_assert_int_eq(secret_new(NULL, "password", 8, &secret), 0);
	ck_assert_str_eq(secret_bytes(secret), "password");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *secret = tcase_create("secret");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(secret, test_a_secret_is_a_copy_with_a_nul_behind);
	tcase_add_test(secret, test_an_empty_secret_is_the_empty_text);
	tcase_add_test(secret, test_64_kib_is_the_limit);
	tcase_add_test(secret, test_a_freed_secret_was_wiped);
	tcase_add_test(secret, test_the_pages_are_locked_and_in_no_core_dump);
	tcase_add_test(secret, test_no_lock_is_no_failure);
	suite_add_tcase(suite, secret);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
