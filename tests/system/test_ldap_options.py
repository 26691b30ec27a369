# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options of sssd-ldap(5) about identity, each set to a good, a bad and an edge value, and what is
seen of it from outside. Each row is a domain of its own over the same directory: one start shows all.
"""
import collections

import pytest

from slapd import BASE, CA, GROUPS, READER, READER_PASSWORD, USERS, Authority, Slapd, User
from slapd import group_dn, user_dn, user_ldif
from suite import Suite
from watch import Log

PEOPLE, GROUP_OU, OTHERS = f"ou=people,{BASE}", f"ou=groups,{BASE}", f"ou=others,{BASE}"
# What sss_obfuscate(8) of Debian 12 made of READER_PASSWORD.
HIDDEN = "AAAQABbQnj3gad6ouDB7/UZZzTc8q94YYO5pxvlWWpXEIzS697TyrFNqRowf1jajUngbjddPHNnUN8A8NnY1233yeVgAAQID"
ERIN = User("erin", 10010, 20001, "Erin of the others", "/home/erin", "/bin/sh")

# alice's entry says everything twice, the second time in attributes nobody would think of.
SECOND = {
    "objectClass": ["account", "posixAccount", "extensibleObject"],
    "givenName": "wonder",
    "employeeNumber": "10999",
    "departmentNumber": "20999",
    "description": "Second gecos",
    "street": "/second/home",
    "l": "/second/shell",
    "displayName": "Second full name",
    "drink": "alice@Example.test",
    "mobile": ["+1 23", "+4 56"],
}
ALICE = ["alice", "*", "10001", "20001", "Alice Example", "/home/alice", "/bin/bash"]


def alice(**fields):
    """Her passwd line, with other values at these places."""
    line = list(ALICE)
    for name, value in fields.items():
        line[["name", "password", "uid", "gid", "gecos", "home", "shell"].index(name)] = value
    return ":".join(line)


Row = collections.namedtuple("Row", "name options answers")
U, G = "passwd", "group"
ROWS = [
    Row("plain", {}, {(U, "alice"): alice(), (G, "devs"): "devs:20002:alice,bob", (U, "erin"): 1}),
    # ---- what the attributes of a user are called
    Row(
        "name",
        {"ldap_user_name": "givenName"},
        {(U, "wonder"): alice(name="wonder"), (U, "alice"): None},
    ),
    Row("name-nobody", {"ldap_user_name": "initials"}, {(U, "alice"): None, (U, "wonder"): None}),
    Row(
        "uid",
        {"ldap_user_uid_number": "employeeNumber"},
        {(U, "alice"): alice(uid="10999"), (U, "bob"): None},
    ),
    Row(
        "gid",
        {"ldap_user_gid_number": "departmentNumber"},
        {(U, "alice"): alice(gid="20999"), (U, "bob"): None},
    ),
    Row("gid-text", {"ldap_user_gid_number": "description"}, {(U, "alice"): None}),
    Row("gecos", {"ldap_user_gecos": "description"}, {(U, "alice"): alice(gecos="Second gecos")}),
    Row("gecos-none", {"ldap_user_gecos": "initials"}, {(U, "alice"): alice()}),
    Row(
        "fullname",
        {"ldap_user_gecos": "initials", "ldap_user_fullname": "displayName"},
        {(U, "alice"): alice(gecos="Second full name"), (U, "bob"): "bob:*:10002:20001::/home/bob:/bin/sh"},
    ),
    Row("home", {"ldap_user_home_directory": "street"}, {(U, "alice"): alice(home="/second/home")}),
    Row("home-none", {"ldap_user_home_directory": "initials"}, {(U, "alice"): alice(home="")}),
    Row("shell", {"ldap_user_shell": "l"}, {(U, "alice"): alice(shell="/second/shell")}),
    Row("shell-none", {"ldap_user_shell": "initials"}, {(U, "alice"): alice(shell="")}),
    Row(
        "case",
        {"ldap_user_name": "UID", "ldap_user_shell": "LOGINSHELL"},
        {(U, "alice"): alice()},
    ),
    Row("option", {"ldap_user_gecos": "description;lang-en"}, {(U, "alice"): alice()}),
    Row("upn", {"ldap_user_principal": "givenName"}, {(U, "alice"): alice()}),
    Row(
        "class",
        {"ldap_user_object_class": "extensibleObject"},
        {(U, "alice"): alice(), (U, "bob"): None},
    ),
    Row("class-case", {"ldap_user_object_class": "POSIXACCOUNT"}, {(U, "alice"): alice()}),
    Row("class-none", {"ldap_user_object_class": "noSuchClass"}, {(U, "alice"): None}),
    Row(
        "upn-home",
        {"ldap_user_principal": "drink", "override_homedir": "/%P"},
        {(U, "alice"): alice(home="/alice@Example.test")},
    ),
    Row(
        "realm",
        {
            "ldap_user_principal": "drink",
            "override_homedir": "/%P",
            "ldap_force_upper_case_realm": "true",
        },
        {(U, "alice"): alice(home="/alice@EXAMPLE.TEST")},
    ),
    Row(
        "extra",
        {"ldap_user_extra_attrs": "mobile, tel:MOBILE, l, nothing:initials, photo:jpegPhoto"},
        {(U, "alice"): alice()},
    ),
    # ---- and of a group
    Row(
        "gname",
        {"ldap_group_name": "description"},
        {(G, "second"): "second:20002:alice,bob", (G, "devs"): None},
    ),
    Row(
        "ggid",
        {"ldap_group_gid_number": "employeeNumber"},
        {(G, "devs"): "devs:20998:alice,bob", (G, "workers"): None},
    ),
    Row(
        "gmember",
        {"ldap_group_member": "givenName"},
        {(G, "devs"): "devs:20002:carol", (G, "admins"): "admins:20004:"},
    ),
    Row("gmember-none", {"ldap_group_member": "initials"}, {(G, "devs"): "devs:20002:"}),
    Row(
        "gclass",
        {"ldap_group_object_class": "extensibleObject"},
        {(G, "devs"): "devs:20002:alice,bob", (G, "admins"): None},
    ),
    Row("gclass-none", {"ldap_group_object_class": "noSuchClass"}, {(G, "devs"): None}),
    Row(
        "gclass-alt",
        {"ldap_group_object_class": "extensibleObject", "ldap_group_object_class_alt": "POSIXGROUP"},
        {(G, "devs"): "devs:20002:alice,bob", (G, "admins"): "admins:20004:alice"},
    ),
    Row(
        "gclass-alt-one",
        {"ldap_group_object_class": "noSuchClass", "ldap_group_object_class_alt": "extensibleObject"},
        {(G, "devs"): "devs:20002:alice,bob", (G, "admins"): None},
    ),
    Row(
        "gclass-alt-none",
        {"ldap_group_object_class_alt": "noSuchClass"},
        {(G, "devs"): "devs:20002:alice,bob", (G, "admins"): 1},
    ),
    # ---- all names at once: more in test_schemas.py
    Row("schema-bis", {"ldap_schema": "RFC2307BIS"}, {(U, "alice"): alice(), (G, "devs"): "devs:20002:"}),
    Row("schema-ipa", {"ldap_schema": "IPA"}, {(U, "alice"): alice(), (G, "devs"): "devs:20002:"}),
    Row("schema-ad", {"ldap_schema": "AD"}, {(U, "alice"): None, (G, "devs"): None}),
    Row(
        "schema-ad-written",
        {
            "ldap_schema": "ad",
            "ldap_user_object_class": "posixAccount",
            "ldap_user_name": "uid",
            "ldap_user_home_directory": "street",
            "ldap_group_object_class": "posixGroup",
            "ldap_group_name": "cn",
        },
        {(U, "alice"): alice(home="/second/home"), (G, "devs"): "devs:20002:"},
    ),
    # ---- parts of values: test_ranges.py; this server gives none
    Row(
        "ranges-off",
        {"ldap_disable_range_retrieval": "TRUE"},
        {(U, "alice"): alice(), (G, "devs"): "devs:20002:alice,bob"},
    ),
    # ---- where to search
    Row(
        "base",
        {"ldap_search_base": PEOPLE},
        {(U, "alice"): alice(), (G, "devs"): None, (U, "erin"): None},
    ),
    Row(
        "ubase",
        {"ldap_user_search_base": OTHERS},
        {(U, "alice"): None, (U, "erin"): 1, (G, "devs"): 1},
    ),
    Row("gbase", {"ldap_group_search_base": OTHERS}, {(U, "alice"): alice(), (G, "devs"): None}),
    Row("one", {"ldap_user_search_base": f"{BASE}?onelevel?"}, {(U, "alice"): None}),
    Row("one2", {"ldap_user_search_base": f"{PEOPLE}?onelevel?"}, {(U, "alice"): alice()}),
    Row(
        "exact",
        {"ldap_user_search_base": f"{user_dn('alice')}?base?"},
        {(U, "alice"): alice(), (U, "bob"): None},
    ),
    Row(
        "filter",
        {"ldap_user_search_base": f"{BASE}?subtree?(!(uid=alice))"},
        {(U, "alice"): None, (U, "bob"): 1},
    ),
    Row(
        "filter2",
        {"ldap_user_search_base": f"{BASE}?subtree?uid=alice"},
        {(U, "alice"): alice(), (U, "bob"): None},
    ),
    Row(
        "two",
        {"ldap_user_search_base": f"{user_dn('alice')}?base??{OTHERS}?onelevel?(uid=erin)"},
        {(U, "alice"): alice(), (U, "erin"): 1, (U, "bob"): None, (U, 10010): 1},
    ),
    Row(
        "half",
        {"ldap_user_search_base": f"ou=nowhere,{BASE}?subtree??{OTHERS}?subtree?"},
        {(U, "erin"): 1, (U, "alice"): None},
    ),
    Row(
        "gfilter",
        {"ldap_group_search_base": f"{BASE}?sub?(gidNumber>=20004)"},
        {(G, "devs"): None, (G, "admins"): 1},
    ),
    Row(
        "gexact",
        {"ldap_group_search_base": f"{group_dn('devs')}?base?"},
        {(G, "devs"): 1, (G, "admins"): None},
    ),
    Row(
        "uscope",
        {"ldap_user_search_base": PEOPLE, "ldap_user_search_scope": "BASE"},
        {(U, "alice"): None, (G, "devs"): 1},
    ),
    Row("uscope1", {"ldap_user_search_scope": "onelevel"}, {(U, "alice"): None, (G, "devs"): 1}),
    Row("uscope2", {"ldap_search_base": None, "ldap_user_search_scope": "one"}, {(U, "alice"): None}),
    Row("ufilter", {"ldap_user_search_filter": "(!(uid=alice))"}, {(U, "alice"): None, (U, "bob"): 1}),
    Row(
        "ufilter2",
        {"ldap_search_base": None, "ldap_user_search_filter": "uid=alice"},
        {(U, "alice"): alice(), (U, "bob"): None, (G, "devs"): 1},
    ),
    Row(
        "ufilter3",
        {
            "ldap_user_search_base": f"{PEOPLE}?subtree?(uid=bob)",
            "ldap_user_search_filter": "(uid=alice)",
            "ldap_user_search_scope": "base",
        },
        {(U, "alice"): None, (U, "bob"): 1},
    ),
    Row("gscope", {"ldap_group_search_scope": "one"}, {(U, "alice"): alice(), (G, "devs"): None}),
    Row("gfilter2", {"ldap_group_search_filter": "(cn=admins)"}, {(G, "devs"): None, (G, "admins"): 1}),
    Row("asked", {"ldap_search_base": None}, {(U, "alice"): alice(), (G, "devs"): 1}),
    # ---- aliases (RFC 4512): ou=links has one, of erin
    Row("deref-never", {"ldap_search_base": f"ou=links,{BASE}"}, {(U, "erin"): None}),
    Row(
        "deref-always",
        {"ldap_search_base": f"ou=links,{BASE}", "ldap_deref": "always"},
        {(U, "erin"): 1},
    ),
    Row(
        "deref-searching",
        {"ldap_search_base": f"ou=links,{BASE}", "ldap_deref": "searching"},
        {(U, "erin"): 1},
    ),
    Row(
        "deref-finding",
        {"ldap_search_base": f"ou=links,{BASE}", "ldap_deref": "finding"},
        {(U, "erin"): None},
    ),
    # ---- who asks
    Row(
        "bind",
        {
            "ldap_uri": "ldaps://127.0.0.2",
            "ldap_default_bind_dn": READER,
            "ldap_default_authtok": READER_PASSWORD,
        },
        {(U, "alice"): alice()},
    ),
    Row(
        "bind-type",
        {
            "ldap_uri": "ldaps://127.0.0.2",
            "ldap_default_bind_dn": READER,
            "ldap_default_authtok_type": "PASSWORD",
            "ldap_default_authtok": READER_PASSWORD,
        },
        {(U, "alice"): alice()},
    ),
    Row(
        "bind-hidden",
        {
            "ldap_uri": "ldaps://127.0.0.2",
            "ldap_default_bind_dn": READER,
            "ldap_default_authtok_type": "obfuscated_password",
            "ldap_default_authtok": HIDDEN,
        },
        {(U, "alice"): alice(), (G, "devs"): 1},
    ),
    # ---- what the server is asked about itself; 127.0.0.4 tells nobody who has not bound
    Row("rootdse-never", {"ldap_read_rootdse": "never"}, {(U, "alice"): alice()}),
    Row(
        "rootdse-fallback",
        {
            "ldap_uri": "ldaps://127.0.0.4",
            "ldap_search_base": None,
            "ldap_read_rootdse": "anonymous",
            "ldap_default_bind_dn": READER,
            "ldap_default_authtok": READER_PASSWORD,
        },
        {(U, "alice"): alice()},
    ),
    Row(
        "rootdse-bound",
        {
            "ldap_uri": "ldaps://127.0.0.4",
            "ldap_search_base": None,
            "ldap_read_rootdse": "Authenticated",
            "ldap_default_bind_dn": READER,
            "ldap_default_authtok": READER_PASSWORD,
        },
        {(U, "alice"): alice()},
    ),
    # ---- who is trusted
    Row(
        "cacertdir",
        {"ldap_tls_cacert": None, "ldap_tls_cacertdir": "/srv/authorities"},
        {(U, "alice"): alice()},
    ),
    Row(
        "cacertdir-and-file",
        {"ldap_tls_cacert": "/srv/others.pem", "ldap_tls_cacertdir": "/srv/authorities"},
        {(U, "alice"): alice()},
    ),
    # ---- the way
    Row(
        "tls",
        {"ldap_uri": "ldap://ldap.test", "ldap_id_use_start_tls": "true"},
        {(U, "alice"): alice()},
    ),
    Row("tls-unset", {"ldap_uri": "ldap://ldap.test"}, {(U, "alice"): alice()}),
    Row(
        "clear",
        {"ldap_uri": "ldap://127.0.0.3", "ldap_id_use_start_tls": "false"},
        {(U, "alice"): alice()},
    ),
    Row("ldapi", {"ldap_uri": "ldapi://%2Fsrv%2Fslapd-main%2Fldapi"}, {(U, "alice"): alice()}),
    Row(
        "second-uri",
        {"ldap_uri": "ldaps://127.0.0.9, ldaps://ldap.test"},
        {(U, "alice"): alice()},
    ),
    # ---- edges of the limits
    Row(
        "limits",
        {
            "ldap_network_timeout": 1,
            "ldap_opt_timeout": 1,
            "ldap_search_timeout": 1,
            "ldap_connection_expire_timeout": 1,
            "ldap_connection_idle_timeout": 0,
        },
        {(U, "alice"): alice()},
    ),
]

# The domain does not answer: nobody can tell. words: what the log says.
SILENT = [
    Row("nowhere", {"ldap_search_base": f"ou=nowhere,{BASE}"}, ["ou=nowhere", "No such object"]),
    Row(
        "hidden-not-told",
        {"ldap_uri": "ldaps://127.0.0.2", "ldap_default_bind_dn": READER, "ldap_default_authtok": HIDDEN},
        ["domain hidden-not-told: offline", "bind"],
    ),
    Row(
        "cacertdir-others",
        {"ldap_tls_cacert": None, "ldap_tls_cacertdir": "/srv/other-authorities"},
        ["domain cacertdir-others: offline", "TLS"],
    ),
    Row(
        "cacertdir-nowhere",
        {"ldap_tls_cacert": None, "ldap_tls_cacertdir": "/no/such/directory"},
        ["domain cacertdir-nowhere: offline", "TLS"],
    ),
    Row("nofilter", {"ldap_user_search_base": f"{BASE}?sub?(=)"}, ["not valid"]),
    Row("nobind", {"ldap_uri": "ldaps://127.0.0.2"}, ["search base"]),
    Row(
        "badbind",
        {
            "ldap_uri": "ldaps://127.0.0.2",
            "ldap_default_bind_dn": READER,
            "ldap_default_authtok": "wrong",
        },
        ["bind"],
    ),
    Row("notls", {"ldap_uri": "ldap://127.0.0.3"}, ["ldap_id_use_start_tls"]),
    Row("notls2", {"ldap_uri": "ldap://127.0.0.3", "ldap_id_use_start_tls": "true"}, ["StartTLS"]),
]

# Options that together make no sense. `sssctl config-check` names the first one with these words, and
# the domain is not started.
SENSELESS = [
    Row(
        "not-hidden",
        {
            "ldap_default_authtok": "open",
            "ldap_default_authtok_type": "obfuscated_password",
            "ldap_default_bind_dn": READER,
        },
        "not what sss_obfuscate writes",
    ),
    Row("halfbind", {"ldap_default_bind_dn": READER}, "needs 'ldap_default_authtok'"),
    Row("rootdse-no-base", {"ldap_read_rootdse": "never", "ldap_search_base": None}, "'ldap_search_base' is not set"),
    Row(
        "many-extra",
        {"ldap_user_extra_attrs": ",".join(f"x{i}" for i in range(33))},
        "more attributes than 32",
    ),
]

# `sssctl config-check` names it, and the domain is not started.
BAD = [
    ("ldap_uri", "http://ldap.test"),
    ("ldap_uri", "ldaps://ldap.test:70000"),
    ("ldap_uri", "ldap://ldap.test ldap://127.0.0.3"),
    ("ldap_backup_uri", "ldaps://ldap.test:70000"),
    ("ldap_backup_uri", "ldap://ldap.test ldap://127.0.0.3"),
    ("ldap_search_base", "what is this"),
    ("ldap_search_base", f"{BASE}?everything?"),
    ("ldap_user_search_base", f"{BASE}?sub"),
    ("ldap_user_search_base", f"{BASE}?sub?(uid=alice"),
    ("ldap_group_search_base", f"{BASE}?sub??{BASE}"),
    ("ldap_user_search_filter", "(a=b"),
    ("ldap_group_search_filter", "(a)(b)"),
    ("ldap_user_name", "u id"),
    ("ldap_user_shell", "a)(b=*"),
    ("ldap_user_object_class", "posixAccount)(uid=*"),
    ("ldap_group_member", "(x)"),
    ("ldap_group_object_class_alt", "a b"),
    ("ldap_user_extra_attrs", "a)(b"),
    ("ldap_user_extra_attrs", ":mail"),
    ("ldap_schema", "rfc2308"),
    ("ldap_schema", "freeipa"),
    ("ldap_schema", "AD IPA"),
    ("ldap_disable_range_retrieval", "yes"),
    ("ldap_read_rootdse", "bound"),
    ("ldap_default_authtok_type", "secret"),
    ("ldap_id_use_start_tls", "perhaps"),
    ("ldap_tls_reqcert", "sometimes"),
    ("ldap_network_timeout", "-1"),
    ("ldap_opt_timeout", "soon"),
    ("ldap_search_timeout", "6s"),
    ("ldap_connection_expire_timeout", "1.5"),
    ("ldap_connection_expire_offset", "x"),
    ("ldap_connection_idle_timeout", "4294967296"),
    ("ldap_referrals", "no"),
    ("ldap_deref", "often"),
    ("ldap_group_nesting_level", "-1"),
    ("ldap_deref_threshold", "ten"),
    ("ldap_user_search_scope", "children"),
    ("ldap_group_search_scope", "0"),
    ("ldap_force_upper_case_realm", "1"),
]


def conf(rows):
    text = f"[sssd]\nservices = nss\ndomains = {', '.join(row.name for row in rows)}\n"
    for row in rows:
        options = {
            "id_provider": "ldap",
            "ldap_uri": "ldaps://ldap.test",
            "ldap_search_base": BASE,
            "ldap_tls_cacert": CA,
            **row.options,
        }
        text += f"[domain/{row.name}]\n" + "".join(
            f"{name} = {value}\n" for name, value in options.items() if value is not None
        )
    return text


@pytest.fixture(scope="module")
def slapd(machine):
    """Four: everything; two that only tell READER, the second one not even what it is; one without
    TLS. And directories of authorities, each named by its hash."""
    Slapd(machine, name="closed", address="127.0.0.2", anonymous=False).start()
    Slapd(machine, name="clear", address="127.0.0.3", tls=False).start()
    shy = f'access to dn.base="" by dn.exact="{READER}" read by * none'
    Slapd(machine, name="shy", address="127.0.0.4", anonymous=False, security=shy).start()
    machine.write("/srv/others.pem", Authority().pem())
    for name, ca in ("authorities", CA), ("other-authorities", "/srv/others.pem"):
        machine.sh(f"install -D -m 644 {ca} /srv/{name}/ca.pem; openssl rehash /srv/{name}")
    slapd = Slapd(machine, entries=(USERS[1:], [GROUPS[0]] + GROUPS[2:])).start()
    slapd.add(user_ldif(USERS[0], **SECOND))
    slapd.add(
        f"dn: {group_dn('devs')}\nobjectClass: posixGroup\nobjectClass: extensibleObject\n"
        "cn: devs\ngidNumber: 20002\nmemberUid: alice\nmemberUid: bob\n"
        "description: second\nemployeeNumber: 20998\ngivenName: carol\n\n"
        + "".join(
            f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n"
            for name in ("others", "links")
        )
    )
    slapd.add(user_ldif(ERIN, dn=f"uid=erin,{OTHERS}"))
    slapd.add(
        f"dn: uid=erin,ou=links,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\n"
        f"uid: erin\naliasedObjectName: uid=erin,{OTHERS}\n"
    )
    return slapd


@pytest.fixture(scope="module")
def log(machine):
    return Log(machine)


@pytest.fixture(scope="module")
def suite(machine, slapd, log):
    machine.run(["chmod", "755", "/srv/slapd-main"])  # to its ldapi
    suite = Suite(machine, slapd)
    suite.configure(conf(ROWS))
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    machine.systemctl("start", "sssd.service")
    return suite


@pytest.fixture(scope="module")
def silent(suite):
    """The same with the domains that cannot work, beside one that does."""
    bad = [Row(f"bad{i}", {name: value}, None) for i, (name, value) in enumerate(BAD)]
    suite.stop()
    suite.configure(conf(ROWS[:1] + SILENT + SENSELESS + bad))
    suite.check = suite.c.run(["sssctl", "config-check"], check=False)
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    return suite


@pytest.mark.parametrize("client", ["ours", "debian"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_effect(suite, row, client):
    for (database, key), expected in row.answers.items():
        if isinstance(key, int):
            continue  # of whom every domain has the same
        result = suite.getent(database, f"{key}@{row.name}", client=client)
        line = result.out.strip()
        if expected is None:
            assert result.rc == 2 and not line, (key, result)
        elif expected == 1:
            assert result.rc == 0 and line.startswith(f"{key}:"), (key, result)
        elif database == G:
            name, _, gid, members = line.split(":")
            assert f"{name}:{gid}:{','.join(sorted(members.split(',')))}" == expected, key
        else:
            assert line == expected, key


@pytest.mark.parametrize(
    "domain, gids", [("plain", {20002, 20004}), ("gclass-alt", {20002, 20004}), ("gclass-alt-one", {20002})]
)
def test_classes_of_groups_count_for_the_groups_of_a_user(suite, domain, gids):
    assert suite.initgroups(f"alice@{domain}") == gids


def test_extra_attributes_are_shown(suite):
    assert suite.passwd("alice@extra")
    shown = suite.c.run(["sssctl", "user-show", "alice@extra"]).out.splitlines()
    extra = shown[shown.index("Cached in InfoPipe: No") + 1 :]
    assert sorted(extra) == ["l: /second/shell", "mobile: +1 23", "mobile: +4 56", "tel: +1 23", "tel: +4 56"]
    assert suite.passwd("alice@plain")
    assert suite.c.run(["sssctl", "user-show", "alice@plain"]).out.endswith("InfoPipe: No\n")


@pytest.mark.parametrize("row", SILENT, ids=lambda row: row.name)
def test_what_cannot_work_answers_nobody_and_is_told(silent, log, row):
    assert silent.passwd(f"alice@{row.name}") is None
    lines = [line for line in log.lines() if all(word in line for word in row.answers)]
    assert lines, f"no line with {row.answers} in:\n{log.text()[-4000:]}"
    # Its cache never hears of it: somebody who was found stays.
    assert silent.passwd("alice@plain") == alice()


@pytest.mark.parametrize("i", range(len(BAD)), ids=[name for name, _ in BAD])
def test_bad_value_is_named_and_stops_the_domain(silent, i):
    name, value = BAD[i]
    section = f"domain/bad{i}"
    lines = silent.check.out.splitlines()
    assert silent.check.rc == 1
    assert any(name in line and f"'{section}'" in line and value in line for line in lines), lines
    assert silent.passwd(f"alice@bad{i}") is None


@pytest.mark.parametrize("row", SENSELESS, ids=lambda row: row.name)
def test_what_makes_no_sense_is_named_with_its_line_and_stops_the_domain(silent, row):
    option, value = next(iter(row.options.items()))
    text = conf([row]).splitlines()
    place = text.index(f"{option} = {value}") - text.index(f"[domain/{row.name}]")
    whole = silent.c.read("/etc/sssd/sssd.conf").splitlines()
    place += whole.index(f"[domain/{row.name}]") + 1
    lines = [line for line in silent.check.out.splitlines() if f"'domain/{row.name}'" in line]
    assert any(f"'{option}'" in line and row.answers in line and f"sssd.conf:{place})" in line for line in lines), lines
    assert not any(READER_PASSWORD in line or "'open'" in line for line in lines)
    assert silent.passwd(f"alice@{row.name}") is None


# ---- time -------------------------------------------------------------------------------------------


@pytest.fixture
def alone(container):
    """A suite of its own, whose connections can be counted."""
    with container() as c:
        yield Suite(c, Slapd(c).start())


def connections(suite, expected):
    suite.c.wait_for(
        f"{expected} connections", lambda: suite.slapd.connections() == expected, timeout=20
    )


def test_idle_connections_are_closed(alone):
    alone.start(ldap_connection_idle_timeout=1)
    assert alone.passwd("alice") == alice()
    connections(alone, 0)
    assert alone.passwd("bob").startswith("bob:")


def test_old_connections_are_replaced(alone):
    alone.start(ldap_connection_expire_timeout=1, ldap_connection_idle_timeout=0)
    assert alone.passwd("alice") == alice()
    ports = alone.c.sh("ss -Htn state established").out
    alone.c.wait_for(
        "the connection is another one",
        lambda: alone.passwd("nobody-yet") is None
        and alone.c.sh("ss -Htn state established").out != ports,
    )


def test_a_search_ends_in_time(alone):
    alone.start(ldap_search_timeout=1)
    assert alone.passwd("alice") == alice()
    alone.slapd.pause()
    try:
        log = Log(alone.c)
        result = alone.getent("passwd", "carol")
        assert result.rc != 0 and result.ms < 5500, result
        assert "no end of it within 1 s (ldap_search_timeout)" in log.text()
    finally:
        alone.slapd.resume()


BOUND = {"ldap_default_bind_dn": READER, "ldap_default_authtok": READER_PASSWORD}


@pytest.mark.parametrize(
    "value, steps",
    [
        (None, ["root DSE", "bind", "base"]),
        ("anonymous", ["root DSE", "bind", "base"]),
        ("authenticated", ["bind", "root DSE", "base"]),
        ("never", ["bind", "base"]),
    ],
)
def test_when_the_root_dse_is_read(container, value, steps):
    """As slapd hears it, up to the search for her."""
    with container() as c:
        suite = Suite(c, Slapd(c, stats=True).start())
        suite.start(ldap_read_rootdse=value, **BOUND)
        assert suite.passwd("alice") == alice()
        c.run(["journalctl", "--sync"])
        heard = []
        for line in c.journal("-u", suite.slapd.unit, "-o", "cat").splitlines():
            if f'BIND dn="{READER}" method=128' in line:
                heard.append("bind")
            elif 'SRCH base="" scope=0' in line:
                heard.append("root DSE")
            elif f'SRCH base="{BASE}" scope=0' in line:
                heard.append("base")
        assert heard == steps


@pytest.mark.parametrize("value", ["true", "false", None])
def test_referrals_are_not_followed_and_it_is_said(alone, value):
    alone.slapd.add(
        f"dn: ou=else,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: else\n"
        f"ref: ldap://other.test/ou=else,{BASE}??sub\n"
    )
    log = Log(alone.c)
    alone.start(ldap_referrals=value)
    assert alone.passwd("alice") == alice() and alone.group("devs") and alone.passwd("nobody-here") is None
    said = log.text().count(f"ldap://other.test/ou=else,{BASE}??sub is left out: referrals are not followed")
    assert said == (0 if value == "false" else 1)
    assert ("ldap_referrals is not implemented" in log.text()) == (value == "true")
