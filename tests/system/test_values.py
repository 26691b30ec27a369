# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the options of [nss] and [domain/NAME] make of a passwd or group answer, seen from outside.

Each row is a domain of its own, all over the same directory, so that one start shows all; Debian's
own pair is asked the same. Options of [nss] need a configuration each: a reload here, a restart there.
"""
import collections

import pytest

from container import Container
from memcache import tables_agree
from slapd import BASE, CA, GROUPS, USERS, Group, Slapd, User, group_ldif, user_ldif
from suite import Suite

EVE = User("Eve", 10005, 20001, "Eve", "/Export/Eve", "/opt/zsh")
HOMELESS = User("homeless", 10006, 20001, "No home", "", "/bin/sh")

Row = collections.namedtuple("Row", "name options user home shell gid password")


def row(name, options, user, home=None, shell=None, gid=20001, password="*"):
    """One domain, one user, what is answered; None = what the directory says."""
    return Row(name, options, user, home, shell, gid, password)


DOMAIN = [
    row("plain", {}, EVE),
    row("homeless", {}, HOMELESS),
    row(
        "letters",
        {"override_homedir": "/net/%d/%u/%U/%l/%f"},
        EVE,
        home="/net/letters/Eve/10005/E/Eve@letters",
    ),
    row(
        "original",
        {"override_homedir": "%o-%h-%P-%%"},
        EVE,
        home="/Export/Eve-/export/eve-Eve@REALM.TEST-%",
    ),
    row("substring", {"override_homedir": "%H/%u"}, EVE, home="/home/Eve"),
    row(
        "substring2",
        {"override_homedir": "%H/%u", "homedir_substring": "/exp"},
        EVE,
        home="/exp/Eve",
    ),
    row("noletters", {"override_homedir": "/srv"}, EVE, home="/srv"),
    row("fallback", {"fallback_homedir": "/fb/%u"}, HOMELESS, home="/fb/homeless"),
    row("fallback2", {"fallback_homedir": "/fb/%u"}, EVE),
    row("fallback3", {"fallback_homedir": "/fb%o/%U"}, HOMELESS, home="/fb/10006"),
    row(
        "both",
        {"fallback_homedir": "/fb/%u", "override_homedir": "/o/%u"},
        HOMELESS,
        home="/o/homeless",
    ),
    row("nothing", {"override_homedir": "", "override_shell": ""}, EVE),
    row("shell", {"override_shell": "/bin/mine"}, EVE, shell="/bin/mine"),
    row("shell2", {"override_shell": "/bin/mine"}, USERS[3], shell="/bin/mine"),
    row("default", {"default_shell": "/bin/dfl"}, USERS[3], shell="/bin/dfl"),
    row("default2", {"default_shell": "/bin/dfl"}, EVE),
    row("gid", {"override_gid": "777"}, EVE, gid=777),
    row("gid0", {"override_gid": "0"}, EVE),
    row("gidmax", {"override_gid": "4294967294"}, EVE, gid=4294967294),
]
# pwfield of a domain came with 2.14.
DOMAIN_NEW = [row("pwfield", {"pwfield": "x"}, EVE, password="x")]

# [nss], and what becomes of users of the domains above.
NSS = [
    ({"vetoed_shells": "/opt/zsh"}, [("plain", EVE, {"shell": "/bin/sh"})]),
    (
        {"vetoed_shells": "/bin/ksh, /opt/zsh", "shell_fallback": "/bin/fall"},
        [
            ("plain", EVE, {"shell": "/bin/fall"}),
            ("plain", USERS[0], {}),
            ("plain", USERS[3], {}),
            ("shell", EVE, {"shell": "/bin/mine"}),
        ],
    ),
    (
        {"allowed_shells": "/opt/zsh, /bin/dfl", "shell_fallback": "/bin/fall"},
        [
            ("plain", EVE, {"shell": "/bin/fall"}),
            ("plain", USERS[0], {}),
            ("plain", USERS[3], {}),
            ("shell", EVE, {"shell": "/bin/mine"}),
            ("default", USERS[3], {"shell": "/bin/dfl"}),
        ],
    ),
    (
        {"allowed_shells": "/bin/other"},
        [("plain", EVE, {"shell": "/sbin/nologin"}), ("plain", USERS[0], {})],
    ),
    (
        {"allowed_shells": "*", "shell_fallback": "/bin/fall"},
        [("plain", EVE, {"shell": "/bin/fall"}), ("plain", USERS[0], {})],
    ),
    (
        {"allowed_shells": "/bin/other", "vetoed_shells": "/bin/bash"},
        [("plain", EVE, {"shell": "/sbin/nologin"}), ("plain", USERS[0], {"shell": "/bin/sh"})],
    ),
    (
        {"override_shell": "/bin/all", "vetoed_shells": "/bin/all", "default_shell": "/bin/d"},
        [
            ("plain", EVE, {"shell": "/bin/all"}),
            ("plain", USERS[3], {"shell": "/bin/all"}),
            ("shell", EVE, {"shell": "/bin/mine"}),
        ],
    ),
    (
        {"default_shell": "/bin/d"},
        [
            ("plain", USERS[3], {"shell": "/bin/d"}),
            ("default", USERS[3], {"shell": "/bin/dfl"}),
            ("plain", EVE, {}),
        ],
    ),
    (
        {"override_homedir": "%H/%U", "homedir_substring": "/all", "pwfield": "x"},
        [
            ("plain", EVE, {"home": "/all/10005", "password": "x"}),
            ("noletters", EVE, {"home": "/srv", "password": "x"}),
        ],
    ),
    (
        {"fallback_homedir": "/all/%l"},
        [
            ("plain", HOMELESS, {"home": "/all/h"}),
            ("fallback", HOMELESS, {"home": "/fb/homeless"}),
            ("plain", EVE, {}),
        ],
    ),
]


def conf(rows, nss=None):
    text = f"[sssd]\nservices = nss\ndomains = {', '.join(one.name for one in rows)}\n[nss]\n"
    text += "".join(f"{name} = {value}\n" for name, value in (nss or {}).items())
    for one in rows:
        text += (
            f"[domain/{one.name}]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\n"
            f"ldap_search_base = {BASE}\nldap_tls_cacert = {CA}\n"
            "ldap_user_principal = description\n"
        )
        text += "".join(f"{name} = {value}\n" for name, value in one.options.items())
    return text


def line(user, home=None, shell=None, gid=20001, password="*"):
    home, shell = (user.home if home is None else home), (user.shell if shell is None else shell)
    return f"{user.name}:{password}:{user.uid}:{gid}:{user.gecos or user.name}:{home}:{shell}"


def directory(c):
    slapd = Slapd(c, loose=True, entries=(USERS, GROUPS)).start()
    slapd.add(user_ldif(EVE, description="Eve@REALM.TEST"))
    slapd.add(group_ldif(Group("eves", 20011, ["Eve"])))
    slapd.add(user_ldif(HOMELESS, homeDirectory=None))
    return slapd


class Answers:
    rows = DOMAIN + DOMAIN_NEW
    client = "ours"

    @pytest.mark.parametrize("one", DOMAIN + DOMAIN_NEW, ids=lambda one: one.name)
    def test_domain(self, suite, one):
        if one not in self.rows:
            pytest.skip("newer than Debian's sssd")
        expected = line(one.user, one.home, one.shell, one.gid, one.password)
        name = f"{one.user.name}@{one.name}"
        assert suite.passwd(name, client=self.client) == expected
        self.compare_files(suite, name, one.user.uid)

    @pytest.mark.parametrize("nss, users", NSS, ids=lambda value: ",".join(value) if type(value) is dict else "")
    def test_nss(self, suite, nss, users):
        self.configure(suite, conf(self.rows, nss))
        for domain, user, changed in users:
            answer = suite.passwd(f"{user.name}@{domain}", client=self.client)
            assert answer == line(user, **changed), f"{user.name}@{domain}"
            self.compare_files(suite, f"{user.name}@{domain}", user.uid)

    def compare_files(self, suite, name, uid):
        """Where somebody else writes them, they are his."""


class TestOurs(Answers):
    @pytest.fixture(scope="class")
    def suite(self, container):
        with container() as c:
            suite = Suite(c, directory(c))
            suite.configure(conf(self.rows))
            c.systemctl("enable", "--now", "sssd-nss.socket")
            c.systemctl("start", "sssd.service")
            yield suite

    def configure(self, suite, text):
        suite.configure(text)
        suite.c.systemctl("reload", "sssd.service")

    def compare_files(self, suite, name, uid):
        """By its short name and by its id it is another domain's, maybe."""
        short = name.split("@")[0]
        tables_agree(
            suite, self.client, passwd=[name, short, uid], initgroups=[name, short], group=["eves"]
        )

    def test_supplementary_groups_stay_beside_an_overridden_one(self, suite):
        groups = {20002, 20004}
        assert suite.initgroups("alice@gid") == groups

    def test_etc_shells_is_read_again_by_a_reload(self, suite):
        self.configure(suite, conf(self.rows, {"allowed_shells": "/bin/other"}))
        assert suite.passwd("Eve@plain") == line(EVE, shell="/sbin/nologin")
        shells = suite.c.read("/etc/shells")
        try:
            suite.c.write("/etc/shells", shells + "/opt/zsh\n")
            self.configure(suite, conf(self.rows, {"allowed_shells": "/bin/others"}))
            assert suite.passwd("Eve@plain") == line(EVE)
            # Nobody waits for what is no file.
            suite.c.sh("rm /etc/shells; mkfifo /etc/shells")
            self.configure(suite, conf(self.rows, {"allowed_shells": "/bin/other"}))
            assert suite.passwd("Eve@plain") == line(EVE, shell="/sbin/nologin")
        finally:
            suite.c.run(["rm", "-f", "/etc/shells"])
            suite.c.write("/etc/shells", shells)

    def test_a_bad_template_of_nss_is_told_and_left_out(self, suite):
        text = conf(self.rows, {"override_homedir": "/x/%q"})
        suite.configure(text)
        check = suite.c.run(["sssctl", "config-check"], check=False)
        assert check.rc == 1 and "'/x/%q' has a '%'" in check.out, check
        suite.c.systemctl("reload", "sssd.service")
        assert suite.passwd("Eve@plain") == line(EVE)


