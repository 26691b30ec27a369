# SPDX-License-Identifier: LGPL-2.1-or-later
"""Users found by their principal or mail address (sssd-ldap(5): ldap_user_principal,
ldap_user_email). The attributes are ones that class account has."""
import pytest

from slapd import BASE, GROUPS, USERS, Slapd, user_ldif
from suite import Suite
from watch import Log

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
BOB = "bob:*:10002:20001:Bob Example:/home/bob:/bin/sh"
GIDS = {20001, 20002, 20004}
OPTIONS = {
    "ldap_user_principal": "description",
    "ldap_user_email": "host",
    "entry_cache_timeout": 300,
}


@pytest.fixture(scope="module")
def slapd(machine):
    slapd = Slapd(machine, entries=(USERS[2:], GROUPS)).start()
    slapd.add(user_ldif(USERS[0], description="alice@REALM.TEST", host="A.Example@Mail.Test"))
    slapd.add(user_ldif(USERS[1], host=["bob@mail.test", "robert@mail.test", "robert@LDAP"]))
    return slapd


@pytest.fixture
def suite(machine, slapd):
    """Nothing cached, online."""
    slapd.up()
    suite = Suite(machine, slapd)
    suite.stop()
    return suite.start(**OPTIONS)


FOUND = [
    ("alice@REALM.TEST", ALICE),
    ("ALICE@realm.test", ALICE),
    ("a.example@mail.test", ALICE),
    ("A.Example@Mail.Test", ALICE),
    ("alice@LDAP", ALICE),
    ("bob@mail.test", BOB),
    ("Robert@mail.test", BOB),
    ("robert@LDAP", BOB),
    ("robert", None),
    ("robert@REALM.TEST", None),
    ("nobody@mail.test", None),
    ("@mail.test", None),
    ("mail.test", None),
    ("*@mail.test", None),
    ("bob@mail.test)(uid=*", None),
]


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_found(suite, client):
    for address, line in FOUND * 2:  # from the server, then from the cache
        assert suite.passwd(address, client=client) == line, address
    assert suite.id("alice@REALM.TEST", client=client) == (10001, 20001, GIDS)
    assert suite.id("a.example@mail.test", client=client) == (10001, 20001, GIDS)


def test_groups_have_no_addresses(suite):
    assert suite.group("alice@REALM.TEST") is None and suite.group("bob@mail.test") is None


def test_what_it_costs_the_server(suite):
    suite.passwd("carol")
    before = suite.slapd.searches()
    assert suite.passwd("alice@REALM.TEST") == ALICE
    assert suite.slapd.searches() == before + 1
    assert suite.passwd("alice@realm.test") == ALICE
    assert suite.passwd("a.example@mail.test") == ALICE
    assert suite.passwd("nobody@mail.test") is None
    assert suite.passwd("nobody@mail.test") is None
    assert suite.slapd.searches() == before + 2
    # By name, and then as an address.
    assert suite.passwd("nobody@LDAP") is None
    assert suite.slapd.searches() == before + 4


def test_cached_addresses_work_while_the_server_is_away(suite):
    assert suite.passwd("alice").startswith("alice")
    suite.slapd.down()
    assert suite.passwd("alice@REALM.TEST") == ALICE
    assert suite.passwd("A.example@mail.test") == ALICE


def test_a_qualified_domain(suite):
    suite.stop()
    suite.start(use_fully_qualified_names="true", **OPTIONS)
    assert suite.passwd("alice@REALM.TEST") == ALICE.replace("alice:", "alice@LDAP:", 1)
    assert suite.passwd("alice") is None


def set_host(slapd, user, *values):
    text = f"dn: uid={user},ou=people,{BASE}\nchangetype: modify\nreplace: host\n"
    slapd.modify(text + "".join(f"host: {value}\n" for value in values))


def test_nobody_is_answered_in_the_place_of_another(suite):
    """carol writes what belongs to alice into her own entry."""
    try:
        set_host(suite.slapd, "carol", "alice@REALM.TEST", "alice@LDAP", "alice")
        assert suite.passwd("alice@REALM.TEST") == ALICE  # the principal counts more
        suite.stop()
        suite.start(**OPTIONS)
        assert suite.passwd("carol").startswith("carol:")  # now her addresses are cached
        assert suite.passwd("alice@LDAP") == ALICE
        assert suite.passwd("alice") == ALICE
        suite.stop()
        suite.start(**OPTIONS)
        assert suite.passwd("alice") == ALICE and suite.passwd("carol").startswith("carol:")
        assert suite.passwd("alice@REALM.TEST") == ALICE  # both are cached
    finally:
        set_host(suite.slapd, "carol")


def test_a_principal_that_is_another_users_mail_now(suite):
    """Whom the server names is the answer, whoever is cached."""
    suite.stop()
    suite.start(**{**OPTIONS, "entry_cache_timeout": 1})
    dn = f"dn: uid=alice,ou=people,{BASE}\nchangetype: modify\nreplace: description\n"
    try:
        assert suite.passwd("alice@REALM.TEST") == ALICE
        suite.slapd.modify(dn)
        set_host(suite.slapd, "carol", "alice@REALM.TEST")
        suite.c.wait_for(
            "it is carol's", lambda: suite.passwd("alice@REALM.TEST").startswith("carol:")
        )
        assert suite.passwd("alice") == ALICE
    finally:
        set_host(suite.slapd, "carol")
        suite.slapd.modify(dn + "description: alice@REALM.TEST\n")


def test_an_address_that_is_gone(suite):
    suite.stop()
    suite.start(**{**OPTIONS, "entry_cache_timeout": 1})
    try:
        set_host(suite.slapd, "carol", "Was@Mail.Test")
        assert suite.passwd("was@mail.test").startswith("carol:")
        set_host(suite.slapd, "carol", "is@mail.test")
        suite.c.wait_for(
            "the old address is forgotten", lambda: suite.passwd("WAS@mail.test") is None
        )
        assert suite.passwd("is@mail.test").startswith("carol:")
    finally:
        set_host(suite.slapd, "carol")


def test_without_the_attributes(suite):
    suite.stop()
    suite.start()  # krbPrincipalName and mail, which nobody has
    assert suite.passwd("alice@REALM.TEST") is None and suite.passwd("bob@mail.test") is None


def test_what_is_no_attribute_stops_the_domain(suite):
    suite.stop()
    log = Log(suite.c)
    suite.configure(**{**OPTIONS, "ldap_user_email": "ma il"})
    assert suite.c.systemctl("start", "sssd.service", check=False).rc != 0
    suite.c.systemctl("reset-failed")
    assert any(
        "ldap_user_email" in line and "not the name of an attribute" in line for line in log.lines()
    )
    assert suite.getent("passwd", "alice").rc != 0
