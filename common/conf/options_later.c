/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options of [sssd] and the responders that are known and not built
 *
 * A row leaves here for the table of its module on the day it is built. Types are given so that a
 * value can be judged before anybody reads it.
 */
#include "common/conf/options.h"

static const char *const initgroups_schemes[] = { "always", "no_session", "never", NULL };
static const char *const scopes[] = { "none", "some", "all", NULL };

/* clang-format off */
const struct opt later_any_opts[] = {
	{ "debug_backtrace_enabled", OPT_BOOL, .state = OPT_LATER },
	{ "command", OPT_TEXT, .state = OPT_LATER, .flags = OPT_HIDDEN },
	{ "fd_limit", OPT_NUMBER, .state = OPT_LATER, .unit = "fds" },
	{ "client_idle_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	/* Another spelling of debug_level: compiled files have only that one. */
	{ "debug", OPT_LEVEL, .state = OPT_IGNORED },
	{ "description", OPT_TEXT, .state = OPT_IGNORED },
	{ "reconnection_retries", OPT_NONE, .state = OPT_IGNORED },
	OPT_END
};

const struct opt later_sssd_opts[] = {
	{ "krb5_rcache_dir", OPT_TEXT, .state = OPT_LATER },
	{ "certificate_verification", OPT_LIST, .state = OPT_LATER },
	{ "passkey_verification", OPT_LIST, .state = OPT_LATER },
	{ "implicit_pac_responder", OPT_BOOL, .state = OPT_LATER },
	{ "user", OPT_TEXT, .state = OPT_IGNORED },
	{ "config_file_version", OPT_NUMBER, .state = OPT_IGNORED, .min = 2, .max = 2 },
	{ "enable_files_domain", OPT_BOOL, .state = OPT_LATER },
	OPT_END
};

const struct opt later_service_opts[] = {
	{ "get_domains_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	OPT_END
};

const struct opt later_nss_opts[] = {
	{ "enum_cache_timeout", OPT_NUMBER, .state = OPT_IGNORED, .unit = "s",
	  .help = "a list is read from the cache of the moment, none is kept that could be too old" },
	{ "user_attributes", OPT_LIST, .state = OPT_LATER },
	OPT_END
};

const struct opt later_pam_opts[] = {
	{ "offline_credentials_expiration", OPT_NUMBER, .state = OPT_LATER, .unit = "days" },
	{ "offline_failed_login_attempts", OPT_NUMBER, .state = OPT_LATER },
	{ "offline_failed_login_delay", OPT_NUMBER, .state = OPT_LATER, .unit = "min" },
	{ "pam_verbosity", OPT_NUMBER, .state = OPT_LATER, .min = 0, .max = 3 },
	{ "pam_response_filter", OPT_LIST, .state = OPT_LATER },
	{ "pam_id_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "pam_initgroups_scheme", OPT_WORD, .state = OPT_LATER, .words = initgroups_schemes },
	{ "pam_pwd_expiration_warning", OPT_NUMBER, .state = OPT_LATER, .unit = "days" },
	{ "pam_trusted_users", OPT_LIST, .state = OPT_LATER },
	{ "pam_public_domains", OPT_LIST, .state = OPT_LATER },
	{ "pam_account_expired_message", OPT_TEXT, .state = OPT_LATER },
	{ "pam_account_locked_message", OPT_TEXT, .state = OPT_LATER },
	{ "pam_app_services", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_services", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_check_upn", OPT_BOOL, .state = OPT_LATER },
	{ "pam_gssapi_indicators_map", OPT_LIST, .state = OPT_LATER },
	{ "pam_gssapi_indicators_apply", OPT_LIST, .state = OPT_LATER },
	{ "pam_cert_auth", OPT_BOOL, .state = OPT_LATER },
	{ "pam_cert_db_path", OPT_TEXT, .state = OPT_LATER },
	{ "pam_cert_verification", OPT_LIST, .state = OPT_LATER },
	{ "p11_child_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "p11_wait_for_card_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "p11_uri", OPT_TEXT, .state = OPT_LATER },
	{ "pam_p11_allowed_services", OPT_LIST, .state = OPT_LATER },
	{ "pam_passkey_auth", OPT_BOOL, .state = OPT_LATER },
	{ "passkey_child_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "passkey_debug_libfido2", OPT_BOOL, .state = OPT_LATER },
	{ "pam_json_services", OPT_LIST, .state = OPT_LATER },
	OPT_END
};

const struct opt later_sudo_opts[] = {
	{ "sudo_timed", OPT_BOOL, .state = OPT_LATER },
	{ "sudo_threshold", OPT_NUMBER, .state = OPT_LATER },
	{ "sudo_inverse_order", OPT_BOOL, .state = OPT_LATER, .flags = OPT_HIDDEN },
	OPT_END
};

const struct opt later_autofs_opts[] = {
	{ "autofs_negative_timeout", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	OPT_END
};

const struct opt later_ssh_opts[] = {
	{ "ssh_use_certificate_keys", OPT_BOOL, .state = OPT_LATER },
	{ "ssh_use_certificate_matching_rules", OPT_LIST, .state = OPT_LATER },
	{ "ca_db", OPT_TEXT, .state = OPT_LATER },
	{ "ssh_hash_known_hosts", OPT_NONE, .state = OPT_IGNORED },
	{ "ssh_known_hosts_timeout", OPT_NONE, .state = OPT_IGNORED },
	OPT_END
};

const struct opt later_pac_opts[] = {
	{ "allowed_uids", OPT_LIST, .state = OPT_LATER },
	{ "pac_lifetime", OPT_NUMBER, .state = OPT_LATER, .unit = "s" },
	{ "pac_check", OPT_LIST, .state = OPT_LATER },
	OPT_END
};

const struct opt later_ifp_opts[] = {
	{ "user_attributes", OPT_LIST, .state = OPT_LATER },
	{ "allowed_uids", OPT_LIST, .state = OPT_LATER },
	{ "wildcard_limit", OPT_NUMBER, .state = OPT_LATER },
	OPT_END
};

const struct opt later_kcm_opts[] = {
	{ "socket_path", OPT_TEXT, .state = OPT_LATER },
	{ "ccache_storage", OPT_TEXT, .state = OPT_LATER, .flags = OPT_HIDDEN },
	OPT_END
};

const struct opt later_session_recording_opts[] = {
	{ "scope", OPT_WORD, .state = OPT_LATER, .words = scopes },
	{ "users", OPT_LIST, .state = OPT_LATER },
	{ "groups", OPT_LIST, .state = OPT_LATER },
	{ "exclude_users", OPT_LIST, .state = OPT_LATER },
	{ "exclude_groups", OPT_LIST, .state = OPT_LATER },
	OPT_END
};

const struct opt later_certmap_opts[] = {
	{ "matchrule", OPT_TEXT, .state = OPT_LATER },
	{ "maprule", OPT_TEXT, .state = OPT_LATER },
	{ "domains", OPT_LIST, .state = OPT_LATER },
	{ "priority", OPT_NUMBER, .state = OPT_LATER },
	OPT_END
};

const struct opt later_prompting_password_opts[] = {
	{ "password_prompt", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_prompting_2fa_opts[] = {
	{ "single_prompt", OPT_BOOL, .state = OPT_LATER },
	{ "first_prompt", OPT_TEXT, .state = OPT_LATER },
	{ "second_prompt", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_prompting_passkey_opts[] = {
	{ "interactive", OPT_BOOL, .state = OPT_LATER },
	{ "interactive_prompt", OPT_TEXT, .state = OPT_LATER },
	{ "touch", OPT_BOOL, .state = OPT_LATER },
	{ "touch_prompt", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};

const struct opt later_prompting_oauth2_opts[] = {
	{ "interactive", OPT_BOOL, .state = OPT_LATER },
	{ "interactive_prompt", OPT_TEXT, .state = OPT_LATER },
	OPT_END
};
/* clang-format on */