class TestDebiansClient(TestOurs):
    client = "debian"


class TestDebians(Answers):
    """The reference: the tables say what Debian's own pair answers."""

    client = "debian"
    rows = DOMAIN

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd") as c:
            suite = Suite(c, directory(c))
            suite.configure(conf(self.rows))
            c.systemctl("start", "sssd.service")
            yield suite

    def configure(self, suite, text):
        suite.c.systemctl("stop", "sssd.service")
        suite.c.sh("rm -rf /var/lib/sss/db/* /var/lib/sss/mc/*")
        suite.configure(text)
        suite.c.systemctl("start", "sssd.service")


HIDDEN = [
    # [nss] filter_users, [domain] filter_users, who is hidden, who is not
    (None, None, ["root"], ["alice", "bob"]),
    ("alice", None, ["alice", "alice@LDAP"], ["bob"]),
    ("bob@LDAP, carol@OTHER", None, ["bob"], ["carol"]),
    (None, "alice", ["alice"], ["bob"]),
    ("alice", "bob", ["alice", "bob"], ["carol"]),
    ("Eve@REALM.TEST", None, ["Eve"], ["alice"]),
    ("ALICE", None, [], ["alice"]),
]


@pytest.mark.parametrize("nss, domain, hidden, shown", HIDDEN)
@pytest.mark.parametrize("client", ["ours", "debian"])
def test_filtered_users(machine, client, nss, domain, hidden, shown):
    suite = filtering(machine, {"filter_users": nss}, {"filter_users": domain})
    for name in hidden:
        assert name == "root" or suite.passwd(name, client=client) is None, name
        assert name == "root" or suite.initgroups(name, client=client) in (None, set()), name
    for name in shown:
        assert suite.passwd(name, client=client).startswith(name), name
    members = suite.group("devs", client=client)[2]
    assert members == {"alice", "bob"} - set(hidden)


def test_filtered_members_may_stay(machine):
    suite = filtering(
        machine, {"filter_users": "alice", "filter_users_in_groups": "false"}, {}
    )
    assert suite.passwd("alice") is None
    assert suite.group("devs")[2] == {"alice", "bob"}


@pytest.mark.parametrize(
    "nss, domain", [({"filter_groups": "devs"}, {}), ({}, {"filter_groups": "devs"})]
)
def test_filtered_groups(machine, nss, domain):
    suite = filtering(machine, nss, domain)
    assert suite.group("devs") is None and suite.group(20002) is None
    assert suite.group("admins")[1] == 20004


_filtering = {}


def filtering(machine, nss, domain):
    """The suite in machine with these options: started once, then reloaded."""
    given = {
        "nss": {name: value for name, value in nss.items() if value is not None},
        "ldap_user_principal": "description",
        **domain,
    }
    if machine not in _filtering:
        _filtering[machine] = Suite(machine, directory(machine)).start(**given)
    suite = _filtering[machine]
    suite.configure(**given)
    machine.systemctl("reload", "sssd.service")
    return suite
