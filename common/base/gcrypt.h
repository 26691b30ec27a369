/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libgcrypt, ready for use
 */
#pragma once

#include <gcrypt.h>

/* Initialises the library unless somebody did already. Without its "secure memory": our processes
 * are not dumpable, and their other secrets are in common memory, too. */
static inline gcry_error_t gcrypt_begin(void)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return 0;
	if (!gcry_check_version(NULL))
		return gcry_error(GPG_ERR_NOT_SUPPORTED);
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	return gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}
