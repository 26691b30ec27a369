/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Setup - the configuration of a responder as an immutable snapshot
 */
#include "responders/core/setup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/conf/conf.h"
#include "responders/core/names.h"

#define IDLE_TIMEOUT_MIN_S 60
#define CLIENT_IDLE_MIN_S  10

static int setup_gone(struct setup *setup)
{
	for (size_t i = 0; i < setup->n_domains; i++)
		if (setup->domains[i].store)
			store_unuse(setup->domains[i].store);
	return 0;
}

/* A value that cannot be read leaves its option at the default. */
static int read_section(const struct conf *conf, struct setup *setup, const char *section,
                        const struct opt *opts, void *ret_struct)
{
	struct conf_problem problem = { 0 };
	int r = conf_read(conf, setup, section, opts, ret_struct, &problem);

	if (r == -E_CONFIG) {
		log_error("%s", problem.text);
		r = 0;
	}
	return r;
}

static int read_domains(const struct conf *conf, struct setup *setup, struct stores *stores)
{
	char *const *names = conf_domains(conf);
	size_t n_names = 0;

	while (names && names[n_names])
		n_names++;
	setup->domains = talloc_zero_array(setup, struct domain, (unsigned)n_names + 1);
	if (!setup->domains)
		return -ENOMEM;

	for (size_t i = 0; i < n_names; i++) {
		struct domain *domain = &setup->domains[setup->n_domains];
		char *section = talloc_asprintf(setup, "domain/%s", names[i]);
		int r;

		if (!section)
			return -ENOMEM;
		r = read_section(conf, setup, section, domain_opts, &domain->conf);
		if (r < 0)
			return r;
		if (!conf_get(conf, section, "use_fully_qualified_names"))
			domain->conf.use_fully_qualified_names =
				setup->sssd.default_domain_suffix != NULL;
		domain->name = talloc_strdup(setup, names[i]);
		domain->store =
			store_use(stores, names[i],
		                  domain->conf.case_sensitive == CASE_TRUE ? CACHE_CASE_SENSITIVE
		                                                           : CACHE_CASE_FOLDED);
		if (!domain->name || !domain->store)
			return -ENOMEM;
		setup->n_domains++;
		r = naming_of(setup, &setup->sssd, domain);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Those that are listed come first, in the order of the list; the others keep theirs. */
static void order_domains(struct setup *setup)
{
	char *const *listed = setup->sssd.domain_resolution_order;
	size_t n_first = 0;

	for (; listed && *listed; listed++) {
		size_t i = n_first;
		struct domain domain;

		while (i < setup->n_domains &&
		       !domain_is_called(&setup->domains[i], *listed, strlen(*listed)))
			i++;
		if (i == setup->n_domains)
			continue; /* unknown, or listed twice */
		domain = setup->domains[i];
		memmove(&setup->domains[n_first + 1], &setup->domains[n_first],
		        (i - n_first) * sizeof(domain));
		setup->domains[n_first++] = domain;
	}
}

static const struct opt *service_opts_of(const struct resp *resp)
{
	return resp->service_opts ? resp->service_opts : service_opts;
}

int setup_load(TALLOC_CTX *mem, const struct resp *resp, const struct resp_paths *paths,
               struct stores *stores, struct setup **ret_setup)
{
	struct setup *setup = talloc_zero(mem, struct setup);
	struct conf *conf = NULL;
	int r;

	if (!setup)
		return -ENOMEM;
	setup->pins = 1;
	setup->own_uid = getuid();
	setup->own_gid = getgid();
	talloc_set_destructor(setup, setup_gone);
	setup->conf = talloc_zero_size(setup, resp->conf_size);
	if (!setup->conf) {
		r = -ENOMEM;
		goto failed;
	}

	r = conf_load(setup, paths->conf_dir, resp->name, &conf);
	if (r < 0) {
		if (!resp->service)
			log_notice("no configuration: %s/%s/current: %s; every question is "
			           "answered with \"cannot tell\"",
			           paths->conf_dir, resp->name, error_text(r));
		conf = conf_new(setup);
		r = conf ? conf_seal(conf) : -ENOMEM;
	}
	if (r < 0)
		goto failed;

	r = read_section(conf, setup, "sssd", sssd_opts, &setup->sssd);
	if (r == 0)
		r = read_section(conf, setup, resp->name, common_opts, &setup->common);
	if (r == 0)
		r = read_section(conf, setup, resp->name, service_opts_of(resp), &setup->service);
	if (r == 0)
		r = read_section(conf, setup, resp->name, resp->opts, setup->conf);
	if (r == 0 && resp->prepare)
		r = resp->prepare(setup, setup->conf);
	if (r == 0) {
		setup->generation = conf_generation(conf);
		setup->compiled = conf;
		setup->kept_running = conf_named(conf);
		if (!resp->service)
			r = read_domains(conf, setup, stores);
		order_domains(setup);
	}
	if (r < 0)
		goto failed;

	if (setup->service.responder_idle_timeout_s &&
	    setup->service.responder_idle_timeout_s < IDLE_TIMEOUT_MIN_S)
		setup->service.responder_idle_timeout_s = IDLE_TIMEOUT_MIN_S;
	if (setup->service.client_idle_timeout_s < CLIENT_IDLE_MIN_S)
		setup->service.client_idle_timeout_s = CLIENT_IDLE_MIN_S;

	*ret_setup = setup;
	return 0;

failed:
	talloc_free(setup);
	return r;
}

static const char *restarts_in(const char *section, const struct opt *opts, const struct conf *a,
                               const struct conf *b)
{
	for (; opts->name; opts++) {
		const struct conf_value *x = conf_get(a, section, opts->name);
		const struct conf_value *y = conf_get(b, section, opts->name);

		if ((opts->flags & OPT_RESTART) &&
		    (!x != !y || (x && strcmp(x->text, y->text) != 0)))
			return opts->name;
	}
	return NULL;
}

/* Those of domains concern their backends. Those of [sssd] who has secrets (core_dumpable). */
const char *setup_restarts(const struct resp *resp, const struct setup *a, const struct setup *b)
{
	const char *name = restarts_in(resp->name, service_opts_of(resp), a->compiled, b->compiled);

	if (!name)
		name = restarts_in(resp->name, resp->opts, a->compiled, b->compiled);
	if (!name && resp->secretive)
		name = restarts_in("sssd", sssd_opts, a->compiled, b->compiled);
	return name;
}

void setup_unpin(struct setup *setup)
{
	if (--setup->pins == 0)
		talloc_free(setup);
}

const struct domain *setup_domain(const struct setup *setup, const char *name, size_t size)
{
	for (size_t i = 0; i < setup->n_domains; i++)
		if (domain_is_called(&setup->domains[i], name, size))
			return &setup->domains[i];
	return NULL;
}
