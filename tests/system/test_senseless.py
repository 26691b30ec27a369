# SPDX-License-Identifier: LGPL-2.1-or-later
"""Directory entries that make no sense are left out and named in the log, once, with the reason; the rest
of the answer stands (design section 3, "Who is accepted")."""
import base64

import pytest

from slapd import BASE, GROUPS, USERS, Group, Slapd, User, group_ldif, user_ldif
from suite import Suite

PEOPLE = f"ou=people,{BASE}"
CHARACTERS = "the name holds '/', ':', a control character or invalid UTF-8"
RESERVED, OUTSIDE = "the id is reserved", "the id is outside min_id and max_id"


def someone(number, **more):
    return {"uid": f"bad{number}", "uidNumber": str(21000 + number), **more}


# cn of the entry: (its attributes, a key that should lead to it, why it does not)
BAD_USERS = {
    "no uid": (someone(1, uidNumber=None), "bad1", "it has no uid"),
    "no gid": (someone(2, gidNumber=None), "bad2", "it has no gid"),
    "root": (someone(3, uidNumber="0"), "bad3", RESERVED),
    "root's group": (someone(4, gidNumber="0"), "bad4", RESERVED),
    "65535": (someone(5, uidNumber="65535"), "bad5", RESERVED),
    "2^32-1": (someone(6, uidNumber="4294967295"), "bad6", RESERVED),
    "2^32": (someone(7, uidNumber="4294967296"), "bad7", RESERVED),
    "2^64 and a bit": (someone(8, uidNumber="18446744073709551717"), "bad8", "not a number"),
    "negative": (someone(9, uidNumber="-5"), "bad9", "its uid is not a number"),
    "below min_id": (someone(10, uidNumber="999"), "bad10", OUTSIDE),
    "above max_id": (someone(11, uidNumber="50001"), "bad11", OUTSIDE),
    "slash": (someone(12, uid="a/b"), 21012, CHARACTERS),
    "colon": (someone(13, uid="a:b"), 21013, CHARACTERS),
    "newline": (someone(14, uid="a\nroot::0:0"), 21014, CHARACTERS),
    "escape": (someone(15, uid="a\x1b[31m"), 21015, CHARACTERS),
    "digits": (someone(17, uid="10001"), 21017, "the name is a number"),
    "dot": (someone(18, uid="."), 21018, "the name is a directory's"),
    "dots": (someone(19, uid=".."), 21019, "the name is a directory's"),
    "long": (someone(20, uid="n" * 256), 21020, "the name is longer than 255 bytes"),
    "our own user": (someone(23, uid="sssd"), 21023, "the name belongs to this machine"),
    "another root": (someone(24, uid="Root"), 21024, "the name belongs to this machine"),
    "gecos": (someone(21, gecos="g" * 65536), "bad21", "its gecos is too long"),
    "home": (someone(22, homeDirectory="/" + "h" * 65536), "bad22", "its home directory is too long"),
}

BAD_GROUPS = {
    "bad-no-gid": ({"gidNumber": None}, "it has no gid"),
    "bad-root": ({"gidNumber": "0"}, RESERVED),
    "bad-2^32": ({"gidNumber": "4294967296"}, RESERVED),
    "bad-above": ({"gidNumber": "50001"}, OUTSIDE),
}

MANY = User("many", 21100, 20001, "Many", "/home/many", "/bin/sh")
TWIN_A = User("twin-a", 21200, 20001, "Twin A", "/home/a", "/bin/sh")
TWIN_B = User("twin-b", 21200, 20001, "Twin B", "/home/b", "/bin/sh")
ODD = Group(
    "odd", 21300, ["alice", "a/b", "with:colon", "12345", "..", "bob", "line\nfeed", "m" * 256, "carol"]
)


def entry(cn, attributes):
    """A user that is called by its cn in its DN, so that uid may be anything."""
    name = attributes["uid"]
    text = user_ldif(User(name, 1, 20001, "", "/home/x", "/bin/sh"), **{**attributes, "cn": cn})
    return f"dn: cn={dn_value(cn)},{PEOPLE}\n" + text.split("\n", 1)[1]


def dn_value(cn):
    return cn.replace("+", "\\+")


@pytest.fixture(scope="module")
def slapd(machine):
    slapd = Slapd(machine, entries=(USERS + [TWIN_A, TWIN_B], GROUPS), loose=True, stats=True)
    slapd.start()
    text = "".join(entry(cn, attributes) for cn, (attributes, _, _) in BAD_USERS.items())
    text += "".join(
        group_ldif(Group(name, 20500, ["alice"]), **more) for name, (more, _) in BAD_GROUPS.items()
    )
    text += group_ldif(ODD)
    text += user_ldif(MANY, uid=["many", *(f"many{n:03}" for n in range(999))])
    slapd.add(text)
    return slapd


