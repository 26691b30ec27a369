# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server that does not do as it should (tests/fake/ldapserver.py), and a suite that has no other."""
import pathlib

from suite import Suite
from watch import Log

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "fake/ldapserver.py"
BASE = "dc=example,dc=com"
UNIT = "test-misfit.service"


def install(c):
    """Once in a container."""
    c.write("/srv/ldapserver.py", PROGRAM.read_text())
    c.systemctl("enable", "--now", "sssd-nss.socket")


def begin(c, mode, **options):
    """The suite with a server in this mode, nothing cached; its log from here on is suite.log."""
    c.systemctl("stop", UNIT, "sssd.service", "sssd-nss.service", check=False)
    c.run(
        ["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "/usr/bin/python3"]
        + ["/srv/ldapserver.py", "--port", "389", *mode.split()]
    )
    c.wait_for("it listens", lambda: "127.0.0.1:389 " in c.sh("ss -Hltn").out, timeout=60)
    suite = Suite(c)
    suite.configure(
        uri="ldap://127.0.0.1", ldap_id_use_start_tls="false", ldap_search_base=BASE, **options
    )
    c.sh("rm -rf /var/lib/sss/db/*")
    suite.log = Log(c)
    c.systemctl("start", "sssd.service")
    c.wait_for("online", lambda: "LDAP: online" in c.show("sssd.service", "StatusText"))
    return suite


def switch(c):
    """To the mode behind "then"."""
    c.systemctl("kill", "--signal=USR1", UNIT)
