/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/sbus/value.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/error.h"

struct fields {
	const char *text;
	uint32_t number;
};

static const size_t places[] = { offsetof(struct fields, text), offsetof(struct fields, number) };
static const struct sbus_args args = { "(su)", places, sizeof(struct fields) };

static void append(DBusMessageIter *out, const char *text, const uint32_t *number)
{
	if (text)
		ck_assert(dbus_message_iter_append_basic(out, DBUS_TYPE_STRING, &text));
	if (number)
		ck_assert(dbus_message_iter_append_basic(out, DBUS_TYPE_UINT32, number));
}

/* With them in one structure, as it should be, or beside each other. */
static DBusMessage *message_of(const char *text, const uint32_t *number, bool in_one)
{
	DBusMessage *message = dbus_message_new_method_call(NULL, "/sssd", "test.sample", "any");
	DBusMessageIter out, inner;

	dbus_message_iter_init_append(message, &out);
	if (!in_one) {
		append(&out, text, number);
		return message;
	}
	ck_assert(dbus_message_iter_open_container(&out, DBUS_TYPE_STRUCT, NULL, &inner));
	append(&inner, text, number);
	ck_assert(dbus_message_iter_close_container(&out, &inner));
	return message;
}

static const struct {
	const char *text;
	const uint32_t *number;
	bool in_one;
	int r;
} messages[] = {
	{ "alice", &(const uint32_t){ 7 }, true, 0 },
	{ "alice", NULL, true, -EBADMSG },
	{ NULL, &(const uint32_t){ 7 }, true, -EBADMSG },
	{ "alice", &(const uint32_t){ 7 }, false, -EBADMSG },
	{ NULL, NULL, false, -EBADMSG },
};

START_TEST(test_only_the_right_arguments_are_read)
{
	cleanup_with(dbus_message_unref) DBusMessage *message =
		message_of(messages[_i].text, messages[_i].number, messages[_i].in_one);
	struct fields fields = { "before", 1 };
	auto_talloc void *mem = talloc_new(NULL);

	ck_assert_int_eq(sbus_args_read(message, &args, mem, true, &fields), messages[_i].r);
	ck_assert_str_eq(fields.text, messages[_i].r < 0 ? "before" : "alice");
	ck_assert_uint_eq(fields.number, messages[_i].r < 0 ? 1 : 7);
}
END_TEST

START_TEST(test_surplus_arguments_are_refused)
{
	cleanup_with(dbus_message_unref) DBusMessage *message =
		message_of("alice", &(const uint32_t){ 7 }, true);
	struct fields fields;
	const char *more = "more";

	ck_assert(dbus_message_append_args(message, DBUS_TYPE_STRING, &more, DBUS_TYPE_INVALID));
	ck_assert_int_eq(sbus_args_read(message, &args, NULL, true, &fields), -EBADMSG);
}
END_TEST

static const int codes[] = {
#define X(code, text) code,
	ERROR_LIST(X)
#undef X
		EPERM,
	ENOENT,
	EAGAIN,
	ENOMEM,
	ETIMEDOUT,
	ECANCELED,
};

START_TEST(test_code_and_name_belong_together)
{
	auto_talloc char *name = sbus_error_name(NULL, -codes[_i]);

	ck_assert_int_eq(sbus_error_code(name), -codes[_i]);
}
END_TEST

static const struct {
	const char *name;
	int r;
} foreign[] = {
	{ "org.freedesktop.DBus.Error.UnknownMethod", -ENOSYS },
	{ "org.freedesktop.DBus.Error.NoReply", -E_BUS },
	{ "sssd.Error.", -E_BUS },
	{ "sssd.Error.E_OFFLINE2", -E_BUS },
	{ "sssd.Error.UNKNOWN", -E_BUS },
	{ "E_OFFLINE", -E_BUS },
};

START_TEST(test_name_that_is_not_ours)
{
	ck_assert_int_eq(sbus_error_code(foreign[_i].name), foreign[_i].r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sbus value");
	TCase *value = tcase_create("value");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(value, test_only_the_right_arguments_are_read, 0, 5);
	tcase_add_test(value, test_surplus_arguments_are_refused);
	tcase_add_loop_test(value, test_code_and_name_belong_together, 0,
	                    (int)(sizeof(codes) / sizeof(codes[0])));
	tcase_add_loop_test(value, test_name_that_is_not_ours, 0, 6);
	suite_add_tcase(suite, value);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
