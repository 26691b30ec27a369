# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several under one name, and one under several: groups with the same name and other numbers, a user
with two names, members who belong to another domain of the configuration. With both clients, from the
server and from the cache."""
import pytest

from slapd import BASE, CA, GROUPS, USERS, Group, Slapd, User, bis_group_ldif, group_ldif, user_dn, user_ldif
from suite import Suite

CLIENTS = ("ours", "debian")
OTHERS = f"ou=others,{BASE}"
TWICE = User("anna", 10020, 20001, "Anna Twice", "/home/anna", "/bin/sh")
ANNA = "anna:*:10020:20001:Anna Twice:/home/anna:/bin/sh"


def others(ldif):
    """The same entry in another place."""
    return ldif.replace(f"ou=groups,{BASE}", OTHERS).replace(f"ou=people,{BASE}", OTHERS)


# ---- groups of the same name, a user of two names (rfc2307) ----------------------------------------------

EXTRA = f"dn: {OTHERS}\nobjectClass: organizationalUnit\nou: others\n\n"
EXTRA += group_ldif(Group("dup", 20500, ["alice", "anna"]))
EXTRA += others(group_ldif(Group("dup", 20501, ["bob", "anne"])))
EXTRA += user_ldif(TWICE, uid=["anne", "anna"])
# Called adam, and zoe as well, as somebody else is. Their DNs are in that order.
EXTRA += user_ldif(User("adam", 10021, 20001, "Adam", "/home/adam", "/bin/sh"), uid=["adam", "zoe"])
EXTRA += user_ldif(User("zoe", 10022, 20002, "Zoe", "/home/zoe", "/bin/sh"))
EXTRA += group_ldif(Group("zoes", 20502, ["zoe"])) + group_ldif(Group("adams", 20503, ["adam"]))


@pytest.fixture(scope="module")
def slapd(machine):
    return Slapd(machine, entries=(USERS, GROUPS), extra=EXTRA).start()


@pytest.fixture(params=CLIENTS)
def suite(request, machine, slapd):
    """Nothing cached, online."""
    suite = Suite(machine, slapd)
    suite.stop()
    suite.start()
    machine.wait_for("the domain is online", lambda: suite.passwd("carol"))
    suite.client = request.param
    return suite


FIRST, SECOND = ("dup", 20500, {"alice", "anna"}), ("dup", 20501, {"bob", "anne"})


def test_groups_of_the_same_name(suite):
    """By number each is itself, whoever was asked for before. By name it is the first by DN when the
    server is asked, which is said in the log; never something of both."""
    for key, group in (("dup", FIRST), (20500, FIRST), (20501, SECOND), (20500, FIRST), (20501, SECOND)):
        assert suite.group(key, client=suite.client) == group, key
    assert suite.group("dup", client=suite.client) in (FIRST, SECOND)
    suite.c.run(["sss_cache", "-G"])
    assert suite.group("dup", client=suite.client) == FIRST
    suite.c.run(["journalctl", "--sync"])
    said = f"entry cn=dup,{OTHERS} is left out: cn=dup,ou=groups,{BASE} has the same name and comes first"
    assert said in suite.c.journal("-t", "sssd_LDAP", "-o", "cat")


def test_members_of_groups_of_the_same_name(suite):
    for _ in range(2):
        assert suite.initgroups("alice", client=suite.client) == {20002, 20004, 20500}
        assert suite.initgroups("bob", client=suite.client) == {20002, 20006, 20501}
        suite.group(20501, client=suite.client), suite.group(20500, client=suite.client)


def test_a_name_goes_before_another_ones_second_name(suite):
    assert suite.passwd("zoe", client=suite.client).startswith("zoe:*:10022:")
    assert suite.initgroups("zoe", client=suite.client) == {20502}
    said = f"uid=zoe,ou=people,{BASE} has the same name and comes first"
    suite.c.wait_for("it is said", lambda: said in suite.c.journal("-t", "sssd_LDAP", "-o", "cat"))


def test_groups_of_one_who_has_anothers_name_as_well(suite):
    """The lists of both are kept, and the one who is only known by number has none yet."""
    assert suite.passwd("adam", client=suite.client).startswith("adam:*:10021:")
    assert 20503 in suite.initgroups("adam", client=suite.client)
    assert suite.passwd(10022, client=suite.client).startswith("zoe:")
    assert suite.initgroups("zoe", client=suite.client) == {20502}
    assert suite.passwd("zoe", client=suite.client).startswith("zoe:*:10022:")


def test_an_entry_below_two_search_bases_is_no_twin(container):
    """Whatever asks for it, and whichever base gives it first."""
    with container() as c:
        slapd = Slapd(c).start()
        bases = {
            "ldap_user_search_base": f"ou=people,{BASE}?subtree??{BASE}?subtree?",
            "ldap_group_search_base": f"{BASE}?subtree??ou=groups,{BASE}?subtree?",
        }
        suite = Suite(c, slapd).start(enumerate="true", **bases)
        assert suite.passwd("alice") and suite.passwd(10002)
        assert suite.group("devs") == ("devs", 20002, {"alice", "bob"}) and suite.group(20006)
        assert suite.id("alice") == (10001, 20001, {20001, 20002, 20004})
        c.wait_for("a list", lambda: "carol:" in suite.getent("passwd", timeout=90).out)
        c.run(["journalctl", "--sync"])
        assert "left out" not in c.journal("-t", "sssd_LDAP", "-o", "cat")


@pytest.mark.parametrize("first", ["anna", "anne"])
def test_user_of_two_names(suite, first):
    """One is in the DN: that is the name, and the other one leads to it, online and offline."""
    second = {"anna": "anne", "anne": "anna"}[first]
    for name in (first, second, first, 10020):
        assert suite.passwd(name, client=suite.client) == ANNA, name
    for name in (second, first, f"{second}@LDAP"):
        assert suite.id(name, client=suite.client) == (10020, 20001, {20001, 20500}), name
    before = suite.slapd.searches()
    for name in (first, second):
        assert suite.passwd(name, client=suite.client) == ANNA
    assert suite.slapd.searches() == before
    suite.slapd.down()
    try:
        suite.c.run(["sss_cache", "-E"])
        for name in (first, second, 10020):
            assert suite.passwd(name, client=suite.client) == ANNA, name
    finally:
        suite.slapd.up()


# ---- members of another domain (rfc2307bis) --------------------------------------------------------------

MIXED = f"dn: {OTHERS}\nobjectClass: organizationalUnit\nou: others\n\n"
MIXED += others(user_ldif(User("erin", 10030, 20001, "Erin Other", "/home/erin", "/bin/sh")))
MIXED += bis_group_ldif(Group("mixed", 20600, ["alice", f"uid=erin,{OTHERS}"]))
MIXED += others(bis_group_ldif(Group("theirs", 20601, ["cn=BOB", f"uid=erin,{OTHERS}"]))).replace(
    "cn=BOB", user_dn("bob")
)


@pytest.fixture(scope="module")
def two(container):
    with container() as c:
        slapd = Slapd(c, extra=MIXED, bis=True).start()
        text = "[sssd]\ndomains = HERE, THERE\n[nss]\nmemcache_timeout = 0\n"
        for name, users, groups in (
            ("HERE", f"ou=people,{BASE}", f"ou=groups,{BASE}"),
            ("THERE", OTHERS, OTHERS),
        ):
            text += f"[domain/{name}]\nid_provider = ldap\nldap_schema = rfc2307bis\n"
            text += f"ldap_uri = ldaps://ldap.test\nldap_tls_cacert = {CA}\nldap_search_base = {BASE}\n"
            text += f"ldap_user_search_base = {users}\nldap_group_search_base = {groups}\n"
        suite = Suite(c, slapd)
        suite.configure(text)
        c.systemctl("enable", "--now", "sssd-nss.socket")
        c.systemctl("start", "sssd.service")
        for name in ("alice", "erin"):
            c.wait_for(f"{name} is found", lambda: suite.passwd(name))
        yield suite


@pytest.mark.parametrize("client", CLIENTS)
def test_members_of_another_domain(two, client):
    """A domain knows its own users only, and asks for no others: who belongs to another one is left
    out of its groups, and its groups are not among theirs. The rest of the group stands."""
    for _ in range(2):
        for key in ("mixed", 20600, "mixed@HERE"):
            assert two.group(key, client=client) == ("mixed", 20600, {"alice"}), key
        for key in ("theirs", 20601):
            assert two.group(key, client=client) == ("theirs", 20601, {"erin"}), key
        assert two.group("theirs@HERE", client=client) is None
        assert two.initgroups("alice", client=client) == {20002, 20004, 20600}
        assert two.initgroups("erin", client=client) == {20601}
        assert two.passwd("erin@HERE", client=client) is None
        assert two.passwd("erin@THERE", client=client) == "erin:*:10030:20001:Erin Other:/home/erin:/bin/sh"
