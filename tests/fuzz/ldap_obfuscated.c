/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz: what is given for an obfuscated password. One that is read is a text that is not empty.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/ldap/obfuscated.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct secret *text, *password;

	if (secret_new(mem, data, size, &text) == 0 && obfuscated_read(mem, text, &password) == 0) {
		assert(secret_size(password) > 0);
		assert(strlen(secret_bytes(password)) == secret_size(password));
	}
	talloc_free(mem);
	return 0;
}
