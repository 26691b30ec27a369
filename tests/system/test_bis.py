# SPDX-License-Identifier: LGPL-2.1-or-later
"""Groups that list DNs (rfc2307bis): members, groups in groups, and what lookups cost the server."""
import pytest

from container import Container
from slapd import BASE, USERS, Group, Slapd, User, bis_group_ldif, group_dn, user_ldif
from suite import Suite, our_client

ERIN = User("erin", 10005, 20001, "Erin Example", "/home/erin", "/bin/sh")
ERIN_DN = f"cn=Erin Example\\, PhD,ou=people,{BASE}"

# a ─ b ─ c ─ d hold each other in a row; left and right are two ways from top to bottom.
GROUPS = [
    Group("workers", 20001, []),
    Group("a", 21001, ["alice", "bob"]),
    Group("b", 21002, [group_dn("a")]),
    Group("c", 21003, ["carol", group_dn("b")]),
    Group("d", 21004, [group_dn("c")]),
    Group("ring1", 21011, ["alice", group_dn("ring2")]),
    Group("ring2", 21012, ["bob", group_dn("ring1")]),
    Group("self", 21013, ["bob", group_dn("self")]),
    Group("bottom", 21021, ["carol"]),
    Group("left", 21022, [group_dn("bottom"), "dave.o-neill_1"]),
    Group("right", 21023, [group_dn("bottom"), "dave.o-neill_1"]),
    Group("top", 21024, [group_dn("left"), group_dn("right")]),
    Group("dangling", 21031, ["alice", f"cn=gone,ou=people,{BASE}", group_dn("gone")]),
    Group("spelt", 21032, [f"UID=BOB, OU=People,{BASE.upper()}", ERIN_DN.upper()]),
    Group("nobody", 21033, []),
]
# groupOfNames wants a member: where there is none some write the DN of nothing.
HOLLOW = [Group("hollow", 21034, [""]), Group("half-hollow", 21035, ["", "carol", group_dn("hollow")])]

GROUP = [
    ("a", ("a", 21001, {"alice", "bob"})),
    (21001, ("a", 21001, {"alice", "bob"})),
    ("b", ("b", 21002, {"alice", "bob"})),
    ("c", ("c", 21003, {"alice", "bob", "carol"})),
    (21011, ("ring1", 21011, {"alice", "bob"})),
    ("ring2", ("ring2", 21012, {"alice", "bob"})),
    ("self", ("self", 21013, {"bob"})),
    ("top", ("top", 21024, {"carol", "dave.o-neill_1"})),
    ("gone", None),
    (21999, None),
]

# What Debian's sssd loses whole as soon as one member cannot be found.
LOST = [
    ("dangling", ("dangling", 21031, {"alice"})),
    ("spelt", ("spelt", 21032, {"bob", "erin"})),
    ("nobody", ("nobody", 21033, set())),
    ("hollow", ("hollow", 21034, set())),
    ("half-hollow", ("half-hollow", 21035, {"carol"})),
]

ID = [
    ("alice", (10001, 20001, {20001, 21001, 21002, 21003, 21011, 21012, 21031})),
    ("bob", (10002, 20001, {20001, 21001, 21002, 21003, 21011, 21012, 21013, 21032})),
    ("carol", (10003, 20003, {20003, 21003, 21004, 21021, 21022, 21023, 21024, 21035})),
    ("dave.o-neill_1", (10004, 20001, {20001, 21022, 21023, 21024})),
    ("erin", (10005, 20001, {20001, 21032})),
]


def start(c, **how):
    erin = user_ldif(ERIN, dn=ERIN_DN, cn="Erin Example, PhD")
    slapd = Slapd(c, entries=(USERS, GROUPS), extra=erin, bis=True, **how).start()
    slapd.add("".join(map(bis_group_ldif, HOLLOW)))  # slapadd takes no empty values
    return slapd


@pytest.fixture(scope="module")
def slapd(machine):
    return start(machine)


