# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three real servers, two of them replicas of the first (syncrepl), each in a network of its own: one
after the other is lost and comes back, while the directory changes."""
import itertools

import pytest

from length import by_length
from load import steady
from slapd import BASE, CA, Slapd, User, user_dn, user_ldif
from suite import Suite

CONNECT_MS = 5000  # a caller's time, less than ldap_network_timeout's 6 s
NOISE_MS = by_length(500, 100)
LIFE_S = 2  # of a cached entry
NAMES = ["one", "two", "three"]
CONF = """\
[sssd]
domains = SITE
[nss]
memcache_timeout = 0
[domain/SITE]
id_provider = ldap
ldap_uri = {uris}
ldap_search_base = {base}
ldap_tls_cacert = {ca}
entry_cache_timeout = {life}
"""


@pytest.fixture(scope="module")
def site(container):
    with container() as c:
        c.sh("echo 1 >/proc/sys/net/ipv4/ip_forward")
        c.servers = []
        for n, name in enumerate(NAMES):
            near, far = f"10.80.{n}.1", f"10.80.{n}.2"
            c.sh(
                f"ip netns add {name}; ip link add {name} type veth peer name eth netns {name}; "
                f"ip addr add {near}/24 dev {name}; ip link set {name} up; "
                f"ip -n {name} addr add {far}/24 dev eth; ip -n {name} link set eth up; "
                f"ip -n {name} link set lo up; ip -n {name} route add default via {near}"
            )
            first = c.servers[0] if c.servers else None
            server = Slapd(c, name, address=far, netns=name, provider=not first, replica_of=first)
            c.servers.append(server.start())
        for server in c.servers:
            c.wait_for("the directory", lambda s=server: s.has(user_dn("alice")), timeout=20)
        suite = Suite(c)
        uris = ", ".join(f"ldaps://{server.address}" for server in c.servers)
        suite.configure(CONF.format(uris=uris, base=BASE, ca=CA, life=LIFE_S))
        c.systemctl("enable", "--now", "sssd-nss.socket")
        c.systemctl("start", "sssd.service")
        assert suite.passwd("alice")
        c.numbers = itertools.count(1)
        yield suite


def cut(c, server):
    """No packet comes back any more, neither to us nor to its replicas."""
    c.sh(f"ip -n {server.name} route replace blackhole default; ip -n {server.name} link set eth down")


def mend(c, server):
    n = NAMES.index(server.name)
    c.sh(
        f"ip -n {server.name} link set eth up; "
        f"ip -n {server.name} route replace default via 10.80.{n}.1"
    )


LOSSES = {
    "is stopped": (lambda c, s: s.down(), lambda c, s: s.up()),
    "is silent": (lambda c, s: s.pause(), lambda c, s: s.resume()),
    "is cut off": (cut, mend),
}


def in_use(suite):
    """The server that the domain says it is connected to."""
    status = suite.c.show("sssd.service", "StatusText")
    return next((s for s in suite.c.servers if f"ldaps://{s.address}" in status), None)


def new_user(suite, provider):
    """Stored at the provider; returns its name and the line that is right for it."""
    n = next(suite.c.numbers)
    user = User(f"new{n}", 50000 + n, 20001, f"Number {n}", f"/home/new{n}", "/bin/sh")
    provider.add(user_ldif(user))
    return user.name, f"{user.name}:*:{user.uid}:20001:Number {n}:/home/new{n}:/bin/sh"


def reaches(suite, server, name):
    suite.c.wait_for(f"{name} at {server.name}", lambda: server.has(user_dn(name)), timeout=20)


@pytest.mark.parametrize("way", LOSSES)
def test_server_in_use_is_lost_and_comes_back(site, way):
    """What was stored while it was there is found at another, within the time of one connection; what
    is cached is answered all the while; and what the lost one missed is not asked of it too early."""
    c, (lose, heal) = site.c, LOSSES[way]
    provider, *replicas = c.servers
    for _ in range(by_length(1, 5)):
        name, line = new_user(site, provider)
        for replica in replicas:
            reaches(site, replica, name)
        lost = in_use(site)
        assert lost, c.show("sssd.service", "StatusText")
        with steady(c, "passwd", "alice") as load:
            lose(c, lost)
            found = site.getent("passwd", name)
            assert found.out == line + "\n" and found.ms < CONNECT_MS + NOISE_MS, found
            after = in_use(site)
            assert after not in (lost, None), c.show("sssd.service", "StatusText")
            if lost is not provider:
                name, line = new_user(site, provider)
                reaches(site, after, name)
                found = site.getent("passwd", name)
                assert found.out == line + "\n", found
            heal(c, lost)
        assert load.calls.were_all_right(), load.calls
        reaches(site, lost, name)
        # The next round loses another one.
        lose(c, after)
        again, line = name, line
        c.wait_for(
            "a third server", lambda: (site.getent("passwd", again), in_use(site))[1] is not after,
            timeout=15,
        )
        assert site.getent("passwd", again).out == line + "\n"
        heal(c, after)
        reaches(site, after, again)
