# SPDX-License-Identifier: LGPL-2.1-or-later
"""A directory that changes at random, and a model of it that says what every answer must be.

Users and groups come and go, are renamed, get each other's numbers and other groups. After some
edits, once all that was cached has expired, each name and each number there is or ever was is asked
for, and each answer is compared."""
import collections
import os
import random

import pytest

from length import by_length
from metrics import metrics
from slapd import BASE, Group, Slapd, User, bis_group_ldif, group_dn, group_ldif, user_dn, user_ldif
from suite import Suite

EDITS = by_length(1000, 100000)
AT_ONCE = by_length(200, 400)  # edits between two comparisons, at most
NAMES = [f"u{n}" for n in range(40)]
UIDS = range(10000, 10060)
GROUPS = [f"g{n}" for n in range(30)]
GIDS = range(30000, 30045)
MAIN = {f"main{n}": 20001 + n for n in range(6)}  # primary groups: these stay, with their numbers
NESTING = 2  # ldap_group_nesting_level, as shipped
EXPIRY_S = 1

# What a user or group has beside its name; a user's dn may be without it.
Person = collections.namedtuple("Person", "user dn")


def modify(dn, what, attribute, *values):
    lines = "".join(f"{attribute}: {value}\n" for value in values)
    return f"dn: {dn}\nchangetype: modify\n{what}: {attribute}\n{lines}\n"


