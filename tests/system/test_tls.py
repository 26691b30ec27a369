# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is believed to be the directory server, and who gets to see a password: ldaps, StartTLS, the
ldap_tls_* options and binds (design section 7, sssd-ldap(5))."""
import pytest

from slapd import READER, READER_PASSWORD, Slapd
from suite import Suite

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
HOSTS = {
    "good.test": "127.0.0.1",
    "unknown-ca.test": "127.0.0.2",
    "wrong-name.test": "127.0.0.3",
    "expired.test": "127.0.0.4",
    "no-tls.test": "127.0.0.5",
    "closed.test": "127.0.0.6",
}
BIND = {
    "ldap_default_bind_dn": READER,
    "ldap_default_authtok_type": "password",
    "ldap_default_authtok": READER_PASSWORD,
}


@pytest.fixture(scope="module")
def suite(machine):
    machine.write(
        "/etc/hosts",
        "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in HOSTS.items()),
    )
    machine.servers = {}
    for name, address in HOSTS.items():
        server = Slapd(
            machine,
            name.split(".")[0],
            address=address,
            names=["other.test"] if name == "wrong-name.test" else [name],
            anonymous=name != "closed.test",
            tls=name != "no-tls.test",
            stats=name in ("no-tls.test", "closed.test"),
        )
        server.start()
        if name in ("unknown-ca.test", "expired.test"):
            server.use_certificate(
                own_ca=name == "unknown-ca.test", days=-1 if name == "expired.test" else 10
            )
            server.down()
            server.up()
        machine.servers[name] = server
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    return Suite(machine)


def begin(suite, uri, options):
    """Starts anew against that server, without a cache."""
    suite.c.systemctl("stop", "sssd.service", "sssd-nss.service")
    suite.c.sh("rm -rf /var/lib/sss/db/*")
    suite.configure(uri=uri, **options)
    suite.c.systemctl("start", "sssd.service")


def status(suite):
    return suite.c.show("sssd.service", "StatusText")


def warnings(suite):
    suite.c.run(["journalctl", "--sync"])
    return suite.c.journal("-t", "sssd_LDAP", "-o", "cat").count("is spoken to in clear text")


NEVER, ALLOW = {"ldap_tls_reqcert": "never"}, {"ldap_tls_reqcert": "allow"}
CLEAR, START_TLS = {"ldap_id_use_start_tls": "false"}, {"ldap_id_use_start_tls": "true"}
UNTRUSTED = ["unknown-ca.test", "wrong-name.test", "expired.test"]

BELIEVED = [
    ("ldaps://good.test", {}),
    ("ldap://good.test", {}),
    ("ldap://good.test", START_TLS),
    ("ldap://good.test", CLEAR),
    ("ldap://no-tls.test", CLEAR),
    *((f"{scheme}://{name}", NEVER) for name in UNTRUSTED for scheme in ("ldap", "ldaps")),
    *((f"ldaps://{name}", ALLOW) for name in UNTRUSTED),
    ("ldaps://closed.test", BIND),
    ("ldap://closed.test", BIND),
    ("ldap://closed.test", {**BIND, **CLEAR}),
    ("ldaps://unknown-ca.test, ldaps://good.test", {}),
]

CERTIFICATE = "TLS handshake: its certificate is not trusted, has expired, or is not for {name}"
WHICH_LINE = "it refuses StartTLS (Protocol error); if it is meant to be spoken to in clear text, "
WHICH_LINE += "write ldap_id_use_start_tls = false in [domain/LDAP]"

REFUSED = [
    *(
        (f"{scheme}://{name}", options, CERTIFICATE.format(name=name))
        for name in UNTRUSTED
        for scheme, options in (
            ("ldaps", {}),
            ("ldap", {}),
            ("ldap", START_TLS),
            ("ldaps", {"ldap_tls_reqcert": "try"}),
            ("ldaps", {"ldap_tls_reqcert": "demand"}),
            ("ldaps", BIND),
        )
    ),
    ("ldap://no-tls.test", {}, WHICH_LINE),
    ("ldap://no-tls.test", BIND, WHICH_LINE),
    ("ldap://no-tls.test", START_TLS, "it refuses StartTLS (Protocol error)"),
    ("ldap://no-tls.test", NEVER, WHICH_LINE),
    ("ldaps://closed.test", {**BIND, "ldap_default_authtok": "wrong"}, "bind: Invalid credentials"),
    (
        "ldaps://closed.test",
        {**BIND, "ldap_default_bind_dn": "cn=nobody,dc=test"},
        "bind: Invalid credentials",
    ),
    ("ldaps://good.test", {"ldap_tls_cacert": "/no/such/file"}, "ldap_tls_cacert"),
]


@pytest.mark.parametrize("uri, options", BELIEVED)
def test_believed(suite, uri, options):
    before = warnings(suite)
    begin(suite, uri, options)
    assert suite.passwd("alice") == ALICE
    assert "LDAP: online since" in status(suite)
    assert warnings(suite) - before == (options.get("ldap_id_use_start_tls") == "false")


@pytest.mark.parametrize("uri, options, reason", REFUSED)
def test_refused_with_the_reason(suite, uri, options, reason):
    begin(suite, uri, options)
    assert suite.passwd("alice") is None
    text = status(suite)
    assert "LDAP: offline since" in text and reason in text, text


@pytest.mark.parametrize("options", [{}, START_TLS, NEVER], ids=["unset", "true", "never"])
def test_password_is_not_sent_to_a_server_without_tls(suite, options):
    server = suite.c.servers["no-tls.test"]
    begin(suite, "ldap://no-tls.test", {**BIND, **options})
    assert suite.passwd("alice") is None
    assert READER not in suite.c.journal("-u", server.unit, "-o", "cat")


def test_wrong_password_is_no_reason_to_forget_anybody(suite):
    """What was cached stays known while the domain cannot bind."""
    begin(suite, "ldaps://closed.test", BIND)
    assert suite.passwd("alice") == ALICE
    suite.configure(uri="ldaps://closed.test", **{**BIND, "ldap_default_authtok": "wrong"})
    suite.c.systemctl("restart", "sssd.service")
    suite.c.wait_for("refused", lambda: "Invalid credentials" in status(suite))
    suite.c.run(["sss_cache", "-E"], check=False)
    for client in ("ours", "debian"):
        assert suite.passwd("alice", client=client) == ALICE
