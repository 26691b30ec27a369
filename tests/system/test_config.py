# SPDX-License-Identifier: LGPL-2.1-or-later
"""A wrong sssd.conf, in each of design §5's ways: what happens, what is said, where.

Every case is met three times: by `sssctl config-check`, by a start, and by a suite that runs. A
suite that runs goes on with what it had, whatever was written.
"""
import collections
import re
import time

import pytest

from length import by_length
from load import ask, steady
from slapd import USERS, Slapd, User, user_ldif
from suite import Suite, sssd_conf
from watch import Log

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
MAIN, SNIPPETS = "/etc/sssd/sssd.conf", "/etc/sssd/conf.d"
ERIN = User("erin", 11001, 20001, "Erin of the other server", "/home/erin", "/bin/bash")


@pytest.fixture(scope="module")
def machine(container):
    with container() as c:
        yield c


@pytest.fixture(scope="module")
def other(machine, slapd):
    """A second directory at another address: alice and erin."""
    return Slapd(machine, name="other", address="127.0.0.2", entries=([USERS[0], ERIN], [])).start()


@pytest.fixture
def suite(machine, slapd, request):
    """Stopped, without configuration."""
    suite = Suite(machine, slapd)
    suite.stop()
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    yield suite
    machine.systemctl("reset-failed")


@pytest.fixture
def running(suite):
    """Started with a good configuration; alice is cached."""
    suite.start()
    assert suite.passwd("alice") == ALICE
    return suite