@pytest.fixture(scope="module")
def suite(machine, slapd):
    return Suite(machine, slapd).start(
        min_id=1000, max_id=50000, nss={"entry_negative_timeout": 0}
    )


def named(suite, dn):
    """The reasons the log gives for leaving that entry out."""
    suite.c.run(["journalctl", "--sync"])
    start = f"entry {dn} is left out: "
    lines = suite.c.journal("-t", "sssd_LDAP", "-o", "cat").splitlines()
    return [line[len(start) :] for line in lines if line.startswith(start)]


def is_named(suite, dn, ask):
    """Of very many in a short time the log names some later: whoever asks again hears of them."""

    def once_more():
        ask()
        return named(suite, dn)

    return suite.c.wait_for(f"{dn} is named", once_more, timeout=30, step=0.5)


@pytest.mark.parametrize("cn", BAD_USERS)
def test_user_is_left_out_and_named_once(suite, cn):
    _, key, reason = BAD_USERS[cn]

    def ask():
        assert suite.passwd(key) is None

    reasons = is_named(suite, f"cn={cn},{PEOPLE}", ask)
    ask()
    assert len(reasons) == 1 and reason in reasons[0]
    assert len(named(suite, f"cn={cn},{PEOPLE}")) == 1


@pytest.mark.parametrize("name", BAD_GROUPS)
def test_group_is_left_out_and_named(suite, name):
    def ask():
        assert suite.group(name) is None

    assert is_named(suite, f"cn={name},ou=groups,{BASE}", ask) == [BAD_GROUPS[name][1]]


def test_senseless_groups_cost_nobody_the_others(suite):
    """alice is a member of all of them, by memberUid."""
    for client in ("ours", "debian"):
        assert suite.id("alice", client=client) == (10001, 20001, {20001, 20002, 20004, 21300})


def test_senseless_members_cost_nobody_the_others(suite):
    for client in ("ours", "debian"):
        assert suite.group("odd", client=client) == ("odd", 21300, {"alice", "bob", "carol"})


def test_entry_with_a_thousand_names(suite):
    """The first 64 further ones lead to it (cache.h)."""
    for name in ("many", "many000", "many060", 21100):
        assert suite.passwd(name) == "many:*:21100:20001:Many:/home/many:/bin/sh"


def test_of_two_with_the_same_uid_the_first_by_dn_is_taken(suite):
    assert suite.passwd(21200) == "twin-a:*:21200:20001:Twin A:/home/a:/bin/sh"
    (reason,) = is_named(suite, f"uid=twin-b,{PEOPLE}", lambda: suite.passwd(21200))
    assert reason == f"uid=twin-a,{PEOPLE} has the same number and comes first"


def test_rest_of_the_directory_stands(suite):
    for name in ("alice", "bob", "carol", "dave.o-neill_1"):
        assert suite.passwd(name) and suite.id(name)
    assert suite.group("devs") == ("devs", 20002, {"alice", "bob"})


BYTES = b"\xff\xfe\xc3 \xed\xa0\x80"  # not UTF-8 in three ways


def test_bytes_that_are_no_text(suite, slapd):
    """An attribute that may hold anything, where a text should be."""
    plain = user_ldif(
        User("bytes", 21400, 20001, "", "/home/bytes", "/bin/sh"),
        objectClass=["inetOrgPerson", "posixAccount"],
        sn="x",
    )
    slapd.add(plain.rstrip("\n") + f"\naudio:: {base64.b64encode(BYTES).decode()}\n")
    try:
        suite.configure(ldap_user_gecos="audio")
        suite.c.systemctl("restart", "sssd.service")
        line = suite.passwd("bytes")
        assert line == "bytes:*:21400:20001:??? ???:/home/bytes:/bin/sh", line

        suite.configure(ldap_user_name="audio")
        suite.c.sh("systemctl restart sssd.service; rm -f /var/lib/sss/db/*")
        assert suite.passwd(21400) is None
        assert is_named(suite, f"uid=bytes,{PEOPLE}", lambda: suite.passwd(21400)) == [CHARACTERS]
    finally:
        suite.configure()
        suite.c.systemctl("restart", "sssd.service")
        slapd.delete(f"uid=bytes,{PEOPLE}")