class Model:
    """The directory of RFC 2307. An edit changes it and returns the LDIF that does the same."""

    schema, bis, member = "rfc2307", False, "memberUid"

    def __init__(self, chance):
        self.chance = chance
        self.users, self.groups = {}, {}  # name → Person; name → Group with a set of members
        self.serial = 0
        self.edits = 0
        for name, gid in MAIN.items():
            self.groups[name] = Group(name, gid, set())
        for _ in range(20):
            self.add_user()
            self.add_group()
        for _ in range(100):
            self.change_member()

    def one_of(self, items):
        return self.chance.choice(sorted(items))

    def free(self, pool, used):
        return self.one_of(set(pool) - set(used))

    def free_uid(self):
        return self.free(UIDS, (person.user.uid for person in self.users.values()))

    def free_gid(self):
        return self.free(GIDS, (group.gid for group in self.groups.values()))

    def passing(self):
        return set(self.groups) - set(MAIN)

    # -- edits ---------------------------------------------------------------------------------------

    def edit(self):
        """The LDIF of one; never empty."""
        self.edits += 1
        edits = [self.change_member] * 10 + [self.change_user] * 3
        edits += [self.add_user, self.delete_user, self.rename_user, self.swap_uids]
        edits += [self.add_group, self.delete_group, self.rename_group, self.change_gid]
        while not (text := self.chance.choice(edits)()):
            pass
        return text

    def word(self):
        self.serial += 1
        return f"{self.chance.choice(['a', 'bc', 'def'])}{self.serial}"

    def add_user(self):
        if len(self.users) > 30:
            return ""
        name = self.free(NAMES, self.users)
        user = User(name, self.free_uid(), self.one_of(MAIN.values()), self.word(), "/h", "/bin/sh")
        self.users[name] = Person(user, self.new_dn(name))
        return self.added(user_ldif(user, dn=self.users[name].dn, cn=self.cn_of(self.users[name])))

    def added(self, ldif):
        head, _, rest = ldif.partition("\n")
        return f"{head}\nchangetype: add\n{rest}"

    def new_dn(self, name):
        return user_dn(name)

    def cn_of(self, person):
        rdn = person.dn.partition(",")[0]
        return rdn[3:] if rdn.startswith("cn=") else person.user.name

    def delete_user(self):
        if len(self.users) < 10:
            return ""
        person = self.users.pop(self.one_of(self.users))
        return f"dn: {person.dn}\nchangetype: delete\n\n"

    def change_user(self):
        name = self.one_of(self.users)
        user, dn = self.users[name]
        field, attribute, value = self.chance.choice(
            [
                ("uid", "uidNumber", self.free_uid()),
                ("gid", "gidNumber", self.one_of(MAIN.values())),
                ("gecos", "gecos", self.word()),
                ("home", "homeDirectory", f"/{self.word()}"),
                ("shell", "loginShell", f"/{self.word()}"),
            ]
        )
        self.users[name] = Person(user._replace(**{field: value}), dn)
        return modify(dn, "replace", attribute, value)

    def swap_uids(self):
        a, b = self.chance.sample(sorted(self.users), 2)
        text = ""
        uids = {a: self.users[b].user.uid, b: self.users[a].user.uid}
        for name, uid in uids.items():
            user, dn = self.users[name]
            self.users[name] = Person(user._replace(uid=uid), dn)
            text += modify(dn, "replace", "uidNumber", uid)
        return text

    def rename_user(self):
        name = self.one_of(self.users)
        user, dn = self.users.pop(name)
        to = self.free(NAMES, [*self.users, name])
        user = user._replace(name=to)
        if not dn.startswith("uid="):
            self.users[to] = Person(user, dn)
            return modify(dn, "replace", "uid", to)
        self.users[to] = Person(user, user_dn(to))
        return f"dn: {dn}\nchangetype: modrdn\nnewrdn: uid={to}\ndeleteoldrdn: 1\n\n"

    def add_group(self):
        if len(self.groups) > 24 + len(MAIN):
            return ""
        name = self.free(GROUPS, self.groups)
        group = Group(name, self.free_gid(), {self.some_member() for _ in range(3)})
        self.groups[name] = group
        return self.added(self.group_text(group._replace(members=sorted(group.members))))

    def group_text(self, group):
        return group_ldif(group)

    def delete_group(self):
        if len(self.groups) < 8 + len(MAIN):
            return ""
        name = self.one_of(self.passing())
        del self.groups[name]
        return f"dn: {group_dn(name)}\nchangetype: delete\n\n"

    def rename_group(self):
        name = self.one_of(self.passing())
        group = self.groups.pop(name)
        to = self.free(GROUPS, [*self.groups, name])
        self.groups[to] = group._replace(name=to)
        return f"dn: {group_dn(name)}\nchangetype: modrdn\nnewrdn: cn={to}\ndeleteoldrdn: 1\n\n"

    def change_gid(self):
        name, gid = self.one_of(self.passing()), self.free_gid()
        self.groups[name] = self.groups[name]._replace(gid=gid)
        return modify(group_dn(name), "replace", "gidNumber", gid)

    def change_member(self):
        group = self.groups[self.one_of(self.groups)]
        if group.members and self.chance.random() < 0.4:
            gone = self.one_of(group.members)
            group.members.remove(gone)
            return modify(group_dn(group.name), "delete", self.member, gone)
        comes = self.some_member()
        if comes in group.members:
            return ""
        group.members.add(comes)
        return modify(group_dn(group.name), "add", self.member, comes)

    def some_member(self):
        """A name, now and then nobody's."""
        return self.chance.choice(NAMES)

    # -- what is true ----------------------------------------------------------------------------------

    def passwd(self):
        """{name or number: the line}"""
        lines = {}
        for user, _ in self.users.values():
            line = f"{user.name}:*:{user.uid}:{user.gid}:{user.gecos}:{user.home}:{user.shell}"
            lines[user.name] = lines[str(user.uid)] = line
        return lines

    def group(self):
        lines = {}
        for group in self.groups.values():
            line = (group.name, str(group.gid), frozenset(self.members_of(group)))
            lines[group.name] = lines[str(group.gid)] = line
        return lines

    def members_of(self, group):
        return group.members

    def initgroups(self):
        return {name: frozenset(self.gids_of(person)) for name, person in self.users.items()}

    def gids_of(self, person):
        groups = self.groups.values()
        gids = {str(group.gid) for group in groups if person.user.name in group.members}
        return gids - {str(person.user.gid)}

    def ids(self):
        """{name: what id(1) says of the groups, the primary one among them}"""
        names = {str(group.gid): name for name, group in self.groups.items()}
        return {
            name: frozenset((gid, names[gid]) for gid in {*self.gids_of(person), str(person.user.gid)})
            for name, person in self.users.items()
        }


class BisModel(Model):
    """The same with DNs as members, groups in groups, and users whose DNs do not tell their names."""

    schema, bis, member = "rfc2307bis", True, "member"

    def new_dn(self, name):
        if self.chance.random() < 0.5:
            return user_dn(name)
        self.serial += 1
        return f"cn=Number {self.serial},ou=people,{BASE}"

    def group_text(self, group):
        return bis_group_ldif(group._replace(members=[BASE, *group.members]))

    def some_member(self):
        kind = self.chance.random()
        if kind < 0.3:
            return group_dn(self.chance.choice([*GROUPS, *MAIN]))
        if kind < 0.4:
            return user_dn(self.chance.choice(NAMES))
        return self.one_of(person.dn for person in self.users.values())

    def members_of(self, group):
        users = {person.dn: name for name, person in self.users.items()}
        groups = {group_dn(name): group for name, group in self.groups.items()}
        found, known, level = set(), set(), {group_dn(group.name)}
        for _ in range(NESTING + 1):
            known |= level
            members = {dn for at in level for dn in groups[at].members}
            # A DN that begins with the name tells it, also of one who is gone.
            found |= {dn[4:].partition(",")[0] for dn in members if dn.startswith("uid=")}
            found |= {users[dn] for dn in members if dn in users}
            level = (members & set(groups)) - known
        return found

    def gids_of(self, person):
        found, level = set(), {person.dn}
        for _ in range(NESTING + 1):
            groups = [group for group in self.groups.values() if group.members & level]
            level = {group_dn(group.name) for group in groups} - found
            found |= level
        gids = {str(group.gid) for group in self.groups.values() if group_dn(group.name) in found}
        return gids - {str(person.user.gid)}


