# SPDX-License-Identifier: LGPL-2.1-or-later
"""ssh(1) with GSSAPI and delegated tickets, the user's in KCM, against a real sshd with real sessions."""
import pytest

from kdc import Kdc

ALICE = 4001
PORT = "2222"
SSHD = """\
Port 2222
ListenAddress 127.0.0.1
UsePAM yes
GSSAPIAuthentication yes
GSSAPIStrictAcceptorCheck no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication no
"""
HEIMTOOLS = "/opt/heimdal/usr/bin/heimtools"


@pytest.fixture(scope="module")
def c(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        kdc = Kdc(c).start()
        kdc.add("alice")
        kdc.add("host/server.test", password=None)
        c.sh(
            "useradd -u 4001 -m -s /bin/bash alice; echo '127.0.0.1 server.test' >> /etc/hosts; "
            "kadmin.local ktadd -k /etc/krb5.keytab host/server.test; "
            "mkdir -p /run/sshd; ssh-keygen -A"
        )
        c.write("/etc/ssh/test_config", SSHD)
        c.sh("systemd-run --quiet --unit=test-sshd /usr/sbin/sshd -D -f /etc/ssh/test_config")
        c.wait_for("sshd", lambda: c.sh(f"ss -ltnH 'sport = :{PORT}'").out)
        kdc.kinit("alice", "-f", "-r", "1d", user=ALICE)
        yield c


def ssh(c, command, *options, check=True, **more):
    words = ["ssh", "-p", PORT, *options]
    for option in ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"):
        words += ["-o", option]
    words += ["-o", "GSSAPIAuthentication=yes", "alice@server.test", command]
    return c.run(words, user="alice", env={"HOME": "/home/alice", **more}, check=check)


def test_without_a_ticket_there_is_no_way_in(c):
    result = ssh(c, "true", check=False, KRB5CCNAME="KCM:4001:none")
    assert result.rc == 255 and "Permission denied" in result.err


def test_a_ticket_opens_the_door_and_stays_behind(c):
    assert ssh(c, "env | grep KRB5CCNAME || echo none").out == "none\n"
    assert "host/server.test" in c.run(["klist"], user=ALICE).out


def test_a_delegated_ticket_is_good_on_the_other_side(c):
    """sshd puts it into a file of its own; from there it may go on into KCM."""
    out = ssh(c, "klist && kvno host/server.test", "-K").out
    assert "FILE:/tmp/krb5cc_4001_" in out and "krbtgt/TEST@TEST" in out and "kvno = " in out
    copy = f"{HEIMTOOLS} copy_cred_cache $KRB5CCNAME KCM:4001:delegated"
    ssh(c, f"{copy} && KRB5CCNAME=KCM:4001:delegated kvno host/server.test", "-K")
    caches = c.run(["klist", "-l"], user=ALICE).out
    assert "KCM:4001:delegated" in caches and caches.splitlines()[2].split()[1] == "KCM:4001"
    # And with that one the next door.
    assert ssh(c, "echo in", KRB5CCNAME="KCM:4001:delegated").out == "in\n"
