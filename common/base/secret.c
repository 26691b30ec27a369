/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Secrets - passwords and keys
 *
 * Each has pages of its own: mlock(2) and MADV_DONTDUMP (madvise(2)) work on pages, and a page
 * shared with the heap would lose its protection with the first neighbour that is freed.
 */
#include "common/base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define SECRET_MAX (64u * 1024)

struct secret {
	char *pages; /* owned */
	size_t size; /* of the secret; one byte more is mapped at least */
};

static int secret_free(struct secret *secret)
{
	secret_wipe(secret->pages, secret->size);
	munmap(secret->pages, secret->size + 1); /* unlocks, too */
	return 0;
}

int secret_new(TALLOC_CTX *mem, const void *bytes, size_t size, struct secret **ret_secret)
{
	struct secret *secret;
	char *pages;

	if (size > SECRET_MAX)
		return -EINVAL;

	secret = talloc(mem, struct secret);
	if (!secret)
		return -ENOMEM;
	pages = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED) {
		talloc_free(secret);
		return -ENOMEM;
	}
	*secret = (struct secret){ .pages = pages, .size = size };
	talloc_set_destructor(secret, secret_free);

	/* Before the bytes come in. RLIMIT_MEMLOCK may refuse the lock: then swap can see them. */
	(void)mlock(pages, size + 1);
	(void)madvise(pages, size + 1, MADV_DONTDUMP);
	if (size > 0)
		memcpy(pages, bytes, size);

	*ret_secret = secret;
	return 0;
}

const char *secret_bytes(const struct secret *secret)
{
	return secret->pages;
}

size_t secret_size(const struct secret *secret)
{
	return secret->size;
}

void secret_wipe(void *bytes, size_t size)
{
	explicit_bzero(bytes, size);
}
