/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ldap_child - the helper that gets tickets for the backends, so that they need no key and wait for
 * no KDC
 *
 * A child of it (helper.h) holds one conversation (child_proto.h) and ends. Its unit gives it one
 * capability, that of reading any file, for keytabs are root's. It is used for the keytab that the
 * configuration names, which root alone can change, and is gone before the first byte is sent to a
 * KDC or a name server. Where nothing gives it, the keytab must be readable for our user.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/ldap/child_ticket.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/conf/options.h"
#include "common/event/daemon.h"
#include "common/event/helper.h"

#define READ_LIMIT_S 5

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, none) < 0) {
		log_fatal("capabilities cannot be given up: %s", error_text(-errno));
		_exit(EXIT_FAILURE);
	}
}

static int read_request(int fd, uint8_t *bytes, struct child_request *ret_request)
{
	struct reader in;
	int r = helper_read_frame(fd, bytes, CHILD_MESSAGE_MAX, &in);

	return r < 0 ? r : child_read_request(&in, ret_request);
}

/* As the domain's own process reads it. */
static int read_conf(TALLOC_CTX *mem, const char *dir, const char *domain,
                     struct ldap_conf *ret_conf)
{
	char *process = talloc_asprintf(mem, CONF_BACKENDS "/%s", domain);
	char *section = talloc_asprintf(mem, "domain/%s", domain);
	struct conf_problem problem;
	struct conf *conf;
	int r;

	if (!process || !section)
		return -ENOMEM;
	r = conf_load(mem, dir, process, &conf);
	return r < 0 ? r : conf_read(conf, mem, section, ldap_opts, ret_conf, &problem);
}

static void get_tickets(const struct child_request *request, const struct ldap_conf *conf,
                        struct writer *out)
{
	struct ticket_wish wish = {
		.keytab = conf->krb5_keytab,
		.authid = conf->sasl_authid,
		.realm = conf->sasl_realm ? conf->sasl_realm : conf->krb5_realm,
		.host = request->host,
		.lifetime_s = conf->krb5_ticket_lifetime_s,
	};
	struct ticket *ticket = ticket_open(&wish);

	drop_capabilities();
	if (!ticket)
		return;
	ticket_fetch(ticket, out);
	ticket_end(ticket);
}

static bool converse(int fd, const struct helper_paths *paths, int *ret_status)
{
	static uint8_t bytes[CHILD_MESSAGE_MAX];
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	struct writer out = writer_new_secretive(CHILD_MESSAGE_MAX);
	struct child_request request;
	struct ldap_conf conf;
	bool answered;
	int r;

	*ret_status = EXIT_FAILURE;
	alarm(READ_LIMIT_S);
	r = read_request(fd, bytes, &request);
	if (r == 0) {
		alarm(request.limit_s);
		r = read_conf(mem, paths->conf_dir, request.domain, &conf);
	}
	if (r < 0) {
		log_error("a request is refused: %s", error_text(r));
		return false;
	}

	get_tickets(&request, &conf, &out);
	answered = writer_end(&out) == 0 && out.size > 0 && helper_write(fd, out.bytes, out.size);
	writer_free(&out);
	*ret_status = answered ? EXIT_SUCCESS : EXIT_FAILURE;
	return answered;
}

static const struct helper helper = {
	.name = "ldap_child",
	.purpose = "Gets tickets for the backends of sssd",
	.limit_s = CHILD_LIMIT_MAX_S + READ_LIMIT_S,
	.converse = converse,
};

int main(int argc, char *argv[])
{
	daemon_hurry_resolver();
	return helper_main(&helper, argc, argv);
}
