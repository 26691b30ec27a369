/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Renewal - the conversation with the KDC (RFC 4120 section 3.3.3; krb5_get_renewed_creds())
 */
#include "responders/kcm/renew_ticket.h"

#include <krb5.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"

struct renewal {
	krb5_context context;
	krb5_creds *old;
	krb5_ccache ccache;
	krb5_creds renewed;
	bool is_renewed, is_validated;
	krb5_data *bytes;
};

static void renewal_end(struct renewal *renewal)
{
	krb5_context context = renewal->context;

	if (renewal->bytes)
		krb5_free_data(context, renewal->bytes); /* which wipes it */
	if (renewal->is_renewed)
		krb5_free_cred_contents(context, &renewal->renewed);
	if (renewal->ccache)
		krb5_cc_destroy(context, renewal->ccache);
	if (renewal->old)
		krb5_free_creds(context, renewal->old);
	if (context)
		krb5_free_context(context);
}

/* As the KDC's clock has it: what libkrb5 says of times is said to the KDC. */
static krb5_error_code set_clock(krb5_context context, int32_t kdc_offset)
{
	if (kdc_offset == 0)
		return 0;
	return krb5_set_real_time(context, (krb5_timestamp)(time(NULL) + kdc_offset), -1);
}

/* libkrb5 looks for the old ticket in a cache. */
static krb5_error_code put_old(struct renewal *renewal, const struct bytes *credential)
{
	krb5_context context = renewal->context;
	krb5_error_code code;
	krb5_data data = { 0 };

	data.length = (unsigned)credential->size;
	data.data = (char *)credential->at;
	code = krb5_unmarshal_credentials(context, &data, &renewal->old);
	if (code == 0)
		code = krb5_cc_new_unique(context, "MEMORY", NULL, &renewal->ccache);
	if (code == 0)
		code = krb5_cc_initialize(context, renewal->ccache, renewal->old->client);
	return code ? code : krb5_cc_store_cred(context, renewal->ccache, renewal->old);
}

/* Does the ticket come from a KDC that shares a key with this host? */
static krb5_error_code validate(struct renewal *renewal, const char *path)
{
	krb5_verify_init_creds_opt options;
	krb5_keytab keytab;
	krb5_error_code code;

	code = krb5_kt_resolve(renewal->context, path, &keytab);
	if (code)
		return code;
	krb5_verify_init_creds_opt_init(&options);
	krb5_verify_init_creds_opt_set_ap_req_nofail(&options, 1);
	code = krb5_verify_init_creds(renewal->context, &renewal->renewed, NULL, keytab, NULL,
	                              &options);
	krb5_kt_close(renewal->context, keytab);
	return code;
}

static krb5_error_code renew(struct renewal *renewal, const struct renew_request *request,
                             const char *keytab)
{
	krb5_error_code code;

	code = krb5_init_context(&renewal->context);
	if (code == 0)
		code = set_clock(renewal->context, request->kdc_offset);
	if (code == 0)
		code = put_old(renewal, &request->credential);
	if (code == 0)
		code = krb5_get_renewed_creds(renewal->context, &renewal->renewed,
		                              renewal->old->client, renewal->ccache, NULL);
	renewal->is_renewed = code == 0;
	if (code == 0 && request->validate)
		code = validate(renewal, keytab);
	renewal->is_validated = code == 0;
	return code ? code
	            : krb5_marshal_credentials(renewal->context, &renewal->renewed,
	                                       &renewal->bytes);
}

/* The first 128 codes of libkrb5's are those of the protocol (RFC 4120 section 7.5.9). */
static bool is_of_protocol(krb5_error_code code)
{
	return code >= ERROR_TABLE_BASE_krb5 && code < ERROR_TABLE_BASE_krb5 + 128;
}

static enum metrics_renewal result_of(const struct renewal *renewal, krb5_error_code code)
{
	if (code == 0)
		return METRICS_RENEWED;
	if (renewal->is_renewed)
		return renewal->is_validated ? METRICS_RENEWAL_ERROR : METRICS_NOT_VALIDATED;
	if (code == KRB5_KDC_UNREACH || code == KRB5_REALM_UNKNOWN ||
	    code == KRB5_REALM_CANT_RESOLVE)
		return METRICS_UNREACHED;
	return is_of_protocol(code) ? METRICS_REFUSED : METRICS_RENEWAL_ERROR;
}

enum metrics_renewal renew_ticket(const struct renew_request *request, const char *keytab,
                                  struct writer *out)
{
	struct renewal renewal = { 0 };
	struct renew_reply reply = { .code = renew(&renewal, request, keytab) };
	const char *text = reply.code ? krb5_get_error_message(renewal.context, reply.code) : NULL;
	enum metrics_renewal result = result_of(&renewal, reply.code);
	char shortened[RENEW_TEXT_MAX + 1];

	if (text) {
		size_t size = strnlen(text, RENEW_TEXT_MAX);

		memcpy(shortened, text, size);
		shortened[size] = '\0';
		reply.text = shortened;
		krb5_free_error_message(renewal.context, text);
	}
	if (renewal.bytes && reply.code == 0)
		reply.credential = (struct bytes){ (const uint8_t *)renewal.bytes->data,
			                           renewal.bytes->length };
	renew_write_reply(out, &reply);
	renewal_end(&renewal);
	return result;
}
