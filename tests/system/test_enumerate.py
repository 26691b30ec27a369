# SPDX-License-Identifier: LGPL-2.1-or-later
"""getpwent(3) and getgrent(3): all there is, or an error; who is gone goes."""
import pytest

from slapd import BASE, GROUPS, USERS, Group, Slapd, User, big, group_dn, group_ldif, user_dn, user_ldif
from suite import DEBIAN_CLIENT, Suite

NAMES = {user.name for user in USERS}
FIRST_PASS = {"enumerate": "true", "ldap_enumeration_refresh_timeout": 1, "ldap_enumeration_refresh_offset": 0}


def listed(suite, database="passwd", client="ours"):
    """The lines of a listing that are the directory's, by name."""
    result = suite.getent(database, client=client, timeout=90)
    assert result.rc == 0, result
    local = suite.c.read(f"/etc/{database}").splitlines()
    lines = [line for line in result.out.splitlines() if line not in local]
    names = [line.split(":")[0] for line in lines]
    assert len(names) == len(set(names)), "somebody is listed twice"
    return dict(zip(names, lines))


@pytest.fixture(scope="module")
def suite(machine, slapd):
    return Suite(machine, slapd).start(**FIRST_PASS)


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_the_very_first_listing_is_complete(container, client):
    with container() as c:
        suite = Suite(c, Slapd(c).start()).start(enumerate="true")
        users = listed(suite, client=client)
        assert set(users) == NAMES
        assert users["carol"] == "carol:*:10003:20003:Carol Ærlig:/home/carol:/bin/bash"


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_groups_and_their_members(suite, client):
    groups = listed(suite, "group", client=client)
    assert set(groups) == {group.name for group in GROUPS}
    assert groups["with space"] == "with space:*:20006:bob,carol"


def test_who_comes_and_who_goes(suite):
    erin = User("erin", 10005, 20001, "Erin", "/home/erin", "/bin/sh")
    suite.slapd.add(user_ldif(erin) + group_ldif(Group("team", 20010, ["erin"])))
    suite.c.wait_for("erin is listed", lambda: "erin" in listed(suite) and "team" in listed(suite, "group"))
    assert suite.id("erin") == (10005, 20001, {20001, 20010})
    suite.slapd.delete(user_dn("erin"), group_dn("team"))
    suite.c.wait_for("erin is gone", lambda: "erin" not in listed(suite) and "team" not in listed(suite, "group"))
    # Not only from the list: the cache has forgotten them.
    assert suite.passwd("erin") is None and suite.passwd(10005) is None and suite.group(20010) is None
    assert set(listed(suite)) == NAMES


def test_refresh_0_goes_through_the_directory_once(container):
    """Even where that does not succeed at first; and anew when the domain starts."""
    with container() as c:
        slapd = Slapd(c).start()
        slapd.down()
        suite = Suite(c, slapd).start(
            enumerate="true",
            ldap_enumeration_refresh_timeout=0,
            ldap_enumeration_refresh_offset=0,
            offline_timeout=1,
            offline_timeout_random_offset=0,
        )
        c.wait_for("offline", lambda: "LDAP: offline" in c.show("sssd.service", "StatusText"))
        slapd.up()
        c.wait_for("the list", lambda: set(listed(suite)) == NAMES, timeout=60)
        before = slapd.searches()
        slapd.add(user_ldif(User("erin", 10005, 20001, "Erin", "/home/erin", "/bin/sh")))
        c.sh("sleep 3")
        assert slapd.searches() == before and set(listed(suite)) == NAMES
        assert suite.passwd("erin") and set(listed(suite)) == NAMES | {"erin"}
        slapd.delete(user_dn("erin"))
        c.systemctl("restart", "sssd.service")
        c.wait_for("erin is gone", lambda: set(listed(suite)) == NAMES)


def test_refresh_offset_is_added_by_lot(container):
    """Of a year it is more than some seconds."""
    with container() as c:
        slapd = Slapd(c).start()
        suite = Suite(c, slapd).start(**{**FIRST_PASS, "ldap_enumeration_refresh_offset": 31536000})
        assert set(listed(suite)) == NAMES
        slapd.add(user_ldif(User("erin", 10005, 20001, "Erin", "/home/erin", "/bin/sh")))
        before = slapd.searches()
        c.sh("sleep 4")
        assert slapd.searches() == before and set(listed(suite)) == NAMES
        suite.configure(**FIRST_PASS)
        c.systemctl("reload", "sssd.service")
        c.wait_for("erin is listed", lambda: "erin" in listed(suite))
        before = slapd.searches()
        c.wait_for("pass after pass", lambda: slapd.searches() - before >= 4, timeout=6)


def test_refresh_0_without_a_list(container):
    with container() as c:
        suite = Suite(c, Slapd(c).start()).start(ldap_enumeration_refresh_timeout=0)
        c.wait_for("the domain is online", lambda: suite.passwd("alice"))
        assert c.run(["sssctl", "config-check"], check=False).rc == 0


