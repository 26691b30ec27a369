# SPDX-License-Identifier: LGPL-2.1-or-later
"""ldap_schema = IPA and AD: directories that spell users and groups as FreeIPA and Active Directory
do, as far as users and groups need it. Each row is a domain of its own over both: one start shows all.
"""
import collections

import pytest

from container import Container
from slapd import BASE, CA, Slapd
from suite import Suite

# Of the servers' own definitions what is used here.
SCHEMA = """\
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.6.18.1.345 NAME 'unixHomeDirectory' EQUALITY caseExactIA5Match
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.750 NAME 'groupType' EQUALITY integerMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP top STRUCTURAL MUST cn
    MAY ( sAMAccountName $ userPrincipalName $ unixHomeDirectory $ homeDirectory $ name $ uid $ mail $
          uidNumber $ gidNumber $ gecos $ loginShell $ description ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST cn
    MAY ( sAMAccountName $ groupType $ gidNumber $ member $ memberUid $ description ) )
attributetype ( 2.16.840.1.113730.3.8.3.1 NAME 'ipaUniqueID' EQUALITY caseExactMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 2.16.840.1.113719.1.301.6.8.1 NAME 'krbPrincipalName' EQUALITY caseExactIA5Match
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 2.16.840.1.113730.3.8.4.1 NAME 'ipaObject' SUP top AUXILIARY MUST ipaUniqueID
    MAY ( krbPrincipalName $ mail ) )
objectclass ( 2.16.840.1.113730.3.8.4.3 NAME 'ipaUserGroup' SUP top STRUCTURAL MUST cn
    MAY ( member $ description ) )
"""

AD, IPA = f"dc=ad,{BASE}", f"cn=accounts,{BASE}"


def ad_user(name, number, **more):
    """What rfc2307 would read is there as well, and says something else."""
    dn = f"CN={name.title()} Example,CN=Users,{AD}"
    lines = {
        "objectClass": ["user"],
        "cn": [f"{name.title()} Example"],
        "name": [f"{name.title()} of AD"],
        "sAMAccountName": [name],
        "uid": [f"uid-of-{name}"],
        "uidNumber": [number],
        "gidNumber": [21000],
        "unixHomeDirectory": [f"/home/ad/{name}"],
        "homeDirectory": [f"\\\\server\\{name}"],
        "loginShell": ["/bin/bash"],
        "userPrincipalName": [f"{name}.upn@corp.test"],
        "mail": [f"{name}.mail@corp.test"],
        **more,
    }
    return entry(dn, lines)


def ad_group(name, gid, members):
    """By its DN nobody would know what it is called. Members are DNs, or parts of such of users."""
    return entry(
        ad_group_dn(name),
        {
            "objectClass": ["group"],
            "cn": [f"The {name}"],
            "sAMAccountName": [name],
            "groupType": [-2147483646],
            "gidNumber": [gid] if gid else [],
            "member": [m if "=" in m else f"CN={m.title()} Example,CN=Users,{AD}" for m in members],
            "memberUid": ["carol"],
        },
    )


def ad_group_dn(name):
    return f"CN=The {name},CN=Users,{AD}"


def ipa_user(name, number):
    return entry(
        f"uid={name},cn=users,{IPA}",
        {
            "objectClass": ["account", "posixAccount", "ipaObject"],
            "uid": [name],
            "cn": [f"{name.title()} of IPA"],
            "uidNumber": [number],
            "gidNumber": [number],
            "homeDirectory": [f"/home/ipa/{name}"],
            "loginShell": ["/bin/bash"],
            "ipaUniqueID": [f"d0{number}"],
            "krbPrincipalName": [f"{name}.krb@IPA.TEST"],
            "mail": [f"{name}.mail@ipa.test"],
        },
    )


def ipa_group(name, gid, members, classes=("ipaUserGroup", "ipaObject")):
    return entry(
        ipa_group_dn(name),
        {
            "objectClass": [*classes] + ["posixGroup"] * (gid is not None),
            "cn": [name],
            "gidNumber": [gid] if gid is not None else [],
            "member": [m if "=" in m else f"uid={m},cn=users,{IPA}" for m in members],
            "ipaUniqueID": [f"d1{name}"] if "ipaObject" in classes else [],
        },
    )


def ipa_group_dn(name):
    return f"cn={name},cn=groups,{IPA}"


def entry(dn, values):
    lines = [f"{name}: {value}\n" for name, several in values.items() for value in several]
    return f"dn: {dn}\n" + "".join(lines) + "\n"