@pytest.fixture(scope="module")
def suite(machine, slapd):
    return Suite(machine, slapd).start(ldap_schema="rfc2307bis")


class Lookups:
    @pytest.mark.parametrize("key, group", GROUP)
    def test_group(self, suite, key, group):
        assert suite.group(key, client=self.client) == group

    @pytest.mark.parametrize("name, ids", ID)
    def test_id(self, suite, name, ids):
        assert suite.id(name, client=self.client) == ids


class Ours(Lookups):
    @pytest.mark.parametrize("key, group", LOST)
    def test_unknown_member(self, suite, key, group):
        assert suite.group(key, client=self.client) == group


class TestOurClientOurResponder(Ours):
    client = "ours"


class TestDebianClientOurResponder(Ours):
    client = "debian"


class TestDereference(Ours):
    """With a server that offers it, already for two members whose DNs do not tell their names."""

    client = "ours"

    @pytest.fixture(scope="class")
    def suite(self, container):
        with container() as c:
            yield Suite(c, start(c, deref=True)).start(
                ldap_schema="rfc2307bis", ldap_deref_threshold=1
            )


class TestDebianResponder(Lookups):
    """The reference: what the table says is what Debian's own pair answers."""

    client = "debian"

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            suite = Suite(c, start(c))
            suite.configure(services="nss", ldap_schema="rfc2307bis")
            c.systemctl("start", "sssd.service")
            yield suite


# -- what is followed --------------------------------------------------------------------------------

NUMBERLESS = [
    Group("workers", 20001, []),
    Group("low", None, ["alice"]),
    Group("middle", None, [group_dn("low")]),
    Group("high", 22001, [group_dn("middle")]),
]
LEVELS = [
    # ldap_group_nesting_level, groups of alice among a, b, c, d, members of d
    (0, {21001}, set()),
    (1, {21001, 21002}, {"carol"}),
    (2, {21001, 21002, 21003}, {"carol"}),
    (3, {21001, 21002, 21003, 21004}, {"alice", "bob", "carol"}),
    (4294967295, {21001, 21002, 21003, 21004}, {"alice", "bob", "carol"}),
]


@pytest.fixture
def own(container):
    """A machine of its own: own(entries=…, **options) gives the suite, started there."""
    machines = []

    def make(entries=(USERS, GROUPS), extra="", deref=False, schema="", **options):
        machines.append(container())
        c = machines[-1].__enter__()
        slapd = Slapd(c, entries=entries, extra=extra, bis=True, deref=deref, schema=schema).start()
        return Suite(c, slapd).start(ldap_schema="rfc2307bis", **options)

    yield make
    for machine in machines:
        machine.__exit__(None, None, None)


@pytest.mark.parametrize("level, groups, members", LEVELS)
def test_nesting_level(own, level, groups, members):
    suite = own(ldap_group_nesting_level=level)
    chain = {21001, 21002, 21003, 21004}
    assert suite.initgroups("alice") & chain == groups
    assert suite.group("d") == ("d", 21004, members)
    assert suite.group("ring1") == ("ring1", 21011, {"alice"} | ({"bob"} if level else set()))


def test_group_without_a_number_is_followed_and_not_shown(own):
    suite = own((USERS, NUMBERLESS), ldap_group_object_class="groupOfNames")
    assert suite.initgroups("alice") == {22001}
    assert suite.group("high") == ("high", 22001, {"alice"})
    assert suite.group("low") is None


def test_what_is_not_of_the_class_is_no_group(own):
    suite = own((USERS, NUMBERLESS))
    assert suite.initgroups("alice") == set()
    assert suite.group("high") == ("high", 22001, set())


def test_group_with_a_senseless_number_is_followed_and_named_in_the_log(own):
    entries = USERS, [*NUMBERLESS[:1], Group("low", 0, ["alice"]), Group("high", 22001, [group_dn("low")])]
    suite = own(entries)
    assert suite.initgroups("alice") == {22001}
    assert suite.group("high") == ("high", 22001, {"alice"})
    assert group_dn("low") in suite.c.journal("-u", "sssd.service")


