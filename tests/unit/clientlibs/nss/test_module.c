/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The module as programs get it: what it exports, glibc on top of it, dlclose under live threads
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/clientlibs/responder.h"

#define THREADS 16

static const char *path; /* of the module, absolute */

typedef nss_getpwnam_r getpwnam_fn;

static void *module;
static unsigned sockets; /* without ours */

static unsigned count_sockets(void)
{
	struct stat st;
	unsigned n = 0;

	for (int fd = 0; fd < 300; fd++)
		n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	return n;
}

static void listen_and_load(void)
{
	responder_listen(64);
	responder_start(script_directory);
	sockets = count_sockets();
	module = dlopen(path, RTLD_NOW);
	ck_assert_msg(module, "%s", dlerror());
}

START_TEST(test_exports_the_functions_of_nss_and_nothing_else)
{
	/* clang-format off */
	static const char *const names[] = {
		"getpwnam_r", "getpwuid_r", "setpwent", "getpwent_r", "endpwent",
		"getgrnam_r", "getgrgid_r", "setgrent", "getgrent_r", "endgrent", "initgroups_dyn",
		"gethostbyname_r", "gethostbyname2_r", "gethostbyaddr_r",
		"sethostent", "gethostent_r", "endhostent",
		"setnetgrent", "getnetgrent_r", "endnetgrent",
		"getnetbyname_r", "getnetbyaddr_r", "setnetent", "getnetent_r", "endnetent",
		"getservbyname_r", "getservbyport_r", "setservent", "getservent_r", "endservent",
	};
	/* clang-format on */
	char symbol[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(symbol, sizeof(symbol), "_nss_sss_%s", names[i]);
		ck_assert_msg(dlvsym(module, symbol, "EXPORTED"), "%s", symbol);
	}
	ck_assert_ptr_null(dlsym(module, "client_begin"));
	ck_assert_ptr_null(dlsym(module, "reader_over"));
}
END_TEST

/* A program whose libraries have used up what there is of it (dlopen(3), "static TLS block") could
 * not load us. */
START_TEST(test_has_no_thread_local_storage)
{
	size_t id = 1;

	ck_assert_int_eq(dlinfo(module, RTLD_DI_TLS_MODID, &id), 0);
	ck_assert_uint_eq(id, 0);
}
END_TEST

/* glibc finds the loaded module by its soname, libnss_sss.so.2. */
static void configure(const char *database)
{
	ck_assert_int_eq(__nss_configure_lookup(database, "sss"), 0);
}

START_TEST(test_glibc_gets_users_and_groups)
{
	gid_t groups[64];
	struct passwd *user;
	struct group *group;
	int n = 64;

	configure("passwd");
	configure("group");
	configure("initgroups");
	user = getpwnam("user3");
	ck_assert_ptr_nonnull(user);
	ck_assert_uint_eq(user->pw_uid, 1003);
	ck_assert_ptr_nonnull(getpwuid(1004));
	errno = 0;
	ck_assert_ptr_null(getpwnam("nosuch"));
	ck_assert_int_eq(errno, 0);
	ck_assert_ptr_null(getpwuid(0));

	group = getgrnam("big");
	ck_assert_ptr_nonnull(group);
	ck_assert_str_eq(group->gr_mem[4999], "user4999");
	ck_assert_uint_eq(seen->requests, 4); /* the buffer grew, the question was asked once */
	ck_assert_int_eq(getgrouplist("user9", 20000, groups, &n), 10);
	ck_assert_uint_eq(groups[9], 20009);

	setpwent();
	for (n = 0; getpwent(); n++)
		;
	endpwent();
	ck_assert_int_eq(n, 300);
}
END_TEST

/* Distributions list sss for maps that are not built: programs go on as without it. */
START_TEST(test_glibc_goes_on_where_a_map_is_not_built)
{
	struct servent service, *found;
	char buffer[256];
	int r;

	configure("services");
	configure("netgroup");
	configure("hosts");
	configure("networks");
	r = getservbyname_r("nosuch", "tcp", &service, buffer, sizeof(buffer), &found);
	ck_assert_int_eq(r, ENOSYS);
	ck_assert_ptr_null(found);
	ck_assert_ptr_null(getservbyport(1, NULL));
	ck_assert_int_eq(innetgr("nosuch", NULL, "user1", NULL), 0);
	ck_assert_ptr_null(gethostbyname("nosuch.example"));
	ck_assert_int_eq(h_errno, NO_RECOVERY);
	ck_assert_int_eq(
		getaddrinfo("nosuch.example", NULL, NULL, &(struct addrinfo *){ NULL }) == 0, 0);
	ck_assert_ptr_null(getnetbyname("nosuch"));
	sethostent(0);
	ck_assert_ptr_null(gethostent());
	endhostent();
	setservent(0);
	ck_assert_ptr_null(getservent());
	endservent();

	ck_assert_int_eq(__nss_configure_lookup("services", "sss files"), 0);
	ck_assert_ptr_nonnull(getservbyname("domain", "udp"));
	ck_assert_uint_eq(seen->connections, 0);
}
END_TEST

static pthread_barrier_t all_connected, closed;

static bool lookup(getpwnam_fn *getpwnam_sss)
{
	struct passwd user;
	char buffer[256];
	int error;

	return getpwnam_sss("user1", &user, buffer, sizeof(buffer), &error) == NSS_STATUS_SUCCESS;
}

static void *lookup_and_end(void *function)
{
	getpwnam_fn *getpwnam_sss = (getpwnam_fn *)function;
	bool right = lookup(getpwnam_sss);

	pthread_barrier_wait(&all_connected);
	pthread_barrier_wait(&closed);
	return right ? function
	             : NULL; /* the destructor of the thread's data runs after the dlclose */
}

START_TEST(test_threads_outlive_the_module)
{
	pthread_t threads[THREADS];
	void *function, *right;

	pthread_barrier_init(&all_connected, NULL, THREADS + 1);
	pthread_barrier_init(&closed, NULL, THREADS + 1);
	for (int round = 0; round < 20; round++) {
		function = dlsym(module, "_nss_sss_getpwnam_r");
		ck_assert(lookup((getpwnam_fn *)function));
		for (int i = 0; i < THREADS; i++)
			ck_assert_int_eq(
				pthread_create(&threads[i], NULL, lookup_and_end, function), 0);
		pthread_barrier_wait(&all_connected);
		ck_assert_int_eq(dlclose(module), 0);
		pthread_barrier_wait(&closed);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], &right);
			ck_assert_ptr_nonnull(right);
		}
		/* This thread's own is all that stays, however often the module comes and goes. */
		ck_assert_uint_eq(count_sockets(), sockets + 1);
		module = dlopen(path, RTLD_NOW);
	}
	ck_assert_uint_eq(seen->connections, 20 * THREADS + 1);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("module");
	TCase *loaded = tcase_create("loaded");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: %s MODULE\n", argv[0]);
		return EXIT_FAILURE;
	}
	path = argv[1];

	tcase_add_checked_fixture(loaded, listen_and_load, responder_clean);
	tcase_add_test(loaded, test_exports_the_functions_of_nss_and_nothing_else);
	tcase_add_test(loaded, test_has_no_thread_local_storage);
	tcase_add_test(loaded, test_glibc_gets_users_and_groups);
	tcase_add_test(loaded, test_glibc_goes_on_where_a_map_is_not_built);
	tcase_add_test(loaded, test_threads_outlive_the_module);
	tcase_set_timeout(loaded, 30);
	suite_add_tcase(suite, loaded);

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
