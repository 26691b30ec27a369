# SPDX-License-Identifier: LGPL-2.1-or-later
"""SASL binds (sssd-ldap(5), ldap_sasl_mech): GSSAPI with the keytab of the host and a real KDC,
EXTERNAL with a certificate or over ldapi, and what is said when they cannot work."""
import time

import pytest

from kdc import Kdc
from length import by_length
from slapd import READER, READER_PASSWORD, Slapd, authority
from suite import Suite, sssd_conf

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
GSSAPI = {"ldap_sasl_mech": "GSSAPI"}
HOST = "host/client.test"
NO_CACHE = {"KRB5CCNAME": "MEMORY:"}
AUTHID = {"ldap_sasl_authid": HOST}
HELPER = "sssd-ldap-child.service"

# Nobody may read who did not bind; each way to bind is the reader.
SASL = f"""\
sasl-host ldap.test
sasl-realm TEST
TLSVerifyClient allow
authz-regexp "uid=[^,]*,(cn=[^,]*,)?cn=(gssapi|gss-spnego),cn=auth" "{READER}"
authz-regexp "uid=reader,(cn=[^,]*,)?cn=scram-sha-256,cn=auth" "{READER}"
authz-regexp "cn=client.test" "{READER}"
authz-regexp "gidNumber=[0-9]+\\\\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth" "{READER}"
"""


@pytest.fixture(scope="module")
def kdc(machine):
    c = machine
    c.write("/etc/hosts", "127.0.0.1 localhost\n127.0.0.5 ldap.test\n")
    kdc = Kdc(c).start()
    kdc.add(HOST, "host/other.test", "ldap/ldap.test", password=None)
    keys(kdc, "/etc/ldap/ldap.keytab", "ldap/ldap.test")
    keys(kdc, "/etc/krb5.keytab", HOST)
    return kdc


def keys(kdc, path, *names):
    """A keytab, root's, with their keys as they are."""
    kdc.c.sh(f"rm -f {path}")
    command = ["kadmin.local", "ktadd", "-norandkey", "-k", path, *names]
    kdc.c.run(command, env=NO_CACHE)
    kdc.c.sh(f"chmod 600 {path}")


def serve(c, name, **how):
    server = Slapd(c, name, anonymous=False, security=SASL, stats=True, **how)
    conf = "[Service]\nEnvironment=KRB5_KTNAME=/etc/ldap/ldap.keytab\n"
    c.write(f"/run/systemd/system/{server.unit}.d/keytab.conf", conf)
    return server.start()


@pytest.fixture(scope="module")
def slapd(kdc):
    return serve(kdc.c, "main", address="127.0.0.5")


@pytest.fixture(scope="module")
def suite(slapd):
    slapd.c.systemctl("enable", "--now", "sssd-nss.socket")
    return Suite(slapd.c, slapd)


def begin(suite, uri="ldaps://ldap.test", **options):
    """Starts anew, without a cache."""
    suite.c.systemctl("stop", "sssd.service", "sssd-nss.service")
    suite.c.sh("rm -rf /var/lib/sss/db/*")
    suite.configure(uri=uri, **options)
    suite.c.systemctl("start", "sssd.service")


def status(suite):
    return suite.c.show("sssd.service", "StatusText")


def said(suite):
    suite.c.run(["journalctl", "--sync"])
    return suite.c.journal("-t", "sssd_LDAP", "-o", "cat")


def binds(suite):
    """What slapd says about the last bind."""
    suite.c.run(["journalctl", "--sync"])
    lines = suite.c.journal("-u", suite.slapd.unit, "-o", "cat").splitlines()
    return [line for line in lines if " BIND dn=" in line and "mech=" in line][-1]


# ---- GSSAPI ----

CLEAR = {"ldap_id_use_start_tls": "false"}


