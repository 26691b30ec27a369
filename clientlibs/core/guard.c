/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Guard - a mapped file that is cut short under its readers kills nobody
 *
 * The handler stays in place when the module is closed, as does the module (client.c). An exec(2)
 * resets it. It is put in front of the program's action once: in front of one that came later it
 * could stand in a circle, as that one may pass on to what it found, which was ours.
 */
#include "clientlibs/core/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	uintptr_t start; /* 0: none */
	size_t size;
} ranges[GUARD_N_RANGES];

/* What the program had before us, and the process that had it. */
static struct sigaction theirs;
static pid_t owner;

static bool turn_to_zeros(uintptr_t address)
{
	uintptr_t start;
	size_t size;

	for (unsigned i = 0; i < GUARD_N_RANGES; i++) {
		start = __atomic_load_n(&ranges[i].start, __ATOMIC_ACQUIRE);
		size = __atomic_load_n(&ranges[i].size, __ATOMIC_ACQUIRE);
		/* The size of a mapping that takes its place just now would clear what is not ours.
		 */
		if (start != 0 && address >= start && address - start < size &&
		    __atomic_load_n(&ranges[i].start, __ATOMIC_RELAXED) == start)
			return mmap((void *)start, size, PROT_READ,
			            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
	}
	return false;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
	bool is_default = !(theirs.sa_flags & SA_SIGINFO) && theirs.sa_handler == SIG_DFL;

	if (is_default || theirs.sa_flags & SA_RESETHAND)
		signal(number, SIG_DFL);
	if (is_default) {
		/* A fault comes again when we return; what kill(2) sent does not. */
		if (info->si_code <= 0)
			raise(number);
	} else if (theirs.sa_flags & SA_SIGINFO) {
		theirs.sa_sigaction(number, info, context);
	} else {
		theirs.sa_handler(number);
	}
}

static void handle(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	bool is_done = info->si_code > 0 && turn_to_zeros((uintptr_t)info->si_addr);

	errno = saved_errno;
	if (!is_done)
		pass_on(number, info, context);
}

static bool is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == handle;
}

/* A vforked child has its own signals and our memory: what it has set is not the program's. A
 * forked one that has set its SIGBUS anew looks the same, and does without, too. */
static bool is_childs(void)
{
	pid_t installed_by = __atomic_load_n(&owner, __ATOMIC_RELAXED);

	return installed_by != 0 && installed_by != getpid() && installed_by == getppid();
}

bool guard_is_on(void)
{
	static bool tried;
	struct sigaction now, ours, before;
	bool is_default;

	if (sigaction(SIGBUS, NULL, &now) < 0)
		return false;
	if (is_ours(&now))
		return true;
	if (is_childs())
		return false;

	is_default = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
	if (!is_default && (__atomic_exchange_n(&tried, true, __ATOMIC_ACQ_REL) ||
	                    (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN)))
		return false;
	__atomic_store_n(&tried, true, __ATOMIC_RELEASE);

	theirs = now;
	ours = now;
	ours.sa_flags &= ~SA_RESETHAND;
	ours.sa_flags |= SA_SIGINFO;
	ours.sa_sigaction = handle;
	if (is_default)
		ours.sa_flags |= SA_ONSTACK;
	if (sigaction(SIGBUS, &ours, &before) < 0)
		return false;
	/* Another thread of the program may have set one since we looked. */
	if (!is_ours(&before))
		theirs = before;
	__atomic_store_n(&owner, getpid(), __ATOMIC_RELAXED);
	return true;
}

/* The second in which a thread looked, times two, and one more if faults come through: a value of
 * the key, not thread-local storage. Of the initial kind, that is scarce, and without any left the
 * module cannot be loaded (dlopen(3)); of the other kind, memory is allocated at the first use. */
static pthread_key_t looked_key; /* and one; 0: not made yet */

/* By whoever comes first, also in the middle of another's try: in a signal handler, that is. */
static bool make_key(pthread_key_t *ret_key)
{
	pthread_key_t made, before = 0;

	if (pthread_key_create(&made, NULL) != 0)
		return false;
	if (!__atomic_compare_exchange_n(&looked_key, &before, made + 1, false, __ATOMIC_ACQ_REL,
	                                 __ATOMIC_ACQUIRE))
		pthread_key_delete(made);
	*ret_key = before ? before : made + 1;
	return true;
}

static bool lets_faults_through(void)
{
	sigset_t mask;

	return pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGBUS) == 0;
}

bool guard_covers_thread(int64_t now)
{
	pthread_key_t key = __atomic_load_n(&looked_key, __ATOMIC_ACQUIRE);
	uintptr_t looked;

	if (key == 0 && !make_key(&key))
		return lets_faults_through();
	looked = (uintptr_t)pthread_getspecific(key - 1);
	if (looked >> 1 != ((uintptr_t)now & UINTPTR_MAX >> 1)) {
		looked = (uintptr_t)now << 1 | (uintptr_t)lets_faults_through();
		pthread_setspecific(key - 1, (void *)looked);
	}
	return looked & 1;
}

void guard_watch(unsigned index, const void *start, size_t size)
{
	__atomic_store_n(&ranges[index].start, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&ranges[index].size, size, __ATOMIC_RELEASE);
	__atomic_store_n(&ranges[index].start, (uintptr_t)start, __ATOMIC_RELEASE);
}
