/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Obfuscated passwords - see obfuscated.h
 */
#include "common/ldap/obfuscated.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/base/gcrypt.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/wire/reader.h"

#define METHOD_AES_256 0
#define KEY_SIZE       32
#define BLOCK_SIZE     16

static const uint8_t end_mark[] = { 0, 1, 2, 3 };

/* 0 to 63, or -1. */
static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Into bytes, which has room for 3 of each 4 letters. */
static int base64_decode(const char *text, size_t size, uint8_t *bytes, size_t *ret_size)
{
	size_t padding = 0, n = 0;
	uint32_t bits = 0;

	while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
		padding++;
	if (size == 0 || size % 4 != 0)
		return -EBADMSG;

	for (size_t i = 0; i < size; i++) {
		int value = i < size - padding ? digit(text[i]) : 0;

		if (value < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		bytes[n++] = (uint8_t)(bits >> 16);
		bytes[n++] = (uint8_t)(bits >> 8);
		bytes[n++] = (uint8_t)bits;
	}
	*ret_size = n - padding;
	return 0;
}

/* In place. */
static gcry_error_t decrypt(const void *key, const void *iv, uint8_t *bytes, size_t size)
{
	gcry_cipher_hd_t cipher = NULL;
	gcry_error_t code = gcrypt_begin();

	if (code == 0)
		code = gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CBC, 0);
	if (code == 0)
		code = gcry_cipher_setkey(cipher, key, KEY_SIZE);
	if (code == 0)
		code = gcry_cipher_setiv(cipher, iv, BLOCK_SIZE);
	if (code == 0)
		code = gcry_cipher_decrypt(cipher, bytes, size, NULL, 0);
	gcry_cipher_close(cipher); /* which wipes the key */
	return code;
}

/* How long is what was padded to size? Errors: -EBADMSG this is no padding. */
static int unpad(const uint8_t *bytes, size_t size, size_t *ret_size)
{
	uint8_t padding = bytes[size - 1];

	if (padding == 0 || padding > BLOCK_SIZE)
		return -EBADMSG;
	for (size_t i = size - padding; i < size; i++)
		if (bytes[i] != padding)
			return -EBADMSG;
	*ret_size = size - padding;
	return 0;
}

static uint16_t read_u16(struct reader *in)
{
	uint16_t low = reader_u8(in);

	return (uint16_t)(low | reader_u8(in) << 8);
}

/* Decrypts within bytes. */
static int read_form(TALLOC_CTX *mem, uint8_t *bytes, size_t size, struct secret **ret_password)
{
	struct reader in = reader_over(bytes, size);
	uint16_t method = read_u16(&in), hidden_size = read_u16(&in);
	const void *key = reader_bytes(&in, KEY_SIZE), *iv = reader_bytes(&in, BLOCK_SIZE);
	const uint8_t *hidden = reader_bytes(&in, hidden_size);
	const uint8_t *end = reader_bytes(&in, sizeof(end_mark));
	uint8_t *plain;
	size_t length = 0;
	int r = reader_end(&in);

	if (r < 0 || method != METHOD_AES_256 || hidden_size == 0 ||
	    hidden_size % BLOCK_SIZE != 0 || memcmp(end, end_mark, sizeof(end_mark)) != 0)
		return -EBADMSG;
	plain = bytes + (hidden - bytes);
	if (decrypt(key, iv, plain, hidden_size) != 0)
		return -EBADMSG;
	r = unpad(plain, hidden_size, &length);
	/* The NUL, and none before it. */
	if (r < 0 || length < 2 || strnlen((const char *)plain, length) != length - 1)
		return -EBADMSG;
	return secret_new(mem, plain, length - 1, ret_password);
}

int obfuscated_read(TALLOC_CTX *mem, const struct secret *text, struct secret **ret_password)
{
	size_t size = secret_size(text), room = size / 4 * 3, n = 0;
	auto_talloc uint8_t *bytes = talloc_size(mem, room + 1);
	int r;

	if (!bytes)
		return -ENOMEM;
	r = base64_decode(secret_bytes(text), size, bytes, &n);
	if (r == 0)
		r = read_form(mem, bytes, n, ret_password);
	secret_wipe(bytes, room);
	return r;
}