@pytest.mark.parametrize("mech", ["GSSAPI", "GSS-SPNEGO"])
@pytest.mark.parametrize(
    "uri, options, ssf",
    [
        ("ldaps://ldap.test", {}, 256),
        ("ldap://ldap.test", {}, 256),
        ("ldap://ldap.test", CLEAR, 256),
        ("ldap://ldap.test", {**CLEAR, "ldap_sasl_maxssf": 0}, 0),
        ("ldap://ldap.test", {**CLEAR, "ldap_sasl_minssf": 56}, 256),
        ("ldaps://ldap.test", {"ldap_sasl_maxssf": 0}, 0),
        ("ldap://ldap.test", {"ldap_network_timeout": 0, "ldap_opt_timeout": 0}, 256),
        ("ldaps://127.0.0.5", {"ldap_sasl_canonicalize": "true"}, 256),
        ("ldaps://ldap.test", {**AUTHID, "krb5_realm": "ELSE", "ldap_sasl_realm": "TEST"}, 256),
    ],
)
def test_bind_with_the_keytab_of_the_host(suite, mech, uri, options, ssf):
    begin(suite, uri, ldap_sasl_mech=mech, **options)
    assert suite.passwd("alice") == ALICE
    assert suite.group("devs") == ("devs", 20002, {"alice", "bob"})
    assert f'dn="{READER}" mech={mech} bind_ssf={ssf} ' in binds(suite)


def offline(suite, **options):
    """What is said when it cannot work, by all who say it."""
    begin(suite, **{**GSSAPI, **options})
    assert suite.passwd("alice") is None
    suite.c.wait_for("the reason", lambda: "LDAP: offline since" in status(suite))
    told = suite.c.run(["sssctl", "domain-status", "LDAP"])
    assert told.out.startswith("Online status: Offline\n")
    for text in (status(suite), told.err):
        assert "LDAP: offline since" in text
    return told.err


REFUSED = [
    ({"ldap_krb5_keytab": "/no/such.keytab"}, "keytab FILE:/no/such.keytab: ", "not found"),
    ({"ldap_krb5_keytab": "/etc/hosts"}, "keytab FILE:/etc/hosts: ", "Unsupported key table format"),
    ({"ldap_krb5_keytab": "/etc/old.keytab"}, f"TGT for {HOST}@TEST", "not the one that the KDC has"),
    ({"ldap_krb5_keytab": "/etc/gone.keytab"}, "host/gone.test@TEST", "not found in Kerberos database"),
    ({"ldap_sasl_authid": "host/nobody"}, "FILE:/etc/krb5.keytab has no key for host/nobody@TEST", ""),
    ({"ldap_sasl_authid": f"{HOST}@ELSE"}, f"has no key for {HOST}@ELSE", ""),
    ({**AUTHID, "ldap_sasl_realm": "ELSE"}, f"has no key for {HOST}@ELSE", ""),
    ({**AUTHID, "krb5_realm": "ELSE"}, f"has no key for {HOST}@ELSE", ""),
    ({"uri": "ldaps://127.0.0.5"}, f"ticket of {HOST}@TEST for ldap/127.0.0.5: ", "not found"),
    ({"ldap_sasl_minssf": 1000}, "not protect as well as ldap_sasl_minssf = 1000 asks", ""),
    ({"ldap_sasl_mech": "NO-SUCH"}, "NO-SUCH bind: libsasl2 has no such mechanism", ""),
]


@pytest.mark.parametrize("options, first, second", REFUSED)
def test_refused_with_the_reason(suite, kdc, options, first, second):
    c = suite.c
    if not c.exists("/etc/old.keytab"):
        kdc.add("host/gone.test", password=None)
        keys(kdc, "/etc/gone.keytab", "host/gone.test")
        keys(kdc, "/etc/old.keytab", HOST)
        c.sh(f"kadmin.local delprinc host/gone.test; kadmin.local cpw -randkey {HOST}", env=NO_CACHE)
        keys(kdc, "/etc/krb5.keytab", HOST)
    text = offline(suite, **options)
    assert first in text and second in text, text


def test_external(suite):
    """Who the certificate is for, and over ldapi who the process is."""
    c = suite.c
    authority(c).issue(c, "/etc/sssd", ["client.test"], 10)
    c.sh("chown sssd /etc/sssd/server.*; chmod 711 /etc/sssd")
    files = {"ldap_tls_cert": "/etc/sssd/server.pem", "ldap_tls_key": "/etc/sssd/server.key"}
    begin(suite, ldap_sasl_mech="EXTERNAL", **files)
    assert suite.passwd("alice") == ALICE
    assert f'dn="{READER}" mech=EXTERNAL ' in binds(suite)
    begin(suite, suite.slapd.ldapi, ldap_sasl_mech="EXTERNAL")
    assert suite.passwd("alice") == ALICE
    assert f'dn="{READER}" mech=EXTERNAL bind_ssf=0 ssf=71' in binds(suite)
    begin(suite, ldap_sasl_mech="EXTERNAL")
    assert suite.passwd("alice") is None
    assert "EXTERNAL bind: " in status(suite)


