# SPDX-License-Identifier: LGPL-2.1-or-later
"""Answers of a directory server that make no sense: nobody is taken for gone because of them."""
import pathlib

from suite import Suite

SERVER = pathlib.Path(__file__).resolve().parents[1] / "fake/ldapserver.py"
UNIT = "test-ldapserver.service"


def start(c, modes, **options):
    c.write("/srv/ldapserver.py", SERVER.read_text())
    c.write(
        f"/run/systemd/system/{UNIT}",
        f"[Service]\nExecStart=/usr/bin/python3 /srv/ldapserver.py --port 389 {modes}\n",
    )
    c.systemctl("daemon-reload")
    c.systemctl("start", UNIT)
    c.wait_for("the server listens", lambda: ":389 " in c.sh("ss -Htln").out)
    return Suite(c).start(
        uri="ldap://127.0.0.1",
        ldap_search_base="dc=example,dc=com",
        ldap_id_use_start_tls="false",
        **options,
    )


def test_what_cannot_be_read_is_not_gone(container):
    with container() as c:
        suite = start(c, "ok then unreadable", entry_cache_timeout=1)
        groups = {30000, 30001, 30002}
        assert suite.initgroups("user0") >= groups
        assert suite.group("group0")
        c.systemctl("kill", "--signal=USR1", UNIT)

        c.wait_for("it is asked for", lambda: suite.initgroups("user0") and "cannot be read" in c.journal())
        for _ in range(2):
            assert suite.passwd("user0")
            assert suite.group("group0")
            assert suite.initgroups("user0") >= groups


def test_pages_without_an_end(container):
    with container() as c:
        suite = start(c, "endless", enumerate="true")
        suite.getent("passwd", timeout=90)
        assert "page after page, and nobody new" in c.journal("-u", "sssd.service")