def line_of(text, part):
    """The number of the first line that holds part, counted from 1."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def conf(domain=(), nss=(), sssd=(), tail=""):
    """A good sssd.conf with more lines in its sections."""
    text = ""
    for line in sssd_conf().splitlines():
        text += line + "\n"
        section = line[1:-1] if line.startswith("[") else ""
        more = {"sssd": sssd, "nss": nss, "domain/LDAP": domain}.get(section, ())
        text += "".join(one + "\n" for one in more)
    return text + tail


# ---- what is only told: the suite runs ------------------------------------------------------------

Told = collections.namedtuple("Told", "name text bad words")
TOLD = [
    Told("unknown-in-domain", conf(domain=["frobnicate = 1"]), "frobnicate", ["frobnicate"]),
    Told(
        "unknown-in-nss",
        conf(nss=["filter_userz = bob"]),
        "filter_userz",
        ["filter_userz", "filter_users"],
    ),
    Told("unknown-in-sssd", conf(sssd=["servicez = nss"]), "servicez", ["servicez"]),
    Told("unknown-section", conf(tail="[bogus]\na = b\n"), "[bogus]", ["bogus"]),
    Told(
        "not-built-yet",
        conf(domain=["ldap_idmap_autorid_compat = true"]),
        "ldap_idmap_autorid_compat",
        ["ldap_idmap_autorid_compat", "not implemented"],
    ),
    Told(
        "bad-number-in-nss",
        conf(nss=["entry_negative_timeout = soon"]),
        "soon",
        ["entry_negative_timeout", "soon"],
    ),
    Told(
        "bad-expression-in-sssd",
        conf(sssd=["re_expression = ("]),
        "re_expression",
        ["re_expression", "parenthesis"],
    ),
    Told(
        "bad-format-in-sssd",
        conf(sssd=["full_name_format = %2$s"]),
        "full_name_format",
        ["full_name_format", "name"],
    ),
    Told(
        "bad-space-in-sssd",
        conf(sssd=["override_space = ab"]),
        "override_space",
        ["override_space", "'ab'"],
    ),
    Told(
        "domain-twice",
        conf().replace("domains = LDAP", "domains = LDAP, ldap"),
        "domains = LDAP, ldap",
        ["domains", "'ldap'", "more than once"],
    ),
    Told(
        "bad-bool-in-sssd",
        conf(sssd=["disable_netlink = perhaps"]),
        "perhaps",
        ["disable_netlink", "perhaps"],
    ),
]


def assert_names(text, words, where):
    """One line of text has all the words and the place."""
    lines = [line for line in text.splitlines() if all(word in line for word in [*words, where])]
    assert lines, f"no line with {words} and {where} in:\n{text}"


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.name)
def test_slip_is_told_once_and_the_suite_runs(suite, case):
    suite.configure(case.text)
    where = f"{MAIN}:{line_of(case.text, case.bad)}"
    check = suite.c.run(["sssctl", "config-check"], check=False)
    assert check.rc == 1, check
    assert_names(check.out, case.words, where)

    log = Log(suite.c)
    suite.c.systemctl("start", "sssd.service")
    assert_names(log.text(), case.words, where)
    assert sum(where in line for line in log.lines()) == 1, log.text()
    assert suite.passwd("alice") == ALICE
    assert suite.c.failed_units() == []

    suite.configure()
    suite.c.systemctl("reload", "sssd.service")
    suite.configure(case.text)
    suite.c.systemctl("reload", "sssd.service")


SECOND = """\
[domain/SECOND]
id_provider = ldap
ldap_uri = ldaps://ldap.test
ldap_search_base = dc=test
ldap_tls_cacert = /etc/ssl/test-ca.pem
"""


@pytest.mark.parametrize(
    "first, second, place, overlap",
    [
        (["min_id = 1000", "max_id = 40000"], "min_id = 40000\nmax_id = 50000\n", "max_id = 50000", "40000 to 40000"),
        (["min_id = 1000", "max_id = 0"], "min_id = 20000\n", "min_id = 20000", "20000 to 4294967295"),
        ([], "", "domains = ", "1 to 4294967295"),
        (["max_id = 39999"], "min_id = 40000\n", None, None),
    ],
    ids=["by one", "without an end", "unset", "side by side"],
)
def test_overlapping_id_ranges_are_named_at_the_start(suite, first, second, place, overlap):
    """Where nobody set a range it is no issue. All goes on, in the order of the domains."""
    text = conf(domain=first).replace("domains = LDAP", "domains = LDAP, SECOND") + SECOND + second
    suite.configure(text)
    check = suite.c.run(["sssctl", "config-check"], check=False)
    assert check.rc == (1 if overlap and (first or second) else 0), check
    log = Log(suite.c)
    suite.c.systemctl("start", "sssd.service")
    said = [line for line in log.lines("sssd_conf") if "overlap" in line]
    assert len(said) == (overlap is not None), said
    if overlap:
        words = f"{MAIN}:{line_of(text, place)}: Domains 'LDAP' and 'SECOND' overlap in the ids {overlap}: "
        assert words + "'LDAP' answers for those of both" in said[0], said
    assert suite.passwd("alice") == ALICE


def test_config_check_is_silent_about_a_good_file(suite):
    suite.configure()
    check = suite.c.run(["sssctl", "config-check"], check=False)
    assert (check.rc, check.out) == (
        0,
        "Issues identified by validators: 0\n\nMessages generated during configuration merging: 0\n\n"
        "Used configuration snippet files: 0\n",
    )


# ---- what stops a domain ---------------------------------------------------------------------------

STOPS_DOMAIN = [
    # within two letters of an access or TLS option
    ("simple_allow_user = bob", "simple_allow_users"),
    ("acess_provider = simple", "access_provider"),
    ("ldap_acces_filter = (uid=bob)", "ldap_access_filter"),
    ("ldap_tls_reqcrt = demand", "ldap_tls_reqcert"),
    ("ldap_tls_cacrt = /etc/ssl/ca.pem", "ldap_tls_cacert"),
    ("ldap_id_use_starttls = true", "ldap_id_use_start_tls"),
    # a value that makes no sense
    ("entry_cache_timeout = soon", "soon"),
    ("entry_cache_timeout = -1", "-1"),
    ("min_id = 0x10z", "0x10z"),
    ("cache_max_size = much", "much"),
    ("use_fully_qualified_names = perhaps", "perhaps"),
    ("ldap_uri = http://ldap.test", "http://ldap.test"),
    ("ldap_uri = ldaps://h:70000", "ldaps://h:70000"),
    ("ldap_backup_uri = ldap://a ldap://b", "'ldap://a ldap://b'"),
    ("ldap_search_base = dc=test?everything?", "everything"),
    ("ldap_search_base = what is this", "'what is this'"),
    ("ldap_user_search_filter = (a=b", "'(a=b'"),
    ("ldap_user_name = u id", "'u id'"),
    ("ldap_default_bind_dn = cn=reader,dc=test", "ldap_default_authtok"),
    ("re_expression = (?P<name>.+", "(?P<name>.+"),
    ("re_expression = ^(.+)$", "has no group"),
    ("full_name_format = %2$s", "does not hold the name"),
    ("full_name_format = %1$d", "%1$d"),
    ("override_gid = -1", "-1"),
    ("override_homedir = /x/%q", "%q"),
    ("fallback_homedir = /x/%", "'/x/%'"),
    # a word that is none
    ("ldap_tls_reqcert = demnad", "demnad"),
    ("ldap_schema = rfc2308", "rfc2308"),
    ("case_sensitive = maybe", "maybe"),
    ("id_provider = ldpa", "ldpa"),
    ("ldap_deref = somtimes", "somtimes"),
    ("auto_private_groups = mostly", "mostly"),
    ("ldap_rfc2307_fallback_to_local_users = yes", "yes"),
]


def two_domains(bad_line):
    """LDAP is good, SECOND has the line."""
    return conf(tail="").replace("domains = LDAP", "domains = SECOND, LDAP") + (
        "[domain/SECOND]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\n"
        f"ldap_search_base = dc=test\nldap_tls_cacert = /etc/ssl/test-ca.pem\n{bad_line}\n"
    )


@pytest.mark.parametrize("line, word", STOPS_DOMAIN, ids=[line for line, _ in STOPS_DOMAIN])
def test_bad_domain_alone_does_not_start_beside_another_it_stays_out(suite, line, word):
    text = two_domains(line)
    where = f"{MAIN}:{len(text.splitlines())}"
    suite.configure(text)
    check = suite.c.run(["sssctl", "config-check"], check=False)
    assert check.rc == 1, check
    assert_names(check.out, [word], where)

    log = Log(suite.c)
    suite.c.systemctl("start", "sssd.service")
    assert_names(log.text("sssd_conf"), [word], where)
    assert suite.passwd("alice") == ALICE
    assert suite.passwd("alice@SECOND") is None
    assert suite.pids("sssd_be") == suite.pids("sssd_be")[:1]
    status = suite.c.show("sssd.service", "StatusText")
    assert "LDAP: online" in status and f"SECOND: does not start: {where}" in status

    # The same domain alone: nothing is left to start.
    suite.c.systemctl("stop", "sssd.service")
    text = text.replace("domains = SECOND, LDAP", "domains = SECOND")
    suite.configure(text)
    log = Log(suite.c)
    assert suite.c.systemctl("start", "sssd.service", check=False).rc != 0
    assert_names(log.text("sssd_conf"), [word], where)
    assert suite.c.failed_units() == ["sssd.service"]
    assert suite.pids("sssd_be") == []


# ---- what stops everything -------------------------------------------------------------------------


def write(c, text, mode=0o600, owner="root:root"):
    c.write(MAIN, text, mode, owner)


Stops = collections.namedtuple("Stops", "name write words place")
GOOD = conf()
STOPS_ALL = [
    Stops(
        "unknown-service", lambda c: write(c, conf(sssd=["services = nss1"])), ["nss1"], f"{MAIN}:2"
    ),
    Stops("no-domain-named", lambda c: write(c, "[sssd]\ndomains =\n"), ["domain"], ""),
    Stops(
        "domain-without-section",
        lambda c: write(c, "[sssd]\ndomains = NOWHERE\n"),
        ["NOWHERE"],
        f"{MAIN}:2",
    ),
    Stops(
        "no-provider",
        lambda c: write(c, "[sssd]\ndomains = X\n[domain/X]\nldap_uri = ldap://a\n"),
        ["id_provider"],
        f"{MAIN}:3",
    ),
    Stops(
        "no-equal-sign",
        lambda c: write(c, GOOD + "who knows\n"),
        ["qual sign"],
        f"{MAIN}:{len(GOOD.splitlines()) + 1}",
    ),
    Stops("no-bracket", lambda c: write(c, "[sssd\n" + GOOD), ["bracket"], f"{MAIN}:1"),
    Stops("empty", lambda c: write(c, ""), ["domain"], ""),
    Stops("only-comments", lambda c: write(c, "# one day\n;\n\n"), ["domain"], ""),
    Stops("not-text", lambda c: write(c, "\x7fELF\x02\x01\x01\x00\x00\x00\n\x00\x01\n"), [], MAIN),
    Stops("world-readable", lambda c: write(c, GOOD, 0o644), [], MAIN),
    Stops("group-writable", lambda c: write(c, GOOD, 0o660), [], MAIN),
    Stops("wrong-owner", lambda c: write(c, GOOD, 0o600, "daemon:daemon"), [], MAIN),
    Stops("a-directory", lambda c: c.run(["mkdir", "-p", MAIN]), [], MAIN),
]


@pytest.fixture
def clean_up(machine):
    yield
    machine.run(["rm", "-rf", MAIN])


@pytest.mark.parametrize("case", STOPS_ALL, ids=lambda case: case.name)
def test_bad_configuration_fails_the_start_and_says_why(suite, clean_up, case):
    c = suite.c
    case.write(c)
    check = c.run(["sssctl", "config-check"], check=False)
    assert check.rc == 1, check

    log = Log(c)
    assert c.systemctl("start", "sssd.service", check=False).rc != 0
    assert_names(log.text("sssd_conf"), case.words, case.place)
    assert suite.pids("sssd_be") == [] and suite.pids("sssd") == []
    # The responder answers all the same, as fast as ever: it cannot tell.
    counts = ask(suite.c, "passwd", "alice", count=20)
    assert counts.unavail + counts.notfound == 20 and counts.median_us < 10000, counts
    assert c.failed_units() == ["sssd.service"]


@pytest.mark.parametrize("case", STOPS_ALL, ids=lambda case: case.name)
def test_running_suite_keeps_the_last_good_one(running, clean_up, case):
    c = running.c
    pids = {name: running.pids(name) for name in ("sssd", "sssd_be", "sssd_nss")}
    with steady(running.c, "passwd", "alice", "10001", "bob") as load:
        c.run(["rm", "-f", MAIN])
        case.write(c)
        log = Log(c)
        assert c.systemctl("reload", "sssd.service", check=False).rc != 0
        assert_names(log.text("sssd_conf"), case.words, case.place)
        assert {name: running.pids(name) for name in pids} == pids
        assert running.passwd("carol").startswith("carol:")  # from the server
        assert c.show("sssd.service", "ActiveState") == "active"
        # A start fails now, and takes away neither what is cached nor the responder.
        assert c.systemctl("restart", "sssd.service", check=False).rc != 0
        assert running.passwd("alice") == ALICE
        assert running.passwd("alice", client="debian") == ALICE
    assert load.calls.were_all_right(), load.calls

    c.run(["rm", "-rf", MAIN])
    running.configure()
    c.systemctl("start", "sssd.service")
    assert running.passwd("dave.o-neill_1") is not None
    assert c.failed_units() == []


def test_reload_without_any_file_is_refused(running):
    """A deleted file is a slip, too. (At a start the unit's condition decides: nothing to do.)"""
    c = running.c
    c.run(["rm", MAIN])
    log = Log(c)
    assert c.systemctl("reload", "sssd.service", check=False).rc != 0
    assert_names(log.text("sssd_conf"), [], MAIN)
    assert running.passwd("carol").startswith("carol:")


@pytest.mark.parametrize(
    "line",
    [
        "ldap_tls_reqcert = demnad",
        "ldap_uri = ldaps://ldap.test:70000",
        "ldap_backup_uri = ldap://a ldap://b",
        "ldap_user_name = u id",
        "ldap_search_base = what is this",
    ],
)
def test_reload_that_would_lose_a_domain_in_use_is_refused(running, line):
    """A slip in an editor takes nobody down (O5)."""
    c = running.c
    option, _, value = line.partition(" = ")
    text = conf().replace("[domain/LDAP]\n", f"[domain/LDAP]\n{line}\n")
    # Of two lines the last one counts.
    text = "".join(
        one + "\n" for one in text.splitlines() if one == line or not one.startswith(f"{option} = ")
    )
    running.configure(text)
    before = c.run(["cat", "/var/lib/sss/conf/be/LDAP/current"]).out
    log = Log(c)
    with steady(running.c, "passwd", "alice", "bob") as load:
        c.run(["sleep", "0.5"])  # a refusal may be told before the first question is asked
        assert c.systemctl("reload", "sssd.service", check=False).rc != 0
        assert_names(log.text("sssd_conf"), [option, value], f"{MAIN}:{line_of(text, line)}")
        assert running.passwd("carol").startswith("carol:")
    assert load.calls.were_all_right(), load.calls
    assert c.run(["cat", "/var/lib/sss/conf/be/LDAP/current"]).out == before
    assert "LDAP: online" in c.show("sssd.service", "StatusText")


def test_backend_does_not_start_with_what_no_check_would_compile(running):
    """A file that another version compiled, say."""
    c = running.c
    c.sh(r"sed -i '/^\[domain/a ldap_user_name = u id' /var/lib/sss/conf/be/LDAP/current")
    log = Log(c)
    c.run(["kill", "-9", *map(str, running.pids("sssd_be"))])
    c.wait_for("it says why", lambda: "'u id' is not the name of an attribute" in log.text())
    assert_names(log.text(), ["ldap_user_name", "domain/LDAP"], "sssctl config-check")
    assert running.passwd("alice") == ALICE  # as it is cached


def test_reload_of_what_does_not_run_fails_and_starts_nothing(suite):
    suite.configure()
    assert suite.c.systemctl("reload", "sssd.service", check=False).rc != 0
    assert suite.c.run(["sssctl", "reload"], check=False).rc != 0
    assert suite.pids("sssd") == []


# ---- snippets --------------------------------------------------------------------------------------

BAD_SNIPPETS = [
    ("syntax", "01.conf", "[nss]\nfilter_users root\n", 0o600, None, f"{SNIPPETS}/01.conf:2"),
    (
        "world-readable",
        "01.conf",
        "[nss]\nfilter_users = alice\n",
        0o644,
        None,
        f"{SNIPPETS}/01.conf",
    ),
    (
        "wrong-owner",
        "01.conf",
        "[nss]\nfilter_users = alice\n",
        0o600,
        "daemon:daemon",
        f"{SNIPPETS}/01.conf",
    ),
]


@pytest.mark.parametrize(
    "file, text, mode, owner, place",
    [row[1:] for row in BAD_SNIPPETS],
    ids=[row[0] for row in BAD_SNIPPETS],
)
def test_bad_snippet_alone_is_left_out(suite, file, text, mode, owner, place):
    c = suite.c
    suite.configure()
    c.write(f"{SNIPPETS}/{file}", text, mode, owner)
    check = c.run(["sssctl", "config-check"], check=False)
    assert check.rc == 1 and f"{SNIPPETS}/{file}" in check.out, check
    log = Log(c)
    c.systemctl("start", "sssd.service")
    assert_names(log.text("sssd_conf"), [], place)
    assert suite.passwd("alice") == ALICE


def test_later_snippet_wins_and_its_own_lines_are_named(suite):
    c = suite.c
    suite.configure()
    c.write(f"{SNIPPETS}/01.conf", "[nss]\nfilter_users = alice\n", 0o600)
    c.write(f"{SNIPPETS}/02.conf", "[nss]\nfilter_users = bob\nfilter_userz = 1\n", 0o600)
    c.write(f"{SNIPPETS}/.hidden.conf", "[nss]\nfilter_users = carol\n", 0o600)
    c.write(f"{SNIPPETS}/03.conf.bak", "[nss]\nfilter_users = carol\n", 0o600)
    check = c.run(["sssctl", "config-check"], check=False)
    assert_names(check.out, ["filter_userz"], f"{SNIPPETS}/02.conf:3")
    c.systemctl("start", "sssd.service")
    assert suite.passwd("bob") is None
    assert suite.passwd("alice") == ALICE
    assert suite.passwd("carol") is not None


# ---- a good reload ---------------------------------------------------------------------------------


@pytest.fixture
def reload(running):
    """reload(**options): a new sssd.conf in force, by the same responder process."""
    c = running.c

    def do(text=None, **options):
        pid = c.main_pid("sssd-nss.service")
        running.configure(text, **options)
        c.systemctl("reload", "sssd.service")
        assert c.main_pid("sssd-nss.service") == pid != 0

    do.suite = running
    return do


def test_reload_takes_filter_users(reload):
    suite = reload.suite
    assert suite.passwd("bob") is not None
    reload(nss={"filter_users": "root, bob"})
    assert suite.passwd("bob") is None and suite.passwd("alice") == ALICE
    reload()
    assert suite.passwd("bob") is not None


def test_reload_takes_entry_negative_timeout(reload):
    suite = reload.suite
    reload(nss={"entry_negative_timeout": 600})
    assert suite.passwd("newcomer") is None
    before = suite.slapd.searches()
    assert suite.passwd("newcomer") is None
    assert suite.slapd.searches() == before  # it is remembered

    reload(nss={"entry_negative_timeout": 1})
    assert suite.passwd("newcomer") is None
    newcomer = User("newcomer", 12001, 20001, "", "/home/n", "/bin/sh")
    suite.slapd.add(user_ldif(newcomer))
    try:
        suite.c.wait_for("he is found", lambda: suite.passwd("newcomer"), timeout=5)
    finally:
        suite.slapd.delete("uid=newcomer,ou=people,dc=test")


def test_reload_takes_ldap_uri(reload, other):
    suite = reload.suite
    assert suite.passwd("erin") is None
    reload(uri="ldaps://127.0.0.2")
    assert suite.passwd("erin").startswith("erin:*:11001:")
    assert suite.passwd("alice") == ALICE


@pytest.mark.parametrize("changes", ["nss", "how the backend logs"])
def test_reload_keeps_no_configuration_of_before(reload, changes):
    """A backend goes on with one it had, or takes over one that differs in debug_level alone."""
    suite = reload.suite
    c = suite.c
    many = ", ".join(f"nobody{n:05}" for n in range(4000))  # a file that is seen when it is kept

    def reload_often(times):
        for n in range(times):
            changed = {"nss": {"filter_groups": f"nobody{n % 2}"}} if changes == "nss" else {"debug_level": n % 2}
            suite.configure(filter_users=many, **changed)
            c.sh("/usr/libexec/sssd/sssd_conf --write 2>/dev/null && sssctl reload --wait")

    def anonymous_kib():
        return int(re.search(r"RssAnon:\s+(\d+)", c.read(f"/proc/{pid}/status"))[1])

    reload(filter_users=many)
    (pid,) = c.wait_for("the backend with it", lambda: len(pids := suite.pids("sssd_be")) == 1 and pids)
    reload_often(5)
    before = anonymous_kib()
    reload_often(40)
    assert suite.pids("sssd_be") == [pid]
    assert anonymous_kib() - before < 1000


def test_reload_adds_and_removes_a_domain(reload, other):
    suite = reload.suite
    c = suite.c
    second = (
        "[domain/SECOND]\nid_provider = ldap\nldap_uri = ldaps://127.0.0.2\n"
        "ldap_search_base = dc=test\nldap_tls_cacert = /etc/ssl/test-ca.pem\n"
    )
    both = conf().replace("domains = LDAP", "domains = LDAP, SECOND") + second
    for _ in range(by_length(2, 20)):
        assert suite.passwd("erin") is None
        with steady(suite.c, "passwd", "alice", "bob") as load, steady(
            suite.c, "passwd", "absent%05u:1:20000"
        ) as misses:
            reload(both)
            assert suite.passwd("erin").startswith("erin:*:11001:")
            assert suite.passwd("erin@SECOND").startswith("erin:*:11001:")
            assert len(suite.pids("sssd_be")) == 2
            assert "SECOND: online" in c.show("sssd.service", "StatusText")
            reload()
            assert suite.passwd("erin") is None and suite.passwd("erin@SECOND") is None
        assert load.calls.were_all_right(), load.calls
        # Nobody is asked for the domain before its backend is there to answer.
        assert misses.calls.notfound == misses.calls.calls > 0, misses.calls
        c.wait_for("its backend is gone", lambda: len(suite.pids("sssd_be")) == 1)
        assert "SECOND" not in c.show("sssd.service", "StatusText")
        assert c.exists("/var/lib/sss/db/cache_SECOND.mdb")  # kept for 30 days

    # What is configured is kept, however old.
    for days, kept in ((29, True), (31, False)):
        c.systemctl("stop", "sssd.service")
        c.sh(f"touch -d '{days} days ago' /var/lib/sss/db/cache_SECOND.*")
        c.sh("touch -d '400 days ago' /var/lib/sss/db/cache_LDAP.*")
        c.systemctl("start", "sssd.service")
        left = c.sh("ls /var/lib/sss/db").out.split()
        assert ("cache_SECOND.mdb" in left) == kept, left
        assert any(name.startswith("cache_SECOND") for name in left) == kept, left
        assert "cache_LDAP.mdb" in left
    assert suite.passwd("alice") == ALICE


def test_responder_says_how_many_domains_it_serves(suite):
    """Also when it was there before they were."""
    c = suite.c

    def serves(text):
        c.wait_for(text, lambda: c.show("sssd-nss.service", "StatusText") == text)

    assert ask(c, "passwd", "alice").unavail == 1
    serves("Serving 0 domains")
    pid = c.main_pid("sssd-nss.service")
    suite.start()
    serves("Serving 1 domain")
    suite.configure(two_domains("enumerate = false"))
    c.systemctl("reload", "sssd.service")
    serves("Serving 2 domains")
    assert c.main_pid("sssd-nss.service") == pid


def test_responder_hears_of_a_reload_without_a_monitor(running):
    """Sockets answer without sssd.service: what was compiled meanwhile counts for them, too."""
    c = running.c
    assert running.passwd("bob") is not None
    c.systemctl("stop", "sssd.service")
    running.passwd("alice")
    running.configure(nss={"filter_users": "bob"})
    c.run(["/usr/libexec/sssd/sssd_conf", "--write"])
    c.wait_for("bob is hidden", lambda: running.passwd("bob") is None, timeout=5)
    assert running.passwd("alice") == ALICE


@pytest.mark.parametrize("monitor", ["runs", "hangs"])
def test_what_is_compiled_by_hand_is_taken(running, monitor):
    """Nobody told the monitor; it notices. One that says nothing is not waited for for long."""
    c = running.c
    assert running.passwd("bob") is not None
    running.configure(nss={"filter_users": "bob"})
    pid = str(c.main_pid("sssd.service"))
    log = Log(c)
    if monitor == "hangs":
        c.run(["kill", "-STOP", pid])
    try:
        c.run(["/usr/libexec/sssd/sssd_conf", "--write"])
        c.wait_for("bob is hidden", lambda: running.passwd("bob") is None, timeout=25, step=0.1)
    finally:
        c.run(["kill", "-CONT", pid])
    told = "the monitor has not told" not in log.text("sssd_nss")
    assert told == (monitor == "runs")
    assert running.passwd("alice") == ALICE


def test_reload_once_a_second_under_load_loses_nothing(running):
    c = running.c
    seconds = by_length(10, 60)
    pids = {name: running.pids(name) for name in ("sssd", "sssd_nss")}
    with steady(running.c, "passwd", "alice", "bob", "10001") as ours, steady(
        running.c, "passwd", "alice", "bob", client="debian", rate=100
    ) as debians, steady(
        running.c, "initgroups", "alice", "bob", rate=50, fresh=True
    ) as fresh, steady(
        running.c, "passwd", "absent%05u:1:20000", rate=50
    ) as misses:
        begin = time.monotonic()
        for n in range(seconds):
            running.configure(
                nss={"entry_negative_timeout": 10 + n, "filter_users": f"root, nobody{n}"},
                entry_cache_timeout=5400 + n,
            )
            c.systemctl("reload", "sssd.service")
            time.sleep(max(0, begin + n + 1 - time.monotonic()))
    for load in (ours, debians, fresh):
        assert load.calls.were_all_right(seconds * 40), load.calls
    assert misses.calls.notfound == misses.calls.calls > seconds * 40, misses.calls
    assert {name: running.pids(name) for name in pids} == pids