@pytest.mark.parametrize("password", [READER_PASSWORD, "wrong"])
def test_another_mechanism(suite, password):
    """One that asks for a name and a password."""
    begin(
        suite,
        ldap_sasl_mech="SCRAM-SHA-256",
        ldap_sasl_authid="reader",
        ldap_default_authtok=password,
    )
    if password == READER_PASSWORD:
        assert suite.passwd("alice") == ALICE
        assert f'dn="{READER}" mech=SCRAM-SHA-256 ' in binds(suite)
    else:
        assert suite.passwd("alice") is None
        assert "SCRAM-SHA-256 bind: " in status(suite)
    assert password not in said(suite)


# ---- tickets ----


def servants(c):
    """The pids of the helper's conversations, as the container counts."""
    main = c.show(HELPER, "MainPID")
    return c.sh(f"pgrep -P {main}", check=False).out.split()


def capabilities(c, pid):
    """All that the process has or may have, but for what it may never have."""
    lines = c.read(f"/proc/{pid}/status").splitlines()
    return {line.split()[1] for line in lines if line[:6] in ("CapInh", "CapPrm", "CapEff", "CapAmb")}


def test_the_helper_reads_what_is_root_s_and_speaks_with_nothing(suite, kdc):
    c = suite.c
    assert c.sh("stat -c '%a %U' /etc/krb5.keytab").out == "600 root\n"
    kdc.c.systemctl("kill", "--signal=STOP", "test-kdc")
    try:
        begin(suite, **GSSAPI, ldap_opt_timeout=20)
        c.wait_for("a conversation", lambda: len(servants(c)) == 1)
        (pid,) = servants(c)
        c.wait_for("it gave all up", lambda: capabilities(c, pid) == {"0000000000000000"})
        (be,) = suite.pids("sssd_be")
        assert capabilities(c, be) == {"0000000000000000"}
    finally:
        kdc.c.systemctl("kill", "--signal=CONT", "test-kdc")
    c.wait_for("the bind", lambda: "LDAP: online" in status(suite), timeout=20)


@pytest.fixture
def silent(suite):
    """The only name server takes questions and says nothing; this host has a name without a domain."""
    c = suite.c
    script = "import socket as s; a = s.socket(s.AF_INET, s.SOCK_DGRAM); a.bind(('127.0.0.99', 53)); "
    c.run(
        ["systemd-run", "--quiet", "--unit=test-silent.service", "/usr/bin/python3", "-c"]
        + [script + "import time; time.sleep(1000)"]
    )
    c.wait_for("it listens", lambda: "127.0.0.99:53 " in c.sh("ss -Hlun").out)
    before = c.sh("cat /etc/resolv.conf", check=False).out
    c.write("/etc/resolv.conf", "nameserver 127.0.0.99\n")
    c.sh("sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf")
    assert "." not in c.sh("hostname").out
    yield c
    c.sh("sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf")
    c.systemctl("stop", "test-silent.service")
    c.write("/etc/resolv.conf", before)


@pytest.mark.parametrize("options", [{}, AUTHID])
def test_this_host_s_name_takes_no_longer_than_a_ticket_may(suite, silent, options):
    begin(suite, **GSSAPI, **options)
    suite.c.wait_for("the bind", lambda: "LDAP: online" in status(suite), timeout=10)
    assert suite.passwd("alice") == ALICE


def test_this_host_s_name_is_asked_for_with_nothing(suite, silent):
    c = suite.c
    drop_in = f"/run/systemd/system/{HELPER}.d/slow.conf"
    c.write(drop_in, "[Service]\nEnvironment='RES_OPTIONS=timeout:5 attempts:1'\n")
    c.systemctl("daemon-reload")
    c.systemctl("stop", HELPER)
    try:
        begin(suite, **GSSAPI, ldap_opt_timeout=20)
        c.wait_for("a conversation", lambda: len(servants(c)) == 1)
        (pid,) = servants(c)
        c.wait_for("it gave all up", lambda: capabilities(c, pid) == {"0000000000000000"}, timeout=3)
        c.wait_for("the bind", lambda: "LDAP: online" in status(suite), timeout=20)
    finally:
        c.sh(f"rm {drop_in}")
        c.systemctl("daemon-reload")
        c.systemctl("stop", HELPER)


