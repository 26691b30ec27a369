/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every operation of KCM, one request after the other, against a store that lives as long
 *
 *   | uid: u8 | size: u16 | request | … |
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "responders/kcm/kcm.h"
#include "tests/fuzz/kcm_dir.h"

#define USERS 3

static void ask(uid_t uid, struct reader in)
{
	size_t size = reader_left(&in);
	uint8_t *copy = malloc(size ? size : 1); /* its own, so that ASan guards its end */
	struct writer out = writer_new(KCM_MESSAGE_MAX + 8);
	struct reader request, reply;
	struct resp_served served;
	struct ccache_walk walk = { 0 };
	uint32_t length;

	if (size > 0)
		memcpy(copy, in.pos, size);
	do {
		request = reader_over(copy, size);
	} while (kcm_answer(store, uid, walltime_now().s, &request, &out, &walk, &served) ==
	         -EAGAIN);
	free(copy);

	reply = reader_over(out.bytes, out.size);
	length = reader_be32(&reply);
	require(reader_be32(&reply) == 0);
	require(length >= 4 && length == reader_left(&reply));
	require(reader_be32(&reply) == 0 || length == 4);
	writer_free(&out);
}

/* So that each input finds the same. */
static void destroy_all(void)
{
	require(kcm_store_begin(store, true) == 0);
	for (uid_t uid = 0; uid < USERS; uid++) {
		char name[CCACHE_NAME_MAX + 1] = "";
		struct ccache ccache;

		while (kcm_store_next(store, uid, name, &ccache) == 0)
			require(kcm_store_destroy(store, &ccache) == 0);
	}
	require(kcm_store_end(store, 0) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct kcm_store_limits limits = { 8, 4, 65536 };
	struct reader in = reader_over(data, size);

	if (!store) {
		open_store();
		kcm_store_set_limits(store, &limits);
	}
	while (reader_left(&in) > 0) {
		uid_t uid = reader_u8(&in) % USERS;
		uint16_t length = reader_u16(&in);
		const uint8_t *bytes = reader_bytes(&in, length);

		if (bytes)
			ask(uid, reader_over(bytes, length));
	}
	destroy_all();
	return 0;
}
