# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long the tests are: one code, several lengths.

SSSD_TEST_LENGTH=short (CI and ./test: seconds) or long (the figures an issue asks for).
"""
import os

LENGTH = os.environ.get("SSSD_TEST_LENGTH", "short")
assert LENGTH in ("short", "long"), "SSSD_TEST_LENGTH is short or long"


def by_length(short, long):
    """The count, duration or list that this run uses."""
    return long if LENGTH == "long" else short