# -- asking ------------------------------------------------------------------------------------------


def lines_of(suite, database, keys, chance):
    """{key: the line}, whoever is not found left out."""
    keys = [str(key) for key in keys]
    chance.shuffle(keys)
    found = {}
    # getent(1) says nothing of a key that it does not find, and all else in the order of the keys.
    lines = suite.getent(database, *keys).out.splitlines()
    for line in lines:
        fields = line.split(":") if database != "initgroups" else line.split()
        for key in (fields[0], *fields[2:3]) if database != "initgroups" else fields[:1]:
            if key in keys:
                found[key] = line
    return found


def group_of(line):
    name, _, gid, members = line.split(":")
    return name, gid, frozenset(members.split(",")) - {""}


def ids(suite, chance):
    """What id(1) says of each who is there, without names that nobody has."""
    names = chance.sample(NAMES, len(NAMES))
    found = {}
    for line in suite.c.sh(f"for name in {' '.join(names)}; do id $name || :; done 2>&1").out.splitlines():
        if line.startswith("uid="):
            name = line.partition("(")[2].partition(")")[0]
            words = line.partition("groups=")[2].split(",")
            found[name] = frozenset(tuple(word.rstrip(")").split("(")) for word in words)
    return found


def answers(suite, chance):
    """As the model's four, and what asks first is drawn by lot."""
    asked = {}
    for database, keys in chance.sample(
        [
            ("passwd", NAMES),
            ("passwd", UIDS),
            ("group", [*GROUPS, *MAIN]),
            ("group", [*GIDS, *MAIN.values()]),
            ("initgroups", NAMES),
            ("id", NAMES),
        ],
        6,
    ):
        lines = ids(suite, chance) if database == "id" else lines_of(suite, database, keys, chance)
        asked.setdefault(database, {}).update(lines)
    return {
        "passwd": asked["passwd"],
        "id": asked["id"],
        "group": {key: group_of(line) for key, line in asked["group"].items()},
        "initgroups": {
            name: frozenset(line.split()[1:]) for name, line in asked["initgroups"].items()
        },
    }


def differences(suite, model, chance):
    """One line for each answer that is not what the model says."""
    found, lines = answers(suite, chance), []
    for database, truth in (
        ("passwd", model.passwd()),
        ("group", model.group()),
        ("initgroups", model.initgroups()),
        ("id", model.ids()),
    ):
        # Who is not there has no groups, and getent(1) names him all the same.
        nothing = frozenset() if database == "initgroups" else None
        for key in sorted({*truth, *found[database]}):
            is_, shall = found[database].get(key, nothing), truth.get(key, nothing)
            if is_ != shall:
                lines.append(f"{database} {key}: {is_}, and not {shall}")
    return lines


def stale(suite):
    """How many answers were old because the server took too long: this machine may be slow."""
    return metrics(suite.c)["sssd_answers_total", "nss", "stale"]


def compare(suite, model, chance):
    for _ in range(5):
        suite.c.run(["sleep", f"{EXPIRY_S}.1"])  # all that is cached has expired
        before = stale(suite)
        wrong = differences(suite, model, chance)
        if stale(suite) == before:
            break
    assert wrong == [], f"after {model.edits} edits"


@pytest.mark.parametrize("schema", [Model, BisModel])
def test_every_answer_is_what_the_directory_says(container, schema):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    chance = random.Random(seed)
    model = schema(chance)
    with container() as c:
        groups = [group._replace(members=sorted(group.members)) for group in model.groups.values()]
        slapd = Slapd(
            c,
            entries=([], []),
            bis=model.bis,
            extra="".join(user_ldif(p.user, dn=p.dn, cn=model.cn_of(p)) for p in model.users.values())
            + "".join(model.group_text(group) for group in groups),
        ).start()
        suite = Suite(c, slapd).start(
            ldap_schema=model.schema,
            entry_cache_timeout=EXPIRY_S,
            nss={"memcache_timeout": 0, "entry_negative_timeout": EXPIRY_S},
        )
        compare(suite, model, chance)
        rounds = 0
        while model.edits < EDITS:
            slapd.modify("".join(model.edit() for _ in range(chance.randint(1, AT_ONCE))))
            compare(suite, model, chance)
            rounds += 1
        print(f"{model.edits} edits, {rounds} rounds, {stale(suite):.0f} stale answers")