ENTRIES = (
    entry(AD, {"objectClass": ["domain"], "dc": ["ad"]})
    + entry(f"CN=Users,{AD}", {"objectClass": ["applicationProcess"], "cn": ["Users"]})
    + ad_user("alice", 11001)
    + ad_user("bob", 11002, gecos=["Bob of gecos"])
    + ad_user("carol", 11003)
    + ad_user("nobody", 11004, uidNumber=[])
    + ad_group("everyone", 21000, [])
    + ad_group("devs", 21001, ["alice", "bob"])
    + ad_group("list", None, ["carol", ad_group_dn("devs")])
    + ad_group("staff", 21002, [ad_group_dn("list")])
    + ad_group("far", 21003, [ad_group_dn("staff")])
    + ad_group("mixed", 21004, ["carol", "nobody"])
    + entry(IPA, {"objectClass": ["applicationProcess"], "cn": ["accounts"]})
    + entry(f"cn=users,{IPA}", {"objectClass": ["applicationProcess"], "cn": ["users"]})
    + entry(f"cn=groups,{IPA}", {"objectClass": ["applicationProcess"], "cn": ["groups"]})
    + ipa_user("alice", 12001)
    + ipa_user("bob", 12002)
    + ipa_user("carol", 12003)
    # IPA's group of each user's own is no ipaUserGroup.
    + ipa_group("alice", 12001, [], classes=["applicationProcess"])
    + ipa_group("devs", 22001, ["alice", "bob"])
    + ipa_group("list", None, ["carol", ipa_group_dn("devs")])
    + ipa_group("staff", 22002, [ipa_group_dn("list")])
    + ipa_group("far", 22003, [ipa_group_dn("staff")])
    # Neither of the two classes
    + ipa_group("printers", None, ["alice"], classes=["groupOfNames"])
    + ipa_group("above-printers", 22004, [ipa_group_dn("printers")])
)

ALICE_AD = "alice:*:11001:21000:Alice of AD:/home/ad/alice:/bin/bash"
ALICE_IPA = "alice:*:12001:12001:Alice of IPA:/home/ipa/alice:/bin/bash"

Row = collections.namedtuple("Row", "name options passwd group id")
ROWS = [
    Row(
        "ad",
        {"ldap_schema": "AD", "ldap_search_base": AD},
        {
            "alice": ALICE_AD,
            "bob": "bob:*:11002:21000:Bob of gecos:/home/ad/bob:/bin/bash",
            "uid-of-alice": None,
            "nobody": None,
        },
        {
            "devs": ("devs", 21001, {"alice", "bob"}),
            "list": None,
            "staff": ("staff", 21002, {"alice", "bob", "carol"}),
            "mixed": ("mixed", 21004, {"carol"}),
            "The devs": None,
        },
        {
            "alice": (11001, 21000, {21000, 21001, 21002}),
            "carol": (11003, 21000, {21000, 21002, 21003, 21004}),
        },
    ),
    Row(
        "ipa",
        {"ldap_schema": "IPA", "ldap_search_base": IPA},
        {"alice": ALICE_IPA, "nobody": None},
        {
            "devs": ("devs", 22001, {"alice", "bob"}),
            "list": None,
            "staff": ("staff", 22002, {"alice", "bob", "carol"}),
            "alice": ("alice", 12001, set()),
            "above-printers": ("above-printers", 22004, set()),
        },
        {"alice": (12001, 12001, {12001, 22001, 22002}), "carol": (12003, 12003, {12003, 22002, 22003})},
    ),
    # ---- what is written counts, the rest follows the schema
    Row(
        "ad-written",
        {
            "ldap_schema": "ad",
            "ldap_search_base": AD,
            "ldap_user_name": "uid",
            "ldap_user_home_directory": "homeDirectory",
            "ldap_user_fullname": "cn",
            "ldap_group_name": "cn",
            "ldap_group_nesting_level": 3,
        },
        {
            "uid-of-alice": "uid-of-alice:*:11001:21000:Alice Example:\\\\server\\alice:/bin/bash",
            "alice": None,
        },
        {"The devs": ("The devs", 21001, {"uid-of-alice", "uid-of-bob"}), "devs": None},
        {"uid-of-alice": (11001, 21000, {21000, 21001, 21002, 21003})},
    ),
    # CN=… is how the DNs of groups begin, too, whatever they are called.
    Row(
        "ad-cn",
        {"ldap_schema": "AD", "ldap_search_base": AD, "ldap_user_name": "cn"},
        {"Alice Example": "Alice Example" + ALICE_AD.removeprefix("alice"), "alice": None},
        {
            "devs": ("devs", 21001, {"Alice Example", "Bob Example"}),
            "staff": ("staff", 21002, {"Alice Example", "Bob Example", "Carol Example"}),
        },
        {"Alice Example": (11001, 21000, {21000, 21001, 21002})},
    ),
    Row(
        "ad-no-class",
        {"ldap_schema": "AD", "ldap_search_base": AD, "ldap_user_object_class": "posixAccount"},
        {"alice": None},
        {"devs": ("devs", 21001, set())},
        {},
    ),
    Row(
        "ipa-class",
        {"ldap_schema": "ipa", "ldap_search_base": IPA, "ldap_group_object_class": "groupOfNames"},
        {"alice": ALICE_IPA},
        {
            "devs": ("devs", 22001, {"alice", "bob"}),
            "staff": ("staff", 22002, set()),
            "above-printers": ("above-printers", 22004, {"alice"}),
        },
        {"alice": (12001, 12001, {12001, 22001, 22004})},
    ),
    Row(
        "ipa-class-alt",
        {"ldap_schema": "IPA", "ldap_search_base": IPA, "ldap_group_object_class_alt": "groupOfNames"},
        {"alice": ALICE_IPA},
        {"alice": None, "above-printers": ("above-printers", 22004, {"alice"})},
        {"alice": (12001, 12001, {12001, 22001, 22002, 22004})},
    ),
    # ---- what the others make of these directories
    Row(
        "ad-as-bis",
        {"ldap_schema": "rfc2307bis", "ldap_search_base": AD},
        {"alice": None, "uid-of-alice": None},
        {"devs": None},
        {},
    ),
    Row(
        "ipa-as-bis",
        {"ldap_schema": "rfc2307bis", "ldap_search_base": IPA},
        {"alice": ALICE_IPA},
        {"devs": ("devs", 22001, {"alice", "bob"}), "staff": ("staff", 22002, set())},
        {"alice": (12001, 12001, {12001, 22001})},
    ),
]
CASES = [
    (row.name, database, key, expected)
    for row in ROWS
    for database in ("passwd", "group", "id")
    for key, expected in getattr(row, database).items()
]