# -- names and DNs that mislead ----------------------------------------------------------------------

OTHERS = f"ou=others,{BASE}"
DUP = f"cn=dup,{OTHERS}"
DUPS = f"dn: {OTHERS}\nobjectClass: organizationalUnit\nou: others\n\n"
DUPS += bis_group_ldif(Group("dup", 25002, ["bob"])).replace(group_dn("dup"), DUP)
OUTER = [
    Group("workers", 20001, []),
    Group("dup", 25001, ["alice"]),
    Group("outer1", 25003, [group_dn("dup")]),
    Group("outer2", 25004, [DUP, "carol"]),
    Group("of-outer1", 25005, [group_dn("outer1")]),
    Group("of-outer2", 25006, [group_dn("outer2")]),
]
OF_DUPS = {
    25001: ("dup", 25001, {"alice"}),
    25002: ("dup", 25002, {"bob"}),
    25003: ("outer1", 25003, {"alice"}),
    25004: ("outer2", 25004, {"bob", "carol"}),
    25005: ("of-outer1", 25005, {"alice"}),
    25006: ("of-outer2", 25006, {"bob", "carol"}),
}
IN_DUPS = {"alice": {25001, 25003, 25005}, "bob": {25002, 25004, 25006}, "carol": {25004, 25006}}


@pytest.mark.parametrize("deref", [False, True])
def test_groups_of_the_same_name_in_other_groups(own, deref):
    """Who is in one is in what that one is in, and not in what the other one is in: whoever asks first,
    from the server and from the cache."""
    suite = own((USERS, OUTER), DUPS, deref=deref, ldap_deref_threshold=1)
    suite.c.wait_for("online", lambda: suite.passwd("dave.o-neill_1"))
    for first in ("members", "users", "ids"):
        suite.c.run(["sss_cache", "-E"])
        if first == "ids":
            for name, gids in IN_DUPS.items():
                assert suite.id(name)[2] - {20001, 20003} == gids, name
        for client in ("ours", "debian") * 2:
            if first == "members":
                for gid in sorted(OF_DUPS, reverse=client == "debian"):
                    assert suite.group(gid, client=client) == OF_DUPS[gid], (client, gid)
            for name, gids in IN_DUPS.items():
                assert suite.initgroups(name, client=client) == gids, (first, client, name)
            for gid, group in OF_DUPS.items():
                assert suite.group(gid, client=client) == group, (first, client)


LOOSE = """
attributetype ( 1.3.6.1.4.1.4203.666.1.77 NAME 'looseMember' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
"""
MALFORMED = [
    "bob",
    "=bob",
    "uid=bob,,ou=people,dc=test",
    "uid=bob,ou=people,dc=test,",
    "uid=bob\\,ou=people",
    "uid=b\\zzob,ou=people,dc=test",
    "uid=#0403626f,ou=people,dc=test",
    "uid=bob+,ou=people,dc=test",
    "uid=bob;ou=people;=",
    'uid="bob,ou=people,dc=test',
    "* ) ( \\",
]


@pytest.mark.parametrize("options", [{}, {"ldap_user_search_base": f"{BASE}?subtree?(uid=*)"}])
def test_members_that_are_no_dns(own, options):
    """They are left out, whatever is done about the others: their DNs read, or asked for."""

    def loosely(group, bad):
        members = [name if "=" in name else f"uid={name},ou=people,{BASE}" for name in group.members]
        classes = ["groupOfNames", "posixGroup", "extensibleObject"]
        return bis_group_ldif(group, objectClass=classes, member=[BASE], looseMember=members + bad)

    extra = loosely(Group("team", 26001, ["alice", group_dn("part")]), MALFORMED)
    extra += loosely(Group("part", 26002, ["carol"]), MALFORMED[:3])
    extra += loosely(Group("none", 26003, []), MALFORMED)
    suite = own((USERS, GROUPS[:1]), extra, schema=LOOSE, ldap_group_member="looseMember", **options)
    for client in ("ours", "debian"):
        assert suite.group("team", client=client) == ("team", 26001, {"alice", "carol"})
        assert suite.group(26002, client=client) == ("part", 26002, {"carol"})
        assert suite.group("none", client=client) == ("none", 26003, set())
        assert suite.initgroups("alice", client=client) == {26001}
        assert suite.initgroups("carol", client=client) == {26001, 26002}
        assert suite.initgroups("bob", client=client) == set()


