/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Clock step - a wall clock that a test can set, for one process
 *
 * Preloaded (ld.so(8)). The container shares this machine's clock and must not set it; so the
 * processes under test read CLOCK_REALTIME through here, plus as many seconds as /etc/clockstep
 * holds at that moment: an int64_t, mapped, so that a step reaches all of them at once. Other
 * clocks are left alone.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

/* A test that did not step anything would prove nothing, so a process without the file does not
 * run. */
__attribute__((constructor)) static void prepare(void)
{
	int fd = open("/etc/clockstep", O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);

	real_clock_gettime =
		(int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (fd < 0 || map == MAP_FAILED || !real_clock_gettime)
		abort();
	close(fd);
	offset_s = map;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r;

	if (!offset_s)
		prepare();
	r = real_clock_gettime(clock, ts);
	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += *offset_s;
	return r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret_now)
		*ret_now = ts.tv_sec;
	return ts.tv_sec;
}