def conf(rows):
    text = f"[sssd]\nservices = nss\ndomains = {', '.join(row.name for row in rows)}\n[nss]\nmemcache_timeout = 0\n"
    for row in rows:
        options = {"id_provider": "ldap", "ldap_uri": "ldaps://ldap.test", "ldap_tls_cacert": CA, **row.options}
        text += f"[domain/{row.name}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    return text


def directory(c):
    return Slapd(c, entries=([], []), bis=True, schema=SCHEMA, extra=ENTRIES).start()


@pytest.fixture(scope="module")
def suite(machine):
    suite = Suite(machine, directory(machine))
    suite.configure(conf(ROWS))
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    machine.systemctl("start", "sssd.service")
    return suite


def check(suite, client, domain, database, key, expected):
    assert getattr(suite, database)(f"{key}@{domain}", client=client) == expected


class Lookups:
    # By number, and by what names no domain, the first domain that has it answers.
    @pytest.mark.parametrize(
        "key, expected",
        [
            (11001, ALICE_AD),
            (12001, ALICE_IPA),
            ("alice.upn@corp.test", ALICE_AD),
            ("alice.mail@corp.test", ALICE_AD),
            ("alice.krb@IPA.TEST", ALICE_IPA),
            ("alice.mail@ipa.test", ALICE_IPA),
            (11004, None),
        ],
    )
    def test_users_by_number_and_address(self, suite, key, expected):
        assert suite.passwd(key, client=self.client) == expected

    @pytest.mark.parametrize(
        "key, expected",
        [
            (21002, ("staff", 21002, {"alice", "bob", "carol"})),
            (22001, ("devs", 22001, {"alice", "bob"})),
        ],
    )
    def test_groups_by_number(self, suite, key, expected):
        assert suite.group(key, client=self.client) == expected


class Ours(Lookups):
    @pytest.mark.parametrize("domain, database, key, expected", CASES)
    def test_effect(self, suite, domain, database, key, expected):
        check(suite, self.client, domain, database, key, expected)


class TestOurClientOurResponder(Ours):
    client = "ours"


class TestDebianClientOurResponder(Ours):
    client = "debian"


class TestDebianResponder(Lookups):
    """The reference: what the table says is what Debian's own pair answers. But with IPA it takes the
    groups of a user from memberOf, and a group with a member that cannot be found it loses whole."""

    client = "debian"

    @pytest.mark.parametrize(
        "domain, database, key, expected",
        [case for case in CASES if case[1] == "passwd" or case[:3] == ("ipa", "group", "devs")],
    )
    def test_effect(self, suite, domain, database, key, expected):
        check(suite, self.client, domain, database, key, expected)

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            suite = Suite(c, directory(c))
            suite.configure(conf(ROWS))
            c.systemctl("start", "sssd.service")
            yield suite


def test_id_mapping_is_told_to_be_missing(suite):
    """With the numbers of the directory the domain works all the same."""
    rows = [Row("ad", {**ROWS[0].options, "ldap_id_mapping": "true"}, {}, {}, {})]
    suite.stop()
    suite.configure(conf(rows))
    check = suite.c.run(["sssctl", "config-check"], check=False)
    assert any("ldap_id_mapping" in line and "not implemented" in line for line in check.out.splitlines()), check
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert suite.passwd("alice") == ALICE_AD
    assert "ldap_id_mapping" in suite.c.journal("-u", "sssd.service")
