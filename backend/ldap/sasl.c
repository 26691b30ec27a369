/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SASL - see sasl.h (libldap calls libsasl2; sasl.h is for its questions)
 */
#include "backend/ldap/sasl.h"

#include <sasl/sasl.h>
#include <stdio.h>
#include <string.h>

#include "backend/ldap/error.h"
#include "common/base/secret.h"
#include "common/base/str.h"

bool sasl_needs_tickets(const char *mechanism)
{
	static const char *const mechanisms[] = { "GSSAPI", "GSS-SPNEGO", "GS2-KRB5" };

	for (size_t i = 0; i < str_size(mechanisms); i++)
		if (strcmp(mechanism, mechanisms[i]) == 0)
			return true;
	return false;
}

static const char *answer_to(const struct ldap_conf *conf, unsigned long question)
{
	switch (question) {
	case SASL_CB_AUTHNAME:
		return conf->sasl_authid;
	case SASL_CB_GETREALM:
		return conf->sasl_realm ? conf->sasl_realm : conf->krb5_realm;
	case SASL_CB_PASS:
		return conf->bind_password ? secret_bytes(conf->bind_password) : NULL;
	default:
		return NULL; /* SASL_CB_USER above all: we act for nobody else */
	}
}

/* What libsasl2 wants to know is what a person would be asked. */
static int answer(LDAP *ld, unsigned flags, void *data, void *questions)
{
	const struct ldap_conf *conf = data;
	sasl_interact_t *question = questions;

	(void)ld;
	(void)flags;
	for (; question->id != SASL_CB_LIST_END; question++) {
		const char *text = answer_to(conf, question->id);

		if (!text)
			text = question->defresult ? question->defresult : "";
		question->result = text;
		question->len = (unsigned)strlen(text);
	}
	return LDAP_SUCCESS;
}

static int set_ssf(LDAP *ld, int option, int32_t value)
{
	ber_len_t ssf = (ber_len_t)value;

	return value < 0 ? LDAP_OPT_SUCCESS : ldap_set_option(ld, option, &ssf);
}

static bool set_options(LDAP *ld, const struct ldap_conf *conf)
{
	return ldap_set_option(ld, LDAP_OPT_X_SASL_NOCANON,
	                       conf->sasl_canonicalize ? LDAP_OPT_OFF : LDAP_OPT_ON) ==
	               LDAP_OPT_SUCCESS &&
	       set_ssf(ld, LDAP_OPT_X_SASL_SSF_MIN, conf->sasl_minssf) == LDAP_OPT_SUCCESS &&
	       set_ssf(ld, LDAP_OPT_X_SASL_SSF_MAX, conf->sasl_maxssf) == LDAP_OPT_SUCCESS;
}

/* Of "GSSAPI Error: Unspecified GSS failure.  Minor code may provide more information (…)" what
 * helps.
 */
static const char *essence(const char *text)
{
	static const char noise[] = "may provide more information ";
	const char *found = strstr(text, noise);

	return found ? found + strlen(noise) : text;
}

static bool is_sasl_code(const char *text, int code)
{
	char start[32];

	snprintf(start, sizeof(start), "SASL(%d)", code);
	return strncmp(text, start, strlen(start)) == 0;
}

/* What libsasl2 says when it has no mechanism of that name, or none that fits, does not help
 * anybody to find the line or the package. */
static void explain(LDAP *ld, const struct ldap_conf *conf, int code, char *reason, size_t size)
{
	char *said = NULL;
	const char *text;

	ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	text = said ? said : "";
	if (is_sasl_code(text, SASL_TOOWEAK) ||
	    (is_sasl_code(text, SASL_NOMECH) && conf->sasl_minssf > 0))
		snprintf(
			reason, size,
			"%s bind: it does not protect as well as ldap_sasl_minssf = %d asks, or is "
			"not installed (%s)",
			conf->sasl_mech, (int)conf->sasl_minssf, text);
	else if (is_sasl_code(text, SASL_NOMECH))
		snprintf(reason, size,
		         "%s bind: libsasl2 has no such mechanism, or not for this connection (%s)",
		         conf->sasl_mech, text);
	else
		snprintf(reason, size, "%s bind: %s%s%s", conf->sasl_mech, ldap_err2string(code),
		         *text ? ": " : "", essence(text));
	ldap_memfree(said);
}

int sasl_bind(LDAP *ld, const struct ldap_conf *conf, char *reason, size_t size)
{
	int code = LDAP_LOCAL_ERROR;

	if (set_options(ld, conf))
		code = ldap_sasl_interactive_bind_s(ld, NULL, conf->sasl_mech, NULL, NULL,
		                                    LDAP_SASL_QUIET, answer, (void *)conf);
	if (code != LDAP_SUCCESS)
		explain(ld, conf, code, reason, size);
	return ldap_error(code);
}
