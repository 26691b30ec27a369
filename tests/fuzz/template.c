/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzzer - templates of home directories, and the file of shells
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/template.h"
#include "responders/nss/nss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct template_value values[] = { { 'u', "alice" }, { 'P', NULL }, { '\0' } };
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_strndup(mem, (const char *)data, size);
	char *filled = NULL, **shells = NULL;
	const char *fault = template_fault(text, "uP");
	int r = template_fill(mem, text, values, &filled);

	/* A value that is not there may come before what makes no sense. */
	assert(fault ? r == -EINVAL || r == -ENODATA : r == 0 || r == -ENODATA);
	assert((r == 0) == (filled != NULL));
	assert(!fault || (*fault == '%' && fault < text + strlen(text)));

	r = shells_parse(mem, text, &shells);
	assert(r == 0);
	for (char **shell = shells; *shell; shell++)
		assert(**shell == '/');
	return 0;
}
