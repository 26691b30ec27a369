# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts and restarts in every order leave what is named and what is enabled answering."""
ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"


def test_named_service_answers_when_start_returns(suite):
    machine = suite.c
    for _ in range(5):
        suite.stop()
        machine.systemctl("unmask", "sssd-nss.socket")
        suite.configure(services="nss")
        machine.sh("systemctl start sssd.service && getent passwd alice >/tmp/first")
        assert machine.read("/tmp/first") == ALICE + "\n"


def test_socket_and_service_restarted_in_any_order_keep_answering(suite):
    machine = suite.c
    suite.stop()
    suite.start()
    for units in (
        ["sssd-nss.socket"],
        ["sssd-nss.service"],
        ["sssd-nss.socket", "sssd-nss.service"],
        ["sssd.service"],
        ["sssd-nss.service", "sssd.service", "sssd-nss.socket"],
    ):
        for _ in range(3):
            machine.systemctl("restart", *units)
            assert suite.passwd("alice") == ALICE, units
    assert machine.failed_units() == []
