# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long an answer holds, and who asks the server again (sssd.conf(5)): counted at slapd.

The words are those of the design: fresh, ageing (answered, and refreshed behind), expired.
"""
import time

import pytest

from slapd import BASE, CA, Slapd, User, group_dn, user_dn, user_ldif
from suite import Suite

BOB = "bob:*:10002:20001:Bob Example:/home/bob:/bin/sh"


@pytest.fixture
def start(container):
    """A suite of its own: start(options…), then suite.cost()."""
    with container() as c:
        slapd = Slapd(c).start()

        def begin(**options):
            suite = Suite(c, slapd).start(**options)
            online(suite)
            return suite

        yield begin


def online(suite):
    """Has gone through what a new connection costs."""
    suite.c.wait_for("the domain is online", lambda: suite.passwd("dave.o-neill_1") is not None)


class Cost:
    """Searches since the last look."""

    def __init__(self, suite):
        self.suite, self.before = suite, suite.slapd.searches()

    def __call__(self):
        now = self.suite.slapd.searches()
        cost, self.before = now - self.before, now
        return cost


def change_gecos(suite, name, text):
    suite.slapd.modify(f"dn: {user_dn(name)}\nchangetype: modify\nreplace: gecos\ngecos: {text}\n")


def change_members(suite, name, *members):
    suite.slapd.modify(
        f"dn: {group_dn(name)}\nchangetype: modify\nreplace: memberUid\n"
        + "".join(f"memberUid: {member}\n" for member in members)
    )


# ---- entries ---------------------------------------------------------------------------------------


NO_AGEING = {"entry_cache_nowait_percentage": 0}


@pytest.mark.parametrize(
    "options",
    [
        {"entry_cache_timeout": 2, "entry_cache_group_timeout": 600},
        {"entry_cache_timeout": 600, "entry_cache_user_timeout": 2},
        {"entry_cache_timeout": 600, "entry_cache_user_timeout": 0},
        {"entry_cache_timeout": 0, "entry_cache_group_timeout": 600},
    ],
    ids=["by the option for all", "by the option for users", "at once", "at once, by that for all"],
)
def test_users_expire_and_groups_do_not(start, options):
    suite = start(nss=NO_AGEING, **options)
    suite.passwd("bob"), suite.group("devs")
    change_gecos(suite, "bob", "Another")
    change_members(suite, "devs", "carol")
    suite.c.wait_for("bob is asked for again", lambda: "Another" in suite.passwd("bob"))
    assert suite.group("devs") == ("devs", 20002, {"alice", "bob"})


@pytest.mark.parametrize(
    "options",
    [
        {"entry_cache_timeout": 2, "entry_cache_user_timeout": 600},
        {"entry_cache_timeout": 600, "entry_cache_group_timeout": 2},
        {"entry_cache_timeout": 600, "entry_cache_group_timeout": 0},
        {"entry_cache_timeout": 0, "entry_cache_user_timeout": 600},
    ],
    ids=["by the option for all", "by the option for groups", "at once", "at once, by that for all"],
)
def test_groups_expire_and_users_do_not(start, options):
    suite = start(nss=NO_AGEING, **options)
    suite.passwd("bob"), suite.group("devs")
    change_gecos(suite, "bob", "Another")
    change_members(suite, "devs", "carol")
    suite.c.wait_for("devs is asked for again", lambda: suite.group("devs")[2] == {"carol"})
    assert suite.passwd("bob") == BOB


def test_the_groups_of_a_user_expire_with_users(start):
    suite = start(nss=NO_AGEING, entry_cache_timeout=600, entry_cache_user_timeout=2)
    assert suite.initgroups("bob") == {20002, 20006}
    change_members(suite, "devs", "alice")
    suite.c.wait_for("they are asked for again", lambda: suite.initgroups("bob") == {20006})


NEVER_FRESH = {"entry_cache_user_timeout": 0, "entry_cache_group_timeout": 0}


@pytest.mark.parametrize(
    "options", [NEVER_FRESH, {"entry_cache_timeout": 0}], ids=["users and groups", "all"]
)
def test_what_lives_0_s_is_asked_for_each_time_and_kept_for_worse_days(start, options):
    """Not by the responder alone: the memory cache has none of it."""
    suite = start(nss={"memcache_timeout": None}, **options)
    for n in range(3):
        change_gecos(suite, "bob", f"Another{n}")
        change_members(suite, "devs", f"carol{n}")
        cost = Cost(suite)
        assert f"Another{n}" in suite.passwd("bob") and cost() > 0
        assert suite.group("devs")[2] == {f"carol{n}"} and cost() > 0
        assert suite.initgroups("bob") == {20006} and cost() > 0
    suite.slapd.down()
    assert "Another2" in suite.passwd("bob")
    assert suite.group("devs")[2] == {"carol2"} and suite.initgroups("bob") == {20006}


def test_nothing_is_refreshed_that_lives_0_s(start):
    suite = start(**NEVER_FRESH, refresh_expired_interval=1)
    assert suite.passwd("bob") == BOB
    cost = Cost(suite)
    time.sleep(3)
    assert cost() == 0
    assert "nothing is refreshed where users or groups live 0 s" in suite.c.journal("-u", "sssd.service")


def test_a_fresh_entry_costs_nothing(start):
    suite = start()
    suite.passwd("bob")
    cost = Cost(suite)
    for _ in range(20):
        assert suite.passwd("bob") == BOB and suite.passwd(10002) == BOB
    assert cost() == 0


def test_an_ageing_entry_is_answered_and_refreshed_behind(container):
    """Past half of 22 s, or a hundredth of 600, but never before 10 s: the server is asked, and nobody
    waits for it. A machine for each."""
    with container() as default, container() as least:
        suites = [Suite(c, Slapd(c).start()) for c in (default, least)]
        for suite, life_s, percent in zip(suites, (22, 600), (None, 1)):
            suite.start(entry_cache_timeout=life_s, nss={"entry_cache_nowait_percentage": percent})
            online(suite)
        for suite in suites:
            assert suite.passwd("bob") == BOB
            change_gecos(suite, "bob", "Another")
        time.sleep(12)
        for suite in suites:
            suite.slapd.pause()
            try:
                assert suite.passwd("bob") == BOB
                assert suite.getent("passwd", "bob").ms < 300
            finally:
                suite.slapd.resume()
            suite.c.wait_for("bob was refreshed", lambda: "Another" in suite.passwd("bob"))
            cost = Cost(suite)
            assert "Another" in suite.passwd("bob")
            assert cost() == 0, "fresh again"


def test_nowait_percentage_0_and_what_is_none_mean_that_nothing_ages(container):
    """A machine for each."""
    with container() as c0, container() as c100, container() as c1:
        suites = [Suite(c, Slapd(c).start()) for c in (c0, c100, c1)]
        for suite, percent in zip(suites, (0, 100, -1)):
            suite.start(nss={"entry_cache_nowait_percentage": percent}, entry_cache_timeout=22)
            online(suite)
        for suite in suites:
            suite.passwd("bob")
        time.sleep(12)
        costs = [Cost(suite) for suite in suites]
        assert [suite.passwd("bob") for suite in suites] == [BOB] * 3
        time.sleep(0.5)
        assert [cost() for cost in costs] == [0, 0, 0]


# ---- who is not there ------------------------------------------------------------------------------


def test_who_is_not_there_is_remembered(start):
    suite = start(nss={"entry_negative_timeout": 3})
    cost = Cost(suite)
    for _ in range(10):
        assert suite.passwd("nobody-here") is None
    assert cost() == 1
    suite.slapd.add(user_ldif(User("nobody-here", 10040, 20001, "", "/", "")))
    assert suite.passwd("nobody-here") is None
    suite.c.wait_for("it is asked again", lambda: suite.passwd("nobody-here") is not None)


def test_negative_timeout_0_remembers_nothing(start):
    suite = start(nss={"entry_negative_timeout": 0})
    cost = Cost(suite)
    for _ in range(5):
        assert suite.group("nobody-here") is None
    assert cost() == 5


LOCAL = {"entry_negative_timeout": 1}


def test_local_users_and_groups_are_asked_for_once(start):
    """initgroups(3) of local users goes to all sources: at each login, by each cron job."""
    suite = start(nss=LOCAL)
    cost = Cost(suite)
    for _ in range(3):
        assert suite.initgroups("games") in (None, set())
        time.sleep(1.2)
    assert cost() <= 2  # the user, and the groups that name it, in one
    # The databases by themselves: getent asks the files first, so past them.
    ask = ["getent", "-s", "sss"]
    for times in range(3):
        for key in (["passwd", "games"], ["group", "games"], ["passwd", "5"], ["group", "60"]):
            assert suite.c.run(ask + key, check=False).rc == 2
            assert cost() == (times == 0), key
        time.sleep(1.2)


def test_others_are_not_kept_so_long(start):
    suite = start(nss=LOCAL)
    cost = Cost(suite)
    for _ in range(2):
        assert suite.passwd("nobody-here") is None
        time.sleep(1.2)
    assert cost() == 2


def test_local_negative_timeout_ends(start):
    suite = start(nss={"entry_negative_timeout": 0, "local_negative_timeout": 3})
    ask = ["getent", "-s", "sss", "passwd", "games"]
    cost = Cost(suite)
    for _ in range(2):
        assert suite.c.run(ask, check=False).rc == 2
    assert cost() == 1
    time.sleep(3.2)
    assert suite.c.run(ask, check=False).rc == 2
    assert cost() == 1


def test_local_negative_timeout_0_switches_it_off(start):
    suite = start(nss={**LOCAL, "local_negative_timeout": 0})
    cost = Cost(suite)
    for _ in range(2):
        assert suite.c.run(["getent", "-s", "sss", "passwd", "games"], check=False).rc == 2
        time.sleep(1.2)
    assert cost() == 2


def test_who_left_the_files_is_asked_for(start):
    suite = start(nss=LOCAL)
    ask = ["getent", "-s", "sss", "passwd", "wanderer"]
    suite.c.sh("echo wanderer:x:1234:1234::/:/bin/sh >>/etc/passwd")
    assert suite.c.run(ask, check=False).rc == 2
    suite.slapd.add(user_ldif(User("wanderer", 10050, 20001, "", "/", "")))
    time.sleep(1.2)
    assert suite.c.run(ask, check=False).rc == 2
    suite.c.sh("sed -i /^wanderer:/d /etc/passwd")
    assert suite.c.run(ask).out.startswith("wanderer:*:10050:")


def test_who_is_in_the_files_and_in_the_directory_has_the_groups_of_both(start):
    suite = start()
    suite.c.sh("echo alice:x:10001:20001:local:/:/bin/sh >>/etc/passwd")
    assert suite.initgroups("alice") >= {20002, 20004}


# ---- more than one domain --------------------------------------------------------------------------


def two_domains(suite, **nss):
    domain = f"id_provider = ldap\nldap_search_base = {BASE}\nldap_tls_cacert = {CA}\nldap_uri = ldaps://%s\n"
    text = "[sssd]\ndomains = one, two\n[nss]\nmemcache_timeout = 0\n"
    text += "".join(f"{name} = {value}\n" for name, value in nss.items())
    text += "[domain/one]\n" + domain % "ldap.test" + "[domain/two]\n" + domain % "127.0.0.2"
    suite.configure(text)
    suite.c.systemctl("enable", "--now", "sssd-nss.socket")
    suite.c.systemctl("start", "sssd.service")
    return suite


@pytest.mark.parametrize("cache_first", [True, False])
def test_cache_first(container, cache_first):
    """zoe is in the second domain and cached: is the first one asked about her?"""
    with container() as c:
        first = Slapd(c).start()
        zoe = User("zoe", 30001, 30001, "", "/home/zoe", "/bin/sh")
        Slapd(c, name="second", address="127.0.0.2", entries=([zoe], [])).start()
        suite = two_domains(
            Suite(c, first), cache_first=str(cache_first).lower(), entry_negative_timeout=0
        )
        c.wait_for("zoe is found", lambda: suite.passwd("zoe"))
        assert suite.passwd("bob") == BOB
        cost = Cost(suite)
        assert suite.passwd("zoe").startswith("zoe:*:30001:")
        assert cost() == (0 if cache_first else 1)
        assert suite.passwd("bob") == BOB
        assert cost() == 0


# ---- refreshed before anybody asks -----------------------------------------------------------------

REFRESH = {"refresh_expired_interval": 3, "refresh_expired_interval_offset": 0}


def test_what_is_about_to_expire_is_refreshed_in_the_background(start):
    """Due after 10 s of 15, so at the fourth pass; only what the cache has, each with one question."""
    suite = start(entry_cache_timeout=15, nss=NO_AGEING, **REFRESH)
    suite.passwd("bob"), suite.group("devs"), suite.initgroups("carol")
    began = time.monotonic()
    change_gecos(suite, "bob", "Another")
    change_members(suite, "devs", "bob")
    change_members(suite, "with space", "bob")
    cost = Cost(suite)
    time.sleep(began + 7 - time.monotonic())
    assert cost() == 0, "nothing is asked for too early"
    time.sleep(began + 14 - time.monotonic())
    assert cost() == 5, "dave, bob, devs; carol and her groups"
    suite.slapd.down()
    assert "Another" in suite.passwd("bob")
    assert suite.group("devs")[2] == {"bob"}
    assert suite.initgroups("carol") == set()


def test_who_is_gone_at_the_server_goes_in_the_background(start):
    suite = start(entry_cache_timeout=12, nss=NO_AGEING, **REFRESH)
    assert suite.passwd("bob") == BOB
    suite.slapd.delete(user_dn("bob"))
    show = ["sssctl", "user-show", "bob"]
    suite.c.wait_for(
        "the cache has forgotten bob", lambda: "not present" in suite.c.run(show).out, timeout=20
    )


def test_a_refresh_goes_on_after_the_server_was_away(start):
    offline = {"offline_timeout": 1, "offline_timeout_random_offset": 0}
    suite = start(entry_cache_timeout=6, nss=NO_AGEING, **offline, **REFRESH)
    assert suite.passwd("bob") == BOB
    suite.slapd.down()
    time.sleep(7)  # expired, and nobody to ask
    suite.slapd.up()
    change_gecos(suite, "bob", "Another")
    expired = "Cache entry expiration time: Expired"
    suite.c.wait_for(
        "bob is fresh again",
        lambda: expired not in suite.c.run(["sssctl", "user-show", "bob"]).out,
        timeout=45,
    )
    suite.slapd.down()
    assert "Another" in suite.passwd("bob")


def test_an_interval_longer_than_life_is_shortened(start):
    suite = start(entry_cache_timeout=10, refresh_expired_interval=600)
    lines = suite.c.journal("-u", "sssd.service")
    assert "refresh_expired_interval is longer than entries live: 7 s" in lines


# ---- what nobody asks for any more -------------------------------------------------------------------


def test_what_has_expired_is_purged_and_the_rest_stays(start):
    suite = start(
        entry_cache_timeout=600,
        entry_cache_user_timeout=3,
        nss=NO_AGEING,
        ldap_purge_cache_timeout=2,
        ldap_purge_cache_offset=1,
    )
    suite.passwd("bob"), suite.group("devs"), suite.initgroups("carol")

    def show(kind, name):
        return suite.c.run(["sssctl", kind, name]).out

    assert "Name: bob" in show("user-show", "bob")
    suite.c.wait_for("bob is purged", lambda: "not present" in show("user-show", "bob"), timeout=20)
    assert "Name: devs" in show("group-show", "devs")
    assert suite.passwd("bob") == BOB


@pytest.mark.parametrize("silent", [False, True])
def test_nothing_is_purged_while_the_server_is_away(start, silent):
    """Nor while it hangs, which nobody has noticed yet."""
    suite = start(entry_cache_timeout=4, nss=NO_AGEING, ldap_purge_cache_timeout=1)
    suite.passwd("bob")
    if silent:
        suite.slapd.pause()
    else:
        suite.slapd.down()
    time.sleep(7)
    assert suite.passwd("bob") == BOB
    if silent:
        suite.slapd.resume()
