# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that DNS names (RFC 2782), against a real name server."""
import pytest

from dns import Dns
from slapd import BASE, CA, Slapd
from suite import Suite

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
A, B = "a.corp.test", "b.corp.test"
HOSTS = [(A, "127.0.0.2"), (B, "127.0.0.3")]
BOTH = [("corp.test", 0, 10, 389, A), ("corp.test", 1, 10, 636, B)]


@pytest.fixture(scope="module")
def site(machine):
    """Two servers with the same directory, known to DNS alone."""
    machine.write("/etc/hosts", "127.0.0.1 localhost\n")
    machine.a = Slapd(machine, "a", address="127.0.0.2", names=[A]).start()
    machine.b = Slapd(machine, "b", address="127.0.0.3", names=[B]).start()
    machine.dns = Dns(machine)
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    return machine


@pytest.fixture
def begin(site):
    """begin(option=value, …): the suite with these, and nothing cached."""

    def start(domain="CORP", **options):
        text = f"[sssd]\ndomains = {domain}\n[nss]\nmemcache_timeout = 0\n[domain/{domain}]\n"
        values = {
            "id_provider": "ldap",
            "ldap_search_base": BASE,
            "ldap_tls_cacert": CA,
            "dns_discovery_domain": "corp.test",
            **options,
        }
        text += "".join(f"{name} = {value}\n" for name, value in values.items() if value is not None)
        suite = Suite(site)
        suite.configure(text)
        site.systemctl("stop", "sssd.service", "sssd-nss.service")
        site.sh("rm -rf /var/lib/sss/db/*")
        site.systemctl("start", "sssd.service")
        return suite

    yield start
    site.a.up()
    site.b.up()
    site.sh("hostname sssd-test")
    site.write("/etc/hosts", "127.0.0.1 localhost\n")


def server(suite, domain="CORP"):
    """What the connection leads to."""
    text = suite.c.show("sssd.service", "StatusText")
    line = next(line for line in text.replace("; ", "\n").splitlines() if f"{domain}: " in line)
    return line.split(", ")[1].split()[0] if "online since" in line else line


def servers(suite, domain="CORP"):
    out = suite.c.run(["sssctl", "domain-status", "--servers", domain]).out
    return [line[2:] for line in out.splitlines() if line.startswith("- ")]


@pytest.mark.parametrize("uri", [None, "_srv_", "_SRV_"])
def test_best_priority_with_starttls(site, begin, uri):
    site.dns.serve(*HOSTS, srv=BOTH)
    suite = begin(ldap_uri=uri)
    assert suite.passwd("alice") == ALICE
    assert server(suite) == f"ldap://{A}:389"
    assert servers(suite) == [A, B]
    assert "SRV _ldap._tcp.corp.test" in site.dns.queries()


def test_next_priority_over_ldaps_when_the_first_is_down(site, begin):
    site.dns.serve(*HOSTS, srv=BOTH)
    site.a.down()
    suite = begin()
    assert suite.passwd("alice") == ALICE
    assert server(suite) == f"ldaps://{B}:636"


def test_in_its_place_among_others(site, begin):
    """The list is kept in order, and a server without DNS needs not wait for it."""
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 389, B)])
    site.a.down()
    suite = begin(ldap_uri=f"ldap://{A}, _srv_, ldap://127.0.0.9")
    assert suite.passwd("alice") == ALICE
    assert server(suite) == f"ldap://{B}:389"
    assert servers(suite) == [A, B, "127.0.0.9"]


def test_service_name(site, begin):
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 636, A)], service="ldaps")
    suite = begin(ldap_dns_service_name="ldaps")
    assert suite.passwd("alice") == ALICE
    assert server(suite) == f"ldaps://{A}:636"
    assert "SRV _ldaps._tcp.corp.test" in site.dns.queries()


def test_domain_of_the_host_name_then_the_domains_own(site, begin):
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 389, A), ("other.test", 0, 0, 389, B)])
    site.sh("hostname here.other.test")
    suite = begin(domain="corp.test", dns_discovery_domain=None)
    assert suite.passwd("alice") == ALICE
    assert server(suite, "corp.test") == f"ldap://{B}:389"
    assert "SRV _ldap._tcp.corp.test" not in site.dns.queries()

    site.sh("hostname here.nowhere.test")
    suite = begin(domain="corp.test", dns_discovery_domain=None)
    assert suite.passwd("alice") == ALICE
    assert server(suite, "corp.test") == f"ldap://{A}:389"


def test_domain_of_the_host_name_in_etc_hosts(site, begin):
    site.dns.serve(*HOSTS, srv=[("other.test", 0, 0, 389, B)])
    site.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 here.other.test here\n")
    site.sh("hostname here")
    suite = begin(dns_discovery_domain=None)
    assert suite.passwd("alice") == ALICE
    assert server(suite) == f"ldap://{B}:389"


def test_ttl_ends(site, begin):
    """A server that comes is found, one that goes is left, when the TTL is over and a connection is
    made; before that DNS is not asked again."""
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 389, A)], ttl=4)
    suite = begin(ldap_connection_expire_timeout=1)
    assert suite.passwd("alice") == ALICE
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 389, B)], ttl=300)
    for name in ("bob", "carol"):
        site.sh("sleep 1.2")
        assert suite.passwd(name)
    assert server(suite) == f"ldap://{A}:389"
    assert "SRV _ldap._tcp.corp.test" not in site.dns.queries()

    site.sh("sleep 3")
    assert suite.passwd("dave.o-neill_1")
    assert server(suite) == f"ldap://{B}:389"
    assert servers(suite) == [B]
    assert site.dns.queries().count("SRV _ldap._tcp.corp.test") == 1