TWO = """
[domain/OTHER]
id_provider = ldap
ldap_uri = ldaps://127.0.0.6
ldap_search_base = dc=test
ldap_tls_cacert = /etc/ssl/test-ca.pem
"""


@pytest.fixture(scope="module")
def other(suite):
    """A server without SASL, whose domain must not notice."""
    return Slapd(suite.c, "other", address="127.0.0.6").start()


@pytest.mark.parametrize("how", ["away", "silent"])
def test_no_kdc_is_this_domain_s_matter_alone(suite, kdc, other, how):
    c = suite.c
    text = sssd_conf(**GSSAPI, ldap_opt_timeout=3, min_id=10002).replace("= LDAP", "= LDAP, OTHER")
    if how == "away":
        kdc.down()
    else:
        c.systemctl("kill", "--signal=STOP", "test-kdc")
    try:
        c.systemctl("stop", "sssd.service", "sssd-nss.service")
        c.sh("rm -rf /var/lib/sss/db/*")
        suite.configure(text + TWO)
        c.systemctl("start", "sssd.service")
        result = suite.getent("passwd", "alice@OTHER")
        assert result.out.startswith("alice:*:10001:") and result.ms < 1000
        result = suite.getent("passwd", "bob@LDAP")
        assert result.rc == 2 and result.ms < 6000
        c.wait_for("the reason", lambda: "offline" in told(c) and "KDC" in told(c))
        reason = (
            "Cannot contact any KDC for realm 'TEST'"
            if how == "away"
            else "no KDC has one within 3 s (ldap_opt_timeout)"
        )
        c.wait_for("the reason", lambda: reason in told(c), timeout=20)
        assert "OTHER: online" in status(suite)
    finally:
        if how == "away":
            kdc.up()
        else:
            c.systemctl("kill", "--signal=CONT", "test-kdc")
    c.run(["pkill", "-USR2", "-x", "sssd"])
    c.wait_for("it is back", lambda: suite.passwd("bob@LDAP"), timeout=20)


def told(c):
    return c.run(["sssctl", "domain-status", "LDAP"], check=False).err


def handed_out(suite):
    return said(suite).count("good for")


def test_tickets_are_renewed_before_they_end(suite, kdc):
    """Connections end 2 s before its end, and none is missed; nor do they outlive it."""
    life_s, watched_s = by_length((12, 26), (16, 120))  # seconds
    begin(suite, **GSSAPI, ldap_krb5_ticket_lifetime=life_s, entry_cache_timeout=1, debug_level=6)
    before, n = handed_out(suite), 0
    end = time.monotonic() + watched_s
    while time.monotonic() < end:
        result = suite.getent("passwd", "alice")
        assert result.out.strip() == ALICE and result.ms < 1000, result
        n += 1
        time.sleep(0.3)
    assert "offline" not in said(suite).split("online since")[-1]
    lives = watched_s / life_s
    assert lives <= handed_out(suite) - before + 1 <= lives * 2, said(suite)
    last = [line for line in said(suite).splitlines() if "good for" in line][-1]
    assert f"host/client.test@TEST for ldap/ldap.test, good for {life_s} s" in last


def test_what_was_fetched_does_without_a_kdc(suite, kdc):
    begin(suite, **GSSAPI)
    assert suite.passwd("alice") == ALICE
    kdc.down()
    try:
        suite.slapd.down()
        suite.slapd.up()
        assert suite.passwd("bob").startswith("bob:")
    finally:
        kdc.up()


def test_a_bind_that_was_not_answered_costs_no_ticket(suite, kdc):
    """The server falls silent at the bind, the first thing it is asked."""
    c = suite.c
    begin(suite, "ldap://ldap.test", **GSSAPI, **CLEAR, ldap_read_rootdse="never", ldap_opt_timeout=2)
    assert suite.passwd("alice") == ALICE
    kdc.down()
    try:
        suite.slapd.pause()
        c.run(["pkill", "-USR1", "-x", "sssd"])
        c.run(["pkill", "-USR2", "-x", "sssd"])
        c.wait_for("the reason", lambda: "the SASL bind: not done" in told(c))
        suite.slapd.resume()
        c.run(["pkill", "-USR2", "-x", "sssd"])
        c.wait_for("it is back", lambda: "LDAP: online" in status(suite))
        assert suite.passwd("bob").startswith("bob:")
    finally:
        suite.slapd.resume()
        kdc.up()


