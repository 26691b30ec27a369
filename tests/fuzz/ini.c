/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzzer - the administrator's file, and the values in it under every option that has their name
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/conf/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was said must be found again, and judged without harm. */
static void use(TALLOC_CTX *mem, const struct conf *conf)
{
	for (const char *const *section = conf_sections(conf); *section; section++) {
		(void)opt_kind(*section);
		for (const char *const *name = conf_names(conf, *section); *name; name++) {
			const struct conf_value *value = conf_written(conf, *section, *name);
			const struct opt *opt = opt_find(*section, *name);
			char *reason = NULL;
			int r;

			assert(value && value->line > 0);
			if (!opt) {
				(void)opt_nearest(*section, *name, 0);
				continue;
			}
			r = opt_set(mem, opt, value->text, NULL, &reason);
			assert(r == 0 || (r == -E_CONFIG && reason));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_talloc TALLOC_CTX *mem = talloc_new(NULL);
	char *bytes = talloc_size(mem, size + 1);
	struct conf *conf = conf_new(mem);
	struct ini_error error = { 0 };
	struct ini *ini;
	int r;

	if (size > 0)
		memcpy(bytes, data, size);
	bytes[size] = '\0';
	r = ini_parse(mem, bytes, size, INI_LINE_MAX, &ini, &error);
	assert(r == 0 || (r == -E_CONFIG && error.line > 0 && error.text));
	if (r < 0)
		return 0;

	r = conf_add(conf, "fuzz", ini, bytes);
	assert(r == 0);
	r = conf_seal(conf);
	assert(r == 0);
	use(mem, conf);
	return 0;
}