# -- where members lie -------------------------------------------------------------------------------

FRANK = User("frank", 10006, 20001, "Frank", "/home/frank", "/bin/sh")
GRACE = User("grace", 10007, 20001, "Grace", "/home/grace", "/bin/sh")
GUESTS = f"ou=guests,{BASE}"
OUTSIDE = (
    f"dn: {GUESTS}\nobjectClass: organizationalUnit\nou: guests\n\n"
    + user_ldif(FRANK, dn=f"uid=frank,{GUESTS}", host="here")
    + user_ldif(GRACE, dn=f"uid=grace,{GUESTS}")
)
GUEST_GROUP = Group("guests", 23001, [f"uid=frank,{GUESTS}", f"uid=grace,{GUESTS}", "alice", "gone"])


@pytest.mark.parametrize(
    "bases, members",
    [
        # The DN tells the name, also of one who is gone.
        (f"{BASE}", {"frank", "grace", "alice", "gone"}),
        # Guests are asked for, because of the filter.
        (f"ou=people,{BASE}?subtree??{GUESTS}?subtree?(host=here)", {"frank", "alice", "gone"}),
        (f"ou=people,{BASE}?subtree?(objectClass=account)?{GUESTS}?subtree?", {"frank", "grace", "alice"}),
        # Who lies outside is nobody.
        (f"ou=people,{BASE}", {"alice", "gone"}),
        (f"{BASE}?onelevel??ou=people,{BASE}?onelevel?", {"alice", "gone"}),
        (f"{BASE}?base??uid=alice,ou=people,{BASE}?base?", {"alice"}),
    ],
)
def test_search_bases_decide_who_is_a_member(own, bases, members):
    suite = own(
        (USERS, [GUEST_GROUP]),
        OUTSIDE,
        ldap_user_search_base=bases,
        ldap_group_search_base=f"ou=groups,{BASE}",
    )
    assert suite.group("guests") == ("guests", 23001, members)


def test_group_named_like_a_user_by_its_dn_is_not_taken_for_one(own):
    """With ldap_user_name = cn a DN cn=a,… may be that of either."""
    suite = own((USERS, GROUPS[:3]), ldap_user_name="cn")
    assert suite.group("b") == ("b", 21002, {"Alice Example", "Bob Example"})


@pytest.mark.parametrize("cases, searches", [("true", 3), ("preserving", 3), ("false", 1)])
def test_a_name_is_spelt_as_the_user_is_and_comes_once(own, cases, searches):
    """However DNs spell it, which costs a search for users and one for groups where it matters."""
    loud = f"UID=BOB,ou=people,{BASE}"
    groups = [Group("low", 23001, ["bob"]), Group("team", 23002, [loud, group_dn("low")]), Group("loud", 23003, [loud])]
    suite = own((USERS, groups), case_sensitive=cases)
    assert suite.passwd("alice")
    assert suite.getent("group", "team").out == "team:*:23002:bob\n"
    assert searches_of(suite, lambda: suite.group("loud")) == searches
    assert suite.getent("group", "loud").out == "loud:*:23003:bob\n"