def test_a_ticket_that_was_refused_is_kept_until_there_is_another(suite, kdc):
    """A server that is without its key for a while, and a KDC that is away."""
    c = suite.c
    begin(suite, **GSSAPI)
    assert suite.passwd("alice") == ALICE
    kdc.down()
    suite.slapd.down()
    c.sh("mv /etc/ldap/ldap.keytab /etc/ldap/away.keytab")
    try:
        suite.slapd.up()
        assert suite.passwd("bob") is None
        c.wait_for("the reason", lambda: "GSSAPI bind: " in told(c))
        c.run(["pkill", "-USR2", "-x", "sssd"])
        c.wait_for("another try", lambda: "the ticket that was refused is tried again" in said(suite))
        c.sh("mv /etc/ldap/away.keytab /etc/ldap/ldap.keytab")
        c.run(["pkill", "-USR2", "-x", "sssd"])
        c.wait_for("it is back", lambda: suite.passwd("bob"), timeout=20, step=0.5)
    finally:
        c.sh("mv /etc/ldap/away.keytab /etc/ldap/ldap.keytab", check=False)
        kdc.up()


def test_a_new_key_of_the_server(suite, kdc):
    """The ticket that was made with the old one is of no use: another one is fetched."""
    begin(suite, **GSSAPI)
    assert suite.passwd("alice") == ALICE
    suite.slapd.down()
    suite.c.sh("kadmin.local cpw -randkey ldap/ldap.test", env=NO_CACHE)
    keys(kdc, "/etc/ldap/ldap.keytab", "ldap/ldap.test")
    suite.slapd.up()
    suite.c.wait_for("it is back", lambda: suite.passwd("bob"), timeout=20, step=0.5)


def test_the_helper_is_not_there(suite):
    c = suite.c
    begin(suite, **GSSAPI, ldap_krb5_keytab="/no/such")
    c.systemctl("stop", "sssd-ldap-child.socket", HELPER)
    c.run(["pkill", "-USR2", "-x", "sssd"])
    c.wait_for("the reason", lambda: "/run/sssd-be/ldap-child: " in told(c), timeout=20)


def test_somebody_else_gets_the_tickets(suite, kdc):
    c = suite.c
    c.sh(f"kinit -k {HOST} && chown sssd /run/tickets", env={"KRB5CCNAME": "FILE:/run/tickets"})
    drop_in = "/run/systemd/system/sssd.service.d/tickets.conf"
    c.write(drop_in, "[Service]\nEnvironment=KRB5CCNAME=FILE:/run/tickets\n")
    c.systemctl("daemon-reload")
    try:
        begin(suite, **GSSAPI, ldap_krb5_init_creds="false", ldap_krb5_keytab="/no/such")
        assert suite.passwd("alice") == ALICE
        assert "mech=GSSAPI" in binds(suite)
    finally:
        c.sh(f"rm {drop_in} /run/tickets")
        c.systemctl("daemon-reload")
    begin(suite, **GSSAPI, ldap_krb5_init_creds="false")
    assert suite.passwd("alice") is None
    assert "GSSAPI bind: " in status(suite)


BAD = [
    ("ldap_sasl_mech", "gss api"),
    ("ldap_sasl_minssf", "strong"),
    ("ldap_sasl_minssf", "-2"),
    ("ldap_sasl_maxssf", "70000"),
    ("ldap_sasl_canonicalize", "perhaps"),
    ("ldap_krb5_init_creds", "2"),
    ("ldap_krb5_ticket_lifetime", "0"),
    ("ldap_krb5_keytab", "krb5.keytab"),
]


@pytest.mark.parametrize("name, value", BAD)
def test_bad_value_is_named_with_its_line(suite, name, value):
    c = suite.c
    suite.configure(**{**GSSAPI, name: value})
    lines = c.read("/etc/sssd/sssd.conf").splitlines()
    line = [i for i, text in enumerate(lines, 1) if text == f"{name} = {value}"][0]
    checked = c.run(["sssctl", "config-check"], check=False)
    assert checked.rc != 0
    assert name in checked.out and f"/etc/sssd/sssd.conf:{line}" in checked.out, checked


def test_bounds_that_contradict_each_other(suite):
    suite.configure(**GSSAPI, ldap_sasl_minssf=128, ldap_sasl_maxssf=56)
    checked = suite.c.run(["sssctl", "config-check"], check=False)
    assert checked.rc != 0 and "ldap_sasl_minssf" in checked.out, checked
