/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Time - three clocks that do not mix, as three types
 */
#include "common/base/time.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"

#define US_PER_MS 1000
#define US_PER_S  1000000

/* clock_gettime(2) cannot fail for a clock that exists; these three are read in the vdso. */
int64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

struct boottime boottime_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (struct boottime){ .s = now.tv_sec };
}

struct walltime walltime_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct walltime){ .s = now.tv_sec };
}

/* random(4): 8-4-4-4-12 hex digits; the first 16 of them are "xxxxxxxx-xxxx-xxxx". */
static uint64_t read_boot_id(void)
{
	char text[sizeof("xxxxxxxx-xxxx-xxxx")] = "", digits[17] = "";
	auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		return 0;
	for (const char *c = text; *c; c++)
		if (*c != '-' && n < sizeof(digits) - 1)
			digits[n++] = *c;
	return strtoull(digits, NULL, 16);
}

uint64_t boot_id(void)
{
	static _Atomic uint64_t known; /* two threads that read it at once read the same */
	uint64_t id = atomic_load_explicit(&known, memory_order_relaxed);

	if (id == 0) {
		id = read_boot_id();
		atomic_store_explicit(&known, id, memory_order_relaxed);
	}
	return id;
}

struct deadline deadline_in_ms(int64_t ms)
{
	int64_t us;

	if (__builtin_mul_overflow(ms, US_PER_MS, &us) ||
	    __builtin_add_overflow(monotonic_us(), us, &us))
		us = ms < 0 ? 1 : INT64_MAX;
	return (struct deadline){ .us = us > 0 ? us : 1 };
}

int64_t deadline_left_ms(struct deadline deadline)
{
	int64_t left_us;

	if (deadline.us == 0)
		return INT64_MAX;
	left_us = deadline.us - monotonic_us();
	return left_us > 0 ? (left_us - 1) / US_PER_MS + 1 : 0;
}

bool deadline_passed(struct deadline deadline)
{
	return deadline.us != 0 && deadline.us <= monotonic_us();
}

struct deadline deadline_earlier(struct deadline a, struct deadline b)
{
	if (a.us == 0 || b.us == 0)
		return a.us == 0 ? b : a;
	return a.us < b.us ? a : b;
}
