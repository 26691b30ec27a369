/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * kcm_renew - the helper that waits for KDCs, so that sssd_kcm does not
 *
 * A child of it (helper.h) holds one conversation (renew_proto.h) and ends. It has the time its
 * request names, and however it spends it, ends with LIMIT_S.
 *
 * What became of a conversation its child's end tells, which is counted here: a child that is at
 * the end of its time counts nothing itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/time.h"
#include "common/event/helper.h"
#include "responders/kcm/renew_ticket.h"

#define LIMIT_S      (RENEW_LIMIT_MAX_S + 5)
#define READ_LIMIT_S 5
#define METRICS_NAME "kcm-renew"
#define KEYTAB       "keytab" /* a credential of the unit (systemd.exec(5), LoadCredential=) */

/* ---- one conversation, in a process of its own ---- */

/* Where libkrb5 looks for the keys of this host. */
static const char *keytab_name(char *room, size_t size)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (dir) {
		snprintf(room, size, "FILE:%s/" KEYTAB, dir);
		if (access(room + strlen("FILE:"), R_OK) == 0)
			return room;
	}
	return "FILE:/etc/krb5.keytab";
}

/* ret_status is what became of it: an enum metrics_renewal. */
static bool converse(int fd, const struct helper_paths *paths, int *ret_status)
{
	static uint8_t bytes[RENEW_MESSAGE_MAX];
	struct writer out = writer_new_secretive(RENEW_MESSAGE_MAX);
	struct renew_request request;
	struct reader in;
	char keytab[4096];
	bool answered;
	int r;

	(void)paths;
	*ret_status = METRICS_RENEWAL_ERROR;
	alarm(READ_LIMIT_S);
	r = helper_read_frame(fd, bytes, RENEW_MESSAGE_MAX, &in);
	if (r == 0)
		r = renew_read_request(&in, &request);
	if (r < 0) {
		log_error("a request is refused: %s", error_text(r));
		return false;
	}

	alarm(request.limit_s);
	*ret_status = (int)renew_ticket(&request, keytab_name(keytab, sizeof(keytab)), &out);
	r = writer_end(&out);
	answered = r == 0 && helper_write(fd, out.bytes, out.size);
	secret_wipe(bytes, sizeof(bytes));
	writer_free(&out);
	return answered;
}

/* ---- what is counted ---- */

static void start(const struct helper_paths *paths)
{
	int r = metrics_start(paths->run_dir, METRICS_NAME, METRICS_RENEWER);

	if (r < 0)
		log_info("metrics are counted in memory only: %s", error_text(r));
}

static void begun(void)
{
	metrics_look(); /* the tree may have been repaired since the last one */
	metrics_count(METRICS_RENEWALS_BEGUN);
}

/* By the status with which the process of one ended. */
static void ended(int status, int64_t begun_us)
{
	unsigned result = METRICS_RENEWAL_ERROR;

	if (WIFEXITED(status) && WEXITSTATUS(status) < METRICS_RENEWAL_RESULTS)
		result = (unsigned)WEXITSTATUS(status);
	else if (WIFSIGNALED(status) &&
	         (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGTERM))
		result = METRICS_UNANSWERED;
	metrics_count(METRICS_RENEWALS + result);
	metrics_time(METRICS_RENEWAL_TIMES, monotonic_us() - begun_us);
}

static void over(bool told)
{
	metrics_count(told ? METRICS_STOPS : METRICS_IDLE_EXITS);
}

static const struct helper helper = {
	.name = "kcm_renew",
	.purpose = "Renews tickets for sssd_kcm",
	.limit_s = LIMIT_S,
	.converse = converse,
	.start = start,
	.begun = begun,
	.ended = ended,
	.over = over,
};

int main(int argc, char *argv[])
{
	return helper_main(&helper, argc, argv);
}