@pytest.mark.parametrize("outer, inner", [("dora", "Dora"), ("Dora", "dora")])
def test_a_user_whose_dn_is_spelt_in_two_ways_comes_once(own, outer, inner):
    """What comes first counts."""
    users = [*USERS, User("Dora", 10006, 20001, "", "/", "")]
    groups = [
        Group("low", 23001, [f"uid={inner},ou=people,{BASE}"]),
        Group("team", 23002, [f"uid={outer},ou=people,{BASE}", group_dn("low")]),
    ]
    suite = own((users, groups), case_sensitive="true")
    assert suite.getent("group", "team").out == f"team:*:23002:{outer}\n"


def test_two_users_whose_names_are_alike_both_come_where_case_matters(own):
    other_dn = f"uid=Bob,ou=groups,{BASE}"
    other = user_ldif(User("Bob", 10006, 20001, "", "/", ""), dn=other_dn)
    groups = [Group("low", 23001, [other_dn]), Group("team", 23002, ["bob", group_dn("low")])]
    suite = own((USERS, groups), other, case_sensitive="true")
    assert suite.group("team") == ("team", 23002, {"bob", "Bob"})


def test_names_that_are_alike_come_once_where_case_does_not_matter(own):
    """Also of two users, of whom one is looked up."""
    twin_dn = f"cn=Bob Twin,ou=people,{BASE}"
    twin = user_ldif(User("BOB", 10006, 20001, "", "/", ""), dn=twin_dn)
    suite = own((USERS, [Group("team", 23002, ["bob", twin_dn])]), twin, case_sensitive="false")
    assert suite.getent("group", "team").out == "team:*:23002:bob\n"


def test_a_member_we_would_refuse_as_a_user_is_left_out(own):
    groups = [Group("team", 23002, ["alice", "bob"])]
    suite = own((USERS, groups), ldap_user_search_base=f"{BASE}?subtree?(uid=*)", min_id=10002)
    assert suite.group("team") == ("team", 23002, {"bob"})


def test_ignore_group_members_asks_for_none(own):
    suite = own(ignore_group_members="true")
    assert suite.passwd("alice")  # the connection's own searches are over
    before = suite.slapd.searches()
    assert suite.group("c") == ("c", 21003, set())
    assert suite.slapd.searches() == before + 1


# -- what changes ------------------------------------------------------------------------------------


def test_a_refresh_sees_what_has_changed_anywhere_in_the_chain(own):
    suite = own(entry_cache_timeout=1)
    assert suite.group("c") == ("c", 21003, {"alice", "bob", "carol"})
    assert 21003 in suite.initgroups("alice")
    suite.slapd.modify(f"dn: {group_dn('a')}\nchangetype: modify\ndelete: member\nmember: uid=alice,ou=people,{BASE}\n")
    suite.c.wait_for("alice left", lambda: 21003 not in suite.initgroups("alice"))
    assert suite.group("c") == ("c", 21003, {"bob", "carol"})


def test_half_an_answer_replaces_nothing(own):
    """The server cuts what it says about members: the old list stays."""
    people = [User(f"p{n}", 30000 + n, 20001, "", "/", "") for n in range(20)]
    suite = own(([*USERS, *people], [Group("team", 23003, [p.name for p in people])]), entry_cache_timeout=1,
                ldap_user_search_base=f"{BASE}?subtree?(uid=*)")
    names = {p.name for p in people}
    assert suite.group("team") == ("team", 23003, names)
    suite.slapd.down()
    conf = suite.c.read("/srv/slapd-main/slapd.conf")
    suite.c.write("/srv/slapd-main/slapd.conf", conf.replace("sizelimit unlimited", "sizelimit 5"))
    suite.slapd.up()
    suite.c.wait_for("the cut is noticed", lambda: (suite.group("team"), "cut its answer" in suite.c.journal())[1])
    assert suite.group("team") == ("team", 23003, names)


# -- what it costs the server ------------------------------------------------------------------------


def searches_of(suite, ask):
    before = suite.slapd.searches()
    ask()
    return suite.slapd.searches() - before