def test_a_list_is_from_the_cache(suite):
    suite.slapd.down()
    assert set(listed(suite)) == NAMES
    suite.c.systemctl("restart", "sssd.service")  # the domain remembers that it is complete
    assert set(listed(suite)) == NAMES
    suite.slapd.up()


def test_a_place_outlives_the_requests_of_others(suite):
    """Two lists at once, in steps, while lookups go on."""
    program = """
import ctypes, pwd, grp
libc = ctypes.CDLL(None)
class Passwd(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p)]
class Group(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p)]
libc.getpwent.restype = ctypes.POINTER(Passwd)
libc.getgrent.restype = ctypes.POINTER(Group)
users, groups = [], []
libc.setpwent(); libc.setgrent()
while True:
    user, group = libc.getpwent(), libc.getgrent()
    pwd.getpwnam("alice"); grp.getgrnam("devs")
    if not user and not group: break
    if user: users.append(user.contents.name.decode())
    if group: groups.append(group.contents.name.decode())
libc.endpwent(); libc.endgrent()
print(" ".join(users)); print("|".join(groups))
"""
    users, groups = suite.c.run(["python3", "-c", program]).out.splitlines()
    assert NAMES <= set(users.split())
    assert {group.name for group in GROUPS} <= set(groups.split("|"))


def test_by_default_nobody_is_listed(container):
    with container() as c:
        suite = Suite(c, Slapd(c).start()).start()
        assert suite.passwd("alice")
        before = suite.slapd.searches()
        assert listed(suite) == {} and listed(suite, "group") == {}
        assert suite.slapd.searches() == before


def test_without_a_whole_pass_it_is_an_error_and_no_part(container):
    program = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.setpwent()\n"
    program += "while libc.getpwent(): pass\nprint(ctypes.get_errno())"
    with container() as c:
        slapd = Slapd(c).start()
        slapd.down()
        suite = Suite(c, slapd).start(enumerate="true")
        assert c.run(["python3", "-c", program]).out != "0\n"
        slapd.up()
        c.wait_for("a whole list", lambda: set(listed(suite)) == NAMES, timeout=60)
        assert c.run(["python3", "-c", program]).out == "0\n"


@pytest.mark.parametrize("paged", [True, False])
def test_pages_get_round_a_size_limit(container, paged):
    with container() as c:
        slapd = Slapd(c, entries=big(300, 10), security="sizelimit size=100 size.pr=100 size.prtotal=unlimited").start()
        suite = Suite(c, slapd).start(enumerate="true", ldap_page_size=100, ldap_disable_paging=str(not paged))
        if paged:
            assert len(listed(suite)) == 301
        else:  # and without them what can be had is not taken for all
            suite.getent("passwd", timeout=90)
            c.wait_for("the cut is noticed", lambda: "cut its answer" in c.journal())
            assert listed(suite) == {}


def test_ten_thousand_users_and_two_thousand_groups(container):
    with container() as c:
        users, groups = big()
        suite = Suite(c, Slapd(c, entries=(users, groups)).start()).start(enumerate="true")
        assert len(listed(suite)) == len(users)
        assert len(listed(suite, "group")) == len(groups)


def test_the_responder_stays_while_a_list_is_open(container):
    """Its client would begin anew with another one."""
    program = """
import ctypes, time
libc = ctypes.CDLL(None)
class Passwd(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p)]
libc.getpwent.restype = ctypes.POINTER(Passwd)
names = []
while user := libc.getpwent():
    names.append(user.contents.name.decode())
    if names[-1] == "user00100": time.sleep(1.5)
libc.endpwent()
print(" ".join(names))
"""
    with container() as c:
        suite = Suite(c, Slapd(c, entries=big(600, 1)).start())
        suite.idle_exit(300)
        suite.start(enumerate="true")
        for client in (None, DEBIAN_CLIENT):
            names = c.run(["python3", "-c", program], env=client).out.split()
            names = [name for name in names if name.startswith("user")]
            assert names == [f"user{n:05}" for n in range(1, 601)]
        c.wait_for("it leaves afterwards", lambda: not suite.pids("sssd_nss"))


def test_groups_of_rfc2307bis(container):
    groups = [
        Group("workers", 20001, []),
        Group("low", 21001, ["alice", "bob"]),
        Group("high", 21002, [group_dn("low"), "carol"]),
    ]
    with container() as c:
        suite = Suite(c, Slapd(c, entries=(USERS, groups), bis=True).start())
        suite.start(enumerate="true", ldap_schema="rfc2307bis")
        lines = listed(suite, "group")
        assert set(lines) == {"workers", "low", "high"}
        assert set(lines["high"].split(":")[3].split(",")) == {"alice", "bob", "carol"}


def test_twins_are_listed_once_and_named_in_the_log(container):
    with container() as c:
        slapd = Slapd(c).start()
        slapd.add(user_ldif(User("zoe", 10001, 20001, "", "/", "")))
        suite = Suite(c, slapd).start(enumerate="true")
        assert set(listed(suite)) == NAMES
        assert f"{user_dn('alice')} has the same number" in c.journal("-u", "sssd.service")


