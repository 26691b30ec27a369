/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vault - credentials on the disk, encrypted with a key that is not there
 *
 *   sealed   | ciphertext of | place | credential | |
 */
#include "responders/kcm/vault.h"

#include <errno.h>
#include <krb5.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret.h"

#define CIPHER       ENCTYPE_AES256_CTS_HMAC_SHA384_192
#define KEY_SIZE     32 /* of the cipher */
#define KEY_FILE_MAX (64u * 1024)
#define USAGE        1024 /* the first that is free for applications (RFC 4120 section 7.5.1) */

struct vault {
	krb5_context context;
	krb5_key key;
	uint64_t id;
	struct writer plain;
};

void vault_wipe(struct vault *vault)
{
	if (!vault)
		return;
	if (vault->plain.bytes)
		secret_wipe(vault->plain.bytes, vault->plain.size);
	writer_reset(&vault->plain);
}

static int vault_gone(struct vault *vault)
{
	vault_wipe(vault);
	writer_free(&vault->plain);
	if (vault->key)
		krb5_k_free_key(vault->context, vault->key);
	if (vault->context)
		krb5_free_context(vault->context);
	return 0;
}

static krb5_data data_of(const void *bytes, size_t size)
{
	krb5_data data;

	memset(&data, 0, sizeof(data));
	data.data = (char *)bytes;
	data.length = (unsigned)size;
	return data;
}

/* A key from whatever the administrator drew by lot, and the number that tells it from others: both
 * by the cipher's pseudo-random function, which is a hash here (RFC 8009 section 5). */
static krb5_error_code derive(struct vault *vault, const char *bytes, size_t size)
{
	uint8_t nothing[KEY_SIZE] = { 0 };
	krb5_keyblock known = { .enctype = CIPHER, .length = KEY_SIZE, .contents = nothing };
	krb5_data input = data_of(bytes, size), word = data_of("id", 2);
	krb5_data number = data_of(&vault->id, sizeof(vault->id));
	krb5_keyblock *key = NULL;
	krb5_error_code code;

	code = krb5_c_derive_prfplus(vault->context, &known, &input, CIPHER, &key);
	if (code == 0)
		code = krb5_c_prfplus(vault->context, key, &word, &number);
	if (code == 0)
		code = krb5_k_create_key(vault->context, key, &vault->key);
	if (key)
		krb5_free_keyblock(vault->context, key); /* which wipes it */
	vault->id |= 1;
	return code;
}

int vault_open(TALLOC_CTX *mem, const char *dir, struct vault **ret_vault)
{
	auto_talloc struct vault *vault = talloc_zero(mem, struct vault);
	auto_talloc char *path = talloc_asprintf(NULL, "%s/" VAULT_KEY, dir);
	auto_talloc char *bytes = NULL;
	krb5_error_code code;
	size_t size;
	int r;

	if (!vault || !path)
		return -ENOMEM;
	r = fd_read_file(NULL, path, KEY_FILE_MAX, &bytes, &size);
	if (r < 0)
		return r;
	vault->plain = writer_new(SIZE_MAX / 4);
	talloc_set_destructor(vault, vault_gone);
	code = size < VAULT_KEY_MIN ? EINVAL : krb5_init_context(&vault->context);
	if (code == 0)
		code = derive(vault, bytes, size);
	secret_wipe(bytes, size);
	if (size < VAULT_KEY_MIN)
		log_error("%s: a key has at least %u bytes", path, VAULT_KEY_MIN);
	else if (code != 0)
		log_error("%s: libkrb5 makes no key of it (error %d)", path, (int)code);
	if (code != 0)
		return -E_CONFIG;

	*ret_vault = take_ptr(vault);
	return 0;
}

uint64_t vault_id(const struct vault *vault)
{
	return vault ? vault->id : 0;
}

void vault_seal(struct vault *vault, const void *place, size_t place_size, const void *bytes,
                size_t size, struct writer *out)
{
	krb5_enc_data sealed = { 0 };
	krb5_data plain;
	size_t length;

	if (!vault) {
		writer_bytes(out, bytes, size);
		return;
	}
	/* bytes may be what was unsealed last, and stand there. */
	struct writer both = writer_new(SIZE_MAX / 4);

	writer_bytes(&both, place, place_size);
	writer_bytes(&both, bytes, size);
	if (writer_end(&both) < 0 ||
	    krb5_c_encrypt_length(vault->context, CIPHER, both.size, &length) != 0) {
		out->err = -ENOMEM;
	} else {
		plain = data_of(both.bytes, both.size);
		sealed.enctype = CIPHER;
		sealed.ciphertext = data_of(writer_room(out, length), length);
		if (out->err == 0 &&
		    krb5_k_encrypt(vault->context, vault->key, USAGE, NULL, &plain, &sealed) != 0)
			out->err = -ENOMEM;
	}
	if (both.bytes)
		secret_wipe(both.bytes, both.size);
	writer_free(&both);
}

int vault_unseal(struct vault *vault, const void *place, size_t place_size, struct reader sealed,
                 const uint8_t **ret_bytes, size_t *ret_size)
{
	krb5_enc_data in = { .enctype = CIPHER };
	size_t size = reader_left(&sealed);
	krb5_data out;
	uint8_t *room;

	if (!vault) {
		*ret_bytes = sealed.pos;
		*ret_size = size;
		return 0;
	}
	vault_wipe(vault);
	room = writer_room(&vault->plain, size);
	if (!room)
		return -ENOMEM;
	in.ciphertext = data_of(sealed.pos, size);
	out = data_of(room, size);
	if (krb5_k_decrypt(vault->context, vault->key, USAGE, NULL, &in, &out) != 0 ||
	    out.length < place_size || memcmp(room, place, place_size) != 0)
		return -E_CACHE_DAMAGED;
	*ret_bytes = room + place_size;
	*ret_size = out.length - place_size;
	return 0;
}
