/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vault - credentials on the disk, encrypted with a key that is not there
 *
 *   sealed   | nonce: 12 | ciphertext | tag: 16 |
 *
 * AES-256-GCM (NIST SP 800-38D) with a nonce by lot, and the place as what is authenticated
 * besides. libgcrypt uses the processor's own AES, which libkrb5 as Debian builds it does not: a
 * credential of 800 bytes takes less than a microsecond with the one and fifteen with the other.
 */
#include "responders/kcm/vault.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/error.h"
#include "common/base/fd.h"
#include "common/base/gcrypt.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/secret.h"

#define KEY_SIZE     32
#define NONCE_SIZE   12
#define TAG_SIZE     16
#define HASH_SIZE    64 /* of SHA-512 */
#define KEY_FILE_MAX (64u * 1024)

struct vault {
	gcry_cipher_hd_t cipher;
	uint64_t id;
	struct writer plain;
};

void vault_wipe(struct vault *vault)
{
	if (vault)
		writer_reset(&vault->plain);
}

static int vault_gone(struct vault *vault)
{
	writer_free(&vault->plain);
	gcry_cipher_close(vault->cipher); /* which wipes the key */
	return 0;
}

/* ---- the key ---- */

static gcry_error_t hmac(const void *key, size_t key_size, const void *bytes, size_t size,
                         uint8_t ret_hash[HASH_SIZE])
{
	size_t hash_size = HASH_SIZE;
	gcry_mac_hd_t mac;
	gcry_error_t code;

	code = gcry_mac_open(&mac, GCRY_MAC_HMAC_SHA512, 0, NULL);
	if (code)
		return code;
	code = gcry_mac_setkey(mac, key, key_size);
	if (!code)
		code = gcry_mac_write(mac, bytes, size);
	if (!code)
		code = gcry_mac_read(mac, ret_hash, &hash_size);
	gcry_mac_close(mac);
	return code;
}

/* A key from whatever the administrator drew by lot, and the number that tells it from others: HKDF
 * (RFC 5869) with SHA-512 and no salt, of which each needs one block. */
static gcry_error_t derive(struct vault *vault, const char *bytes, size_t size)
{
	static const uint8_t salt[HASH_SIZE];
	uint8_t known[HASH_SIZE], hash[HASH_SIZE];
	gcry_error_t code;

	code = hmac(salt, sizeof(salt), bytes, size, known);
	if (!code)
		code = hmac(known, sizeof(known), "id\1", 3, hash);
	if (!code)
		memcpy(&vault->id, hash, sizeof(vault->id));
	vault->id |= 1;
	if (!code)
		code = hmac(known, sizeof(known), "key\1", 4, hash);
	if (!code)
		code = gcry_cipher_open(&vault->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM,
		                        0);
	if (!code)
		code = gcry_cipher_setkey(vault->cipher, hash, KEY_SIZE);
	secret_wipe(known, sizeof(known));
	secret_wipe(hash, sizeof(hash));
	return code;
}

int vault_open(TALLOC_CTX *mem, const char *dir, struct vault **ret_vault)
{
	auto_talloc struct vault *vault = talloc_zero(mem, struct vault);
	auto_talloc char *path = talloc_asprintf(NULL, "%s/" VAULT_KEY, dir);
	auto_talloc char *bytes = NULL;
	gcry_error_t code;
	size_t size;
	int r;

	if (!vault || !path)
		return -ENOMEM;
	r = fd_read_file(NULL, path, KEY_FILE_MAX, &bytes, &size);
	if (r < 0)
		return r;
	vault->plain = writer_new_secretive(SIZE_MAX / 4);
	talloc_set_destructor(vault, vault_gone);
	code = size < VAULT_KEY_MIN ? gcry_error(GPG_ERR_INV_KEYLEN) : gcrypt_begin();
	if (!code)
		code = derive(vault, bytes, size);
	secret_wipe(bytes, size);
	if (size < VAULT_KEY_MIN)
		log_error("%s: a key has at least %u bytes", path, VAULT_KEY_MIN);
	else if (code)
		log_error("%s: libgcrypt makes no key of it: %s", path, gcry_strerror(code));
	if (code)
		return -E_CONFIG;

	*ret_vault = take_ptr(vault);
	return 0;
}

uint64_t vault_id(const struct vault *vault)
{
	return vault ? vault->id : 0;
}

/* ---- credentials ---- */

static gcry_error_t begin(struct vault *vault, const uint8_t *nonce, const void *place,
                          size_t place_size)
{
	gcry_error_t code;

	code = gcry_cipher_setiv(vault->cipher, nonce, NONCE_SIZE);
	return code ? code : gcry_cipher_authenticate(vault->cipher, place, place_size);
}

void vault_seal(struct vault *vault, const void *place, size_t place_size, const void *bytes,
                size_t size, struct writer *out)
{
	gcry_error_t code;
	uint8_t *nonce;

	if (!vault) {
		writer_bytes(out, bytes, size);
		return;
	}
	nonce = writer_room(out, NONCE_SIZE + size + TAG_SIZE);
	if (!nonce)
		return;
	if (getrandom(nonce, NONCE_SIZE, 0) != NONCE_SIZE) {
		out->err = -EIO;
		return;
	}
	code = begin(vault, nonce, place, place_size);
	if (!code)
		code = gcry_cipher_encrypt(vault->cipher, nonce + NONCE_SIZE, size, bytes, size);
	if (!code)
		code = gcry_cipher_gettag(vault->cipher, nonce + NONCE_SIZE + size, TAG_SIZE);
	if (code)
		out->err = -EIO;
}

int vault_unseal(struct vault *vault, const void *place, size_t place_size, struct reader sealed,
                 const uint8_t **ret_bytes, size_t *ret_size)
{
	size_t size = reader_left(&sealed);
	const uint8_t *nonce, *secret, *tag;
	uint8_t *room;

	if (!vault) {
		*ret_bytes = sealed.pos;
		*ret_size = size;
		return 0;
	}
	if (size < NONCE_SIZE + TAG_SIZE)
		return -E_CACHE_DAMAGED;
	size -= NONCE_SIZE + TAG_SIZE;
	nonce = reader_bytes(&sealed, NONCE_SIZE);
	secret = reader_bytes(&sealed, size);
	tag = reader_bytes(&sealed, TAG_SIZE);
	vault_wipe(vault);
	room = writer_room(&vault->plain, size);
	if (!room)
		return -ENOMEM;
	if (begin(vault, nonce, place, place_size) ||
	    gcry_cipher_decrypt(vault->cipher, room, size, secret, size) ||
	    gcry_cipher_checktag(vault->cipher, tag, TAG_SIZE))
		return -E_CACHE_DAMAGED;
	*ret_bytes = room;
	*ret_size = size;
	return 0;
}
