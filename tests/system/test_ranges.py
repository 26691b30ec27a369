# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that give the members of a large group in parts, "member;range=0-1499", as Active Directory
does. The whole group is told, or the one that was there before, or that nobody knows: never a part."""
import concurrent.futures
import itertools

import pytest

from load import ask
from misfit import BASE, begin, install, switch

GROUP_DN = f"cn=group9,ou=groups,{BASE}"
SCHEMAS = ["rfc2307bis", "rfc2307"]
MEMBER = {"rfc2307bis": "member", "rfc2307": "memberUid"}


@pytest.fixture(scope="module")
def c(container):
    with container() as c:
        install(c)
        yield c


def users(n):
    return {f"user{i}" for i in range(n)}


def cannot_tell(c, name):
    """Neither the group nor that there is none."""
    calls = ask(c, "group", name)
    return calls.failed == calls.calls == 1


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("n", [1500, 1501, 5000])
def test_a_large_group_comes_whole(c, schema, n):
    suite = begin(c, f"slices {n}", ldap_schema=schema)
    for key in ("group9", 30009):
        assert suite.group(key) == ("group9", 30009, users(n))


def test_a_large_group_comes_whole_with_an_enumeration(c):
    suite = begin(c, "slices 5000", ldap_schema="rfc2307bis", enumerate="true")
    c.wait_for("all", lambda: "group9:" in suite.getent("group").out, timeout=60)
    assert suite.group("group9") == ("group9", 30009, users(5000))


# From one server, where the connection has been replaced by another one between the first part and
# the second: it expires, and others ask.


def asked_beside_others(suite, question):
    """What question gives, while there is always a connection."""
    others = (suite.passwd(f"user{n}") for n in itertools.count(100))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(question)
        suite.c.wait_for("it was told", lambda: next(others) and answer.done(), timeout=60)
    return answer.result()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_large_group_comes_from_one_server(c, schema):
    suite = begin(c, "turns 2000", ldap_schema=schema, ldap_connection_expire_timeout=1)
    assert asked_beside_others(suite, lambda: suite.group("group9")) == ("group9", 30009, users(2000))


def test_a_large_group_of_an_enumeration_comes_from_one_server(c):
    """Its turn comes long after its entry, when eight others have been resolved."""
    suite = begin(c, "turns 2000", ldap_schema="rfc2307bis", enumerate="true", ldap_connection_expire_timeout=1)
    listed = lambda: "group9:" in suite.getent("group").out
    asked_beside_others(suite, lambda: c.wait_for("all", listed, timeout=60))
    assert suite.group("group9") == ("group9", 30009, users(2000))


# ---- members who leave meanwhile


@pytest.mark.parametrize("schema", SCHEMAS)
def test_who_leaves_between_two_parts_takes_nobody_along(c, schema):
    suite = begin(c, "leaves 2000:1:5", ldap_schema=schema)
    assert suite.group("group9") == ("group9", 30009, users(2000) - {"user5"})
    assert "changed while it was being read" in suite.log.text()


def test_an_address_that_goes_between_two_parts_takes_none_along(c):
    suite = begin(c, "leaves 2000:1:5", ldap_user_extra_attrs="mail")
    assert suite.passwd("user9")
    shown = suite.c.run(["sssctl", "user-show", "user9"]).out.splitlines()
    there = {f"mail: mail{i}@corp.test" for i in range(2000) if i != 5}
    assert {value for value in shown if value.startswith("mail: ")} == there


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_group_that_never_stands_still_is_an_error(c, schema):
    suite = begin(c, "leaves 2000:400:5", ldap_schema=schema)
    assert cannot_tell(c, "group9")
    assert suite.log.text().count("changed while it was being read") == 3  # QUEUE_ATTEMPTS


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_last_one_of_a_part_may_be_the_last_of_all(c, schema):
    """When those behind him have left."""
    suite = begin(c, "leaves 1501:1:1500", ldap_schema=schema)
    assert suite.group("group9") == ("group9", 30009, users(1500))
    assert "changed while" not in suite.log.text()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_server_that_gives_the_last_one_again_and_again_is_an_error(c, schema):
    suite = begin(c, "stands 350", ldap_schema=schema)
    assert cannot_tell(c, "group9")
    said = f"entry {GROUP_DN}: the server does not give its {MEMBER[schema]};range=99-*"
    assert said.lower() in suite.log.text().lower()


# ---- ranges that make no sense

# What the server calls the values from 99 on, and what it calls the first 100.
BAD_LATER = ["99-197", "99-199", "98-197", "100-199", "0-99", "199-298", "99-98", "99-", "x", "99-99999999999999999999"]
BAD_FIRST = ["0-98", "0-100", "1-100", "99-0", "", "18446744073709551616-*"]


@pytest.mark.parametrize(
    "schema, first, shown",
    [("rfc2307bis", 99, shown) for shown in BAD_LATER]
    + [("rfc2307bis", 0, shown) for shown in BAD_FIRST]
    + [("rfc2307", first, "100-98") for first in (0, 99)],
)
def test_a_range_that_makes_no_sense_is_an_error_of_that_group(c, schema, first, shown):
    suite = begin(c, f"misnames {first}:{shown}", ldap_schema=schema)
    assert cannot_tell(c, "group9")
    assert suite.group("group5"), "others are not affected"
    assert f"entry {GROUP_DN}: its {MEMBER[schema]};range={shown} makes no sense" in suite.log.text()


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("later", ["stalls 350", "ranges 350:198", "misnames 99:99-150"])
def test_what_was_whole_stays(c, schema, later):
    """While the rest does not come, or makes no sense."""
    suite = begin(c, f"ranges 350 then {later}", ldap_schema=schema, entry_cache_timeout=1, ldap_search_timeout=2)
    assert suite.group("group9") == ("group9", 30009, users(350))
    switch(c)
    c.wait_for("the other mode", lambda: f"mode {later.split()[0]}" in suite.log.text())
    said = {"stalls": "no end of it within 2 s", "ranges": "range=198-*", "misnames": "makes no sense"}
    c.wait_for(
        "it was asked again",
        lambda: suite.group("group9") == ("group9", 30009, users(350)) and said[later.split()[0]] in suite.log.text(),
        timeout=30,
    )
    assert suite.group("group9") == ("group9", 30009, users(350))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_rest_that_never_comes_is_waited_for_once(c, schema):
    suite = begin(c, "stalls 350", ldap_schema=schema)
    result = suite.getent("group", "group9")
    assert result.rc != 0 and result.ms < 5500, result
    assert suite.group("group5")


@pytest.mark.parametrize(
    "mode, extra, n", [("ranges 350", "mail, second:MAIL", 350), ("slices 1600", "mail", 1600)]
)
def test_addresses_come_whole(c, mode, extra, n):
    """Where they stand twice among what is read, too."""
    suite = begin(c, mode, ldap_user_extra_attrs=extra)
    assert suite.passwd("user9").startswith("user9:*:20009:")
    shown = suite.c.run(["sssctl", "user-show", "user9"]).out.splitlines()
    for name in extra.split(":")[0].split(", "):
        assert {value for value in shown if value.startswith(f"{name}: ")} == {
            f"{name}: mail{i}@corp.test" for i in range(n)
        }


# ---- ldap_disable_range_retrieval


@pytest.mark.parametrize("schema", SCHEMAS)
def test_without_ranges_a_large_group_has_no_members(c, schema):
    suite = begin(c, "slices 5000", ldap_schema=schema, ldap_disable_range_retrieval="true")
    assert suite.group("group9") == ("group9", 30009, set())
    assert suite.group(30005)[2] == ({"user0", "user1"} if schema == "rfc2307" else set())
    assert suite.passwd("user9").startswith("user9:")
    assert suite.passwd("mail0@corp.test") is None


def test_without_ranges_none_is_bad(c):
    suite = begin(c, "misnames 0:x", ldap_schema="rfc2307bis", ldap_disable_range_retrieval="true")
    assert suite.group("group9") == ("group9", 30009, set())
    assert "makes no sense" not in suite.log.text()
