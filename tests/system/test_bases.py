# SPDX-License-Identifier: LGPL-2.1-or-later
"""Search bases that only the server understands: Active Directory takes "<GUID=…>" for a DN."""
import pathlib

from suite import Suite

SERVER = pathlib.Path(__file__).resolve().parents[1] / "fake/ldapserver.py"
BASE = "<GUID=1>"


def test_members_are_found_below_a_base_that_is_no_dn(container):
    """id and getent agree."""
    with container() as c:
        c.write("/srv/ldapserver.py", SERVER.read_text())
        c.run(["systemd-run", "--quiet", "--collect", "--", "/usr/bin/python3", "/srv/ldapserver.py"]
              + ["--port", "389", "moniker", BASE])
        c.wait_for("the server listens", lambda: ":389 " in c.sh("ss -Htln").out)
        suite = Suite(c).start(
            uri="ldap://127.0.0.1",
            ldap_search_base=BASE,
            ldap_id_use_start_tls="false",
            ldap_schema="rfc2307bis",
        )
        assert suite.group("group1") == ("group1", 30001, {"user0", "user1"})
        assert {30000, 30001, 30002} <= suite.initgroups("user0")
        assert suite.group(30002) == ("group2", 30002, {"user0", "user1"})