@pytest.mark.parametrize("dead", ["down", "pause"])
def test_without_dns_the_servers_known_before(site, begin, dead):
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 389, A)], ttl=1)
    suite = begin(ldap_connection_expire_timeout=1)
    assert suite.passwd("alice") == ALICE
    getattr(site.dns, dead)()
    try:
        site.sh("sleep 2")
        found = suite.getent("passwd", "bob")
        assert found.rc == 0, found
        assert server(suite) == f"ldap://{A}:389"
    finally:
        site.dns.resume() if dead == "pause" else None


def test_nobody_named_and_back(site, begin):
    """The reason is told, and an event is enough to look again."""
    site.dns.serve(*HOSTS)
    suite = begin()
    assert suite.passwd("alice") is None
    assert "_ldap._tcp.corp.test: DNS names no server" in site.show("sssd.service", "StatusText")
    assert "None so far." in site.run(["sssctl", "domain-status", "CORP"]).out
    site.dns.serve(*HOSTS, srv=BOTH)
    site.sh("echo 'options edns0' >>/etc/resolv.conf")
    site.wait_for("online", lambda: server(suite) == f"ldap://{A}:389", timeout=5)
    assert suite.passwd("alice") == ALICE


# -- how DNS is asked ------------------------------------------------------------------------------


@pytest.mark.parametrize("use, found", [(None, True), ("true", True), ("false", False)])
def test_search_list(site, begin, use, found):
    site.dns.serve(*HOSTS)
    site.write("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch corp.test\n")
    suite = begin(ldap_uri="ldap://a", dns_resolver_use_search_list=use, ldap_tls_reqcert="never")
    assert (suite.passwd("alice") == ALICE) == found
    site.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


@pytest.fixture
def silent(site):
    """The first name server takes questions and says nothing."""
    script = "import socket as s; a = s.socket(s.AF_INET, s.SOCK_DGRAM); a.bind(('127.0.0.99', 53)); "
    site.run(
        ["systemd-run", "--quiet", "--unit=test-silent.service", "/usr/bin/python3", "-c"]
        + [script + "import time; time.sleep(1000)"]
    )
    site.wait_for("it listens", lambda: "127.0.0.99:53 " in site.sh("ss -Hlun").out)
    site.write("/etc/resolv.conf", "nameserver 127.0.0.99\nnameserver 127.0.0.1\n")
    yield site
    site.systemctl("stop", "test-silent.service")
    site.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")


def first_online_s(suite):
    """From the start of the domain to its first connection."""
    out = suite.c.sh(
        "journalctl -u sssd.service -o short-monotonic --no-pager | "
        "sed -n 's/^\\[ *\\([0-9.]*\\)\\].*\\(Starting sssd\\|: online since\\).*/\\1/p' | tail -2"
    ).out.split()
    return float(out[1]) - float(out[0])


@pytest.mark.parametrize("wait_ms, least, most", [("100", 0.1, 1.5), (None, 1.0, 2.5), ("2000", 2.0, 3.5)])
def test_next_name_server_after_a_while(silent, begin, wait_ms, least, most):
    silent.dns.serve(*HOSTS)
    suite = begin(ldap_uri=f"ldap://{A}", dns_resolver_server_timeout=wait_ms)
    silent.wait_for("online", lambda: server(suite) == f"ldap://{A}:389")
    assert least <= first_online_s(suite) <= most


@pytest.mark.parametrize(
    "options, seconds",
    [
        ({"dns_resolver_op_timeout": 1}, 1),
        ({"dns_resolver_timeout": 2}, 2),
        ({"dns_resolver_op_timeout": 2, "dns_resolver_timeout": 20}, 2),
    ],
)
def test_no_answer_in_time(silent, begin, options, seconds):
    """Both name servers are silent; the domain says so as soon as its time is up."""
    silent.dns.serve(*HOSTS)
    silent.dns.pause()
    try:
        suite = begin(ldap_uri=f"ldap://{A}", dns_resolver_server_timeout=30000, **options)
        silent.sh(f"sleep {seconds - 0.7}")
        assert "offline" not in server(suite)
        silent.wait_for("offline", lambda: "offline" in server(suite), timeout=1.7)
        assert "no answer from the name servers" in silent.show("sssd.service", "StatusText")
    finally:
        silent.dns.resume()


def test_a_name_that_is_none(site, begin):
    """What DNS says goes into no URI and no log line as it is."""
    site.dns.serve(*HOSTS, srv=[("corp.test", 0, 0, 389, "a/b?c"), ("corp.test", 1, 0, 389, A)])
    suite = begin()
    assert suite.passwd("alice") == ALICE
    assert servers(suite) == [A]


def test_a_certificate_for_another_name(site, begin):
    """DNS cannot be trusted; TLS tells who is there."""
    site.dns.serve(
        *HOSTS,
        ("wrong.corp.test", "127.0.0.2"),
        srv=[("corp.test", 0, 0, 389, "wrong.corp.test"), ("corp.test", 1, 0, 389, B)],
    )
    suite = begin()
    assert suite.passwd("alice") == ALICE
    assert server(suite) == f"ldap://{B}:389"