@pytest.fixture(scope="module")
def deep(container):
    """One user in 500 groups, in five levels of 100."""
    groups = [Group("workers", 20001, [])]
    for n in range(500):
        below = "alice" if n < 100 else group_dn(f"g{n - 100}")
        groups.append(Group(f"g{n}", 30000 + n, [below]))
    with container() as c:
        slapd = Slapd(c, entries=(USERS, groups), bis=True).start()
        yield Suite(c, slapd).start(ldap_schema="rfc2307bis", ldap_group_nesting_level=4)


def test_id_in_500_groups_of_five_levels_costs_six_searches(deep):
    deep.c.wait_for("online", lambda: deep.passwd("bob"))
    assert searches_of(deep, lambda: deep.id("alice")) <= 6
    assert deep.initgroups("alice") == set(range(30000, 30500))


def test_id_in_500_groups_of_rfc2307_costs_four_searches(container):
    groups = [Group(f"g{n}", 30000 + n, ["alice"]) for n in range(500)]
    with container() as c:
        suite = Suite(c, Slapd(c, entries=(USERS, groups)).start()).start()
        assert suite.passwd("bob")
        assert searches_of(suite, lambda: suite.id("alice")) <= 4
        assert suite.initgroups("alice") == set(range(30000, 30500))


def test_names_in_dns_cost_no_search(own):
    """Whether they are there or not; so many that they are not read in one piece."""
    names = [f"p{n}" for n in range(2500)]
    suite = own((USERS, [Group("team", 23003, names), Group("all", 23004, [group_dn("team"), *names])]))
    assert suite.passwd("alice")
    assert searches_of(suite, lambda: suite.group("team")) == 1
    assert suite.group("team")[2] == set(names)
    assert suite.group("all")[2] == set(names)


PEOPLE = [User(f"p{n}", 30000 + n, 20001, f"Person {n}", "/", "") for n in range(300)]
PEOPLE_DNS = [f"cn=Person {n},ou=people,{BASE}" for n in range(300)]
PEOPLE_LDIF = "".join(user_ldif(user, dn=dn) for user, dn in zip(PEOPLE, PEOPLE_DNS))


@pytest.mark.parametrize(
    "deref, options, searches",
    [
        (False, {}, 1 + 300 / 50),
        (True, {}, 2),
        (True, {"ldap_deref_threshold": 0}, 1 + 300 / 50),
        (True, {"ldap_deref_threshold": 300}, 1 + 300 / 50),
        (True, {"ldap_user_search_base": f"ou=people,{BASE}?subtree?(uid=*)"}, 1 + 300 / 50),
    ],
)
def test_others_cost_one_search_for_all_or_for_fifty(own, deref, options, searches):
    bases = {
        "ldap_user_search_base": f"ou=people,{BASE}",
        "ldap_group_search_base": f"ou=groups,{BASE}",
    }
    suite = own(([], [Group("team", 23003, PEOPLE_DNS)]), PEOPLE_LDIF, deref=deref, **{**bases, **options})
    assert suite.passwd("p1")
    assert searches_of(suite, lambda: suite.group("team")) == searches
    assert suite.group("team")[2] == {user.name for user in PEOPLE}


def test_groups_among_dereferenced_members_are_followed(own):
    groups = [Group(f"part{n}", 24000 + n, PEOPLE_DNS[n * 10 : n * 10 + 10]) for n in range(20)]
    groups.append(Group("all", 23003, [group_dn(f"part{n}") for n in range(20)] + PEOPLE_DNS[290:]))
    suite = own(([], groups), PEOPLE_LDIF, deref=True, ldap_deref_threshold=5)
    assert suite.passwd("p1")
    # all, its members, the groups among them, and the members of each.
    assert searches_of(suite, lambda: suite.group("all")) == 1 + 1 + 1 + 20
    assert suite.group("all")[2] == {f"p{n}" for n in [*range(200), *range(290, 300)]}
