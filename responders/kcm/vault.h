/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vault - credentials on the disk, encrypted with a key that is not there
 *
 * The key comes with the unit: a credential of systemd's (systemd.exec(5), LoadCredential=),
 * VAULT_KEY in $CREDENTIALS_DIRECTORY, of at least VAULT_KEY_MIN bytes, all of which count. The
 * cipher is AES-256-GCM, which also tells what was changed. Each credential is bound to its place
 * in the store: in another it does not open.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define VAULT_KEY     "kcm.key"
#define VAULT_KEY_MIN 32

struct vault; /* a talloc object; NULL is one that leaves everything as it is */

/* From the file VAULT_KEY in dir. Errors: -ENOENT there is none; -E_CONFIG it is too short, or
 * libgcrypt has no such cipher; errno of open(2). */
int vault_open(TALLOC_CTX *mem, const char *dir, struct vault **ret_vault);

/* Not 0, and another one for another key; 0 of NULL. */
uint64_t vault_id(const struct vault *vault);

/* Appends to out what is kept of bytes at place. bytes may be what was unsealed last. */
void vault_seal(struct vault *vault, const void *place, size_t place_size, const void *bytes,
                size_t size, struct writer *out);

/* What was sealed; it stands in the vault until the next call, or where it stood when there is no
 * vault. Errors: -E_CACHE_DAMAGED it is not what was sealed there. */
int vault_unseal(struct vault *vault, const void *place, size_t place_size, struct reader sealed,
                 const uint8_t **ret_bytes, size_t *ret_size);

/* Forgets what was unsealed. */
void vault_wipe(struct vault *vault);