def test_a_search_base_that_is_missing_says_nothing_about_who_is_gone(container):
    zoe, more = User("zoe", 10009, 20001, "", "/", ""), f"ou=more,{BASE}"
    with container() as c:
        slapd = Slapd(c).start()
        slapd.add(f"dn: {more}\nobjectClass: organizationalUnit\nou: more\n\n" + user_ldif(zoe, dn=f"uid=zoe,{more}"))
        suite = Suite(c, slapd).start(**FIRST_PASS, ldap_user_search_base=f"ou=people,{BASE}?subtree??{more}?subtree?")
        assert set(listed(suite)) == NAMES | {"zoe"}
        slapd.delete(f"uid=zoe,{more}", more, user_dn("bob"))
        c.wait_for("bob is gone", lambda: "bob" not in listed(suite))
        before = slapd.searches()
        c.wait_for("two more passes", lambda: slapd.searches() - before > 6, timeout=30)
        assert set(listed(suite)) == (NAMES | {"zoe"}) - {"bob"}
        line = f"search base {more}: the server has no such entry"
        assert c.journal("-u", "sssd.service").count(line) == 1

        # It is back, empty: now she is gone. And away again: that is said again.
        slapd.add(f"dn: {more}\nobjectClass: organizationalUnit\nou: more\n")
        c.wait_for("zoe is gone", lambda: "zoe" not in listed(suite))
        slapd.delete(more)
        c.wait_for("it is said", lambda: c.journal("-u", "sssd.service").count(line) == 2)


def test_one_search_base_of_two_is_enough_for_a_list(container):
    with container() as c:
        slapd = Slapd(c).start()
        bases = {
            "ldap_user_search_base": f"ou=none,{BASE}?subtree??ou=people,{BASE}?subtree?",
            "ldap_group_search_base": f"ou=groups,{BASE}?subtree??ou=none,{BASE}?onelevel?",
        }
        suite = Suite(c, slapd).start(enumerate="true", **bases)
        assert set(listed(suite)) == NAMES
        assert set(listed(suite, "group")) == {group.name for group in GROUPS}


def test_a_refused_twin_keeps_nothing_from_others(container):
    """One has alice's name and zoe's number: alice comes before it, so that the number is zoe's."""
    with container() as c:
        slapd = Slapd(c).start()
        slapd.add(f"dn: ou=people2,{BASE}\nobjectClass: organizationalUnit\nou: people2\n")
        slapd.add(user_ldif(User("alice", 10009, 20001, "", "/", ""), dn=f"uid=alice,ou=people2,{BASE}"))
        slapd.add(user_ldif(User("zoe", 10009, 20001, "", "/", "")))
        suite = Suite(c, slapd).start(enumerate="true")
        assert set(listed(suite)) == NAMES | {"zoe"}


def test_a_failed_pass_is_not_repeated_for_whoever_asks(container):
    with container() as c:
        slapd = Slapd(c).start()
        bases = f"ou=nowhere,{BASE}?subtree??ou=none,{BASE}?subtree?"
        suite = Suite(c, slapd).start(enumerate="true", ldap_user_search_base=bases)
        assert listed(suite) == {}
        before = slapd.searches()
        for _ in range(20):
            assert listed(suite) == {}
        assert slapd.searches() - before < 10, "each pass is two"


def test_a_list_is_whole_although_the_cache_was_removed_in_the_middle(container):
    with container() as c:
        slapd = Slapd(c, entries=big(3000, 1)).start()
        suite = Suite(c, slapd).start(enumerate="true", ldap_page_size=1)
        c.wait_for("a part is there", lambda: slapd.searches() > 100)
        c.sh("rm /var/lib/sss/db/*LDAP*")
        assert slapd.searches() < 3000, "that was too late"
        users = {}
        c.wait_for("a list", lambda: users.update(listed(suite)) or users, timeout=90)
        assert len(users) == 3001


@pytest.mark.parametrize("mode", ["true", "hybrid"])
def test_private_groups_stay_as_long_as_their_users(container, mode):
    users = [*USERS, User("same", 10007, 10007, "", "/", ""), User("gone", 10008, 10008, "", "/", "")]
    with container() as c:
        slapd = Slapd(c, entries=(users, [*GROUPS, Group("thief", 10001, [])])).start()
        suite = Suite(c, slapd).start(**FIRST_PASS, auto_private_groups=mode)
        for name, gid in ("same", 10007), ("gone", 10008):
            assert suite.group(name) == (name, gid, set())
        assert suite.group(10001)[0] == ("alice" if mode == "true" else "thief")
        slapd.delete(user_dn("gone"))
        c.wait_for("gone is gone", lambda: "gone" not in listed(suite, "group"))
        before = slapd.searches()
        c.wait_for("two more passes", lambda: slapd.searches() - before > 4)
        assert ("thief" in listed(suite, "group")) == (mode == "hybrid")
        slapd.down()
        assert suite.group("same") == ("same", 10007, set())
        assert suite.group(10001)[0] == ("alice" if mode == "true" else "thief")
        assert suite.group("gone") is None
