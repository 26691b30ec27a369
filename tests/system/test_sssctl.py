# SPDX-License-Identifier: LGPL-2.1-or-later
"""sssctl: domain-list, domain-status, user-show, group-show, config-check, and how each command is
called (spec/tools.md, sssctl(8))."""
import datetime
import re

import pytest

from slapd import USERS, user_dn, user_ldif
from suite import Suite, sssd_conf

DATE = r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d"
NOT_RUNNING = "SSSD is not running.\n"


@pytest.fixture
def suite(machine, slapd):
    """Two domains over the same directory, the second one on a server that is not there."""
    slapd.up()
    suite = Suite(machine, slapd)
    suite.stop()
    second = sssd_conf(domain="OTHER", uri="ldaps://127.0.0.9:636, ldap://[::2]")
    text = sssd_conf(uri="ldaps://ldap.test, ldaps://127.0.0.9").replace(
        "domains = LDAP", "domains = LDAP, OTHER"
    )
    suite.configure(text + second[second.index("[domain") :])
    machine.systemctl("start", "sssd-nss.socket", "sssd.service")
    return suite


def sssctl(suite, *words, user=None):
    return suite.c.run(["sssctl", *words], check=False, user=user)


def test_domain_list(suite):
    assert sssctl(suite, "domain-list").out == "LDAP\nOTHER\n"
    assert sssctl(suite, "domain-list", "-v").out == "Primary domain: LDAP\nPrimary domain: OTHER\n"
    assert sssctl(suite, "domain-list", "--verbose", "x").rc == 1
    assert sssctl(suite, "domain-list", "--bogus").rc == 1
    suite.c.systemctl("stop", "sssd.service")
    assert sssctl(suite, "domain-list").out == "LDAP\nOTHER\n"
    assert suite.pids("sssd") == []
    assert sssctl(suite, "domain-list", "--start").out == "LDAP\nOTHER\n"
    assert suite.pids("sssd") != []


ALL = (
    "Online status: Online\n\nActive servers:\nLDAP: ldap.test\n\n"
    "Discovered LDAP servers:\n- ldap.test\n- 127.0.0.9\n\n"
)


def test_domain_status(suite):
    suite.c.wait_for("online", lambda: sssctl(suite, "domain-status", "LDAP").out == ALL)
    assert sssctl(suite, "domain-status", "ldap", "-o").out == "Online status: Online\n\n"
    assert sssctl(suite, "domain-status", "-a", "LDAP").out == "Active servers:\nLDAP: ldap.test\n\n"
    assert sssctl(suite, "domain-status", "OTHER").out == (
        "Online status: Offline\n\nActive servers:\nLDAP: not connected\n\n"
        "Discovered LDAP servers:\n- 127.0.0.9\n- [::2]\n\n"
    )
    unknown = sssctl(suite, "domain-status", "NOWHERE")
    assert (unknown.rc, unknown.out, unknown.err) == (1, "", "Unknown domain: NOWHERE\n")
    assert sssctl(suite, "domain-status").rc == 1
    suite.slapd.down()
    suite.c.wait_for(
        "offline",
        lambda: suite.passwd("carol@LDAP") is None
        and "Offline" in sssctl(suite, "domain-status", "-o", "LDAP").out,
    )
    suite.c.systemctl("stop", "sssd.service")
    stopped = sssctl(suite, "domain-status", "LDAP")
    assert (stopped.rc, stopped.out, stopped.err) == (1, "", NOT_RUNNING)


def show(text):
    """The lines as a dictionary."""
    return dict(line.split(": ", 1) for line in text.splitlines())


def moment(text):
    return datetime.datetime.strptime(text, "%m/%d/%y %H:%M:%S")


def test_user_show(suite):
    absent = sssctl(suite, "user-show", "alice")
    assert (absent.rc, absent.out) == (0, "User alice is not present in cache.\n")
    assert suite.passwd("alice").startswith("alice:")
    result = sssctl(suite, "user-show", "alice")
    assert re.fullmatch(
        f"Name: alice\nCache entry creation date: {DATE}\n"
        f"Cache entry last update time: {DATE}\nCache entry expiration time: {DATE}\n"
        "Initgroups expiration time: Initgroups were not yet performed\n"
        "Cached in InfoPipe: No\n",
        result.out,
    ), result
    shown = show(result.out)
    life = moment(shown["Cache entry expiration time"]) - moment(
        shown["Cache entry last update time"]
    )
    assert life == datetime.timedelta(seconds=5400)

    suite.id("alice")
    assert re.fullmatch(
        DATE, show(sssctl(suite, "user-show", "alice").out)["Initgroups expiration time"]
    )
    for words in (["alice@LDAP"], ["-u", "10001"], ["--uid", "10001"]):
        assert show(sssctl(suite, "user-show", *words).out)["Name"] == "alice"
    for words in (["alice@OTHER"], ["ALICE"], ["-u", "10999"], ["nobody"]):
        result = sssctl(suite, "user-show", *words)
        assert (result.rc, result.out) == (0, f"User {words[-1]} is not present in cache.\n")
    for words in (["-u", "alice"], ["@LDAP"], [], ["a", "b"], ["--sid", "S-1-5-21"], ["-x", "a"]):
        assert sssctl(suite, "user-show", *words).rc == 1, words


def test_group_show(suite):
    assert sssctl(suite, "group-show", "devs").out == "Group devs is not present in cache.\n"
    assert suite.group("devs")[1] == 20002
    for words in (["devs"], ["devs@LDAP"], ["-g", "20002"], ["--gid", "20002"]):
        result = sssctl(suite, "group-show", *words)
        assert re.fullmatch(
            f"Name: devs\nCache entry creation date: {DATE}\n"
            f"Cache entry last update time: {DATE}\nCache entry expiration time: {DATE}\n"
            "Cached in InfoPipe: No\n",
            result.out,
        ), result


def test_creation_is_older_than_the_last_update(suite):
    """It came first when it was first asked for, whatever changed since; who went and came is new."""
    updated, created = "Cache entry last update time", "Cache entry creation date"
    suite.stop()
    suite.configure(entry_cache_timeout=1, nss={"entry_cache_nowait_percentage": 0})
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert suite.passwd("bob") and suite.group("devs")
    first = show(sssctl(suite, "user-show", "bob").out)
    assert first[updated] == first[created]
    for round in (1, 2):
        suite.slapd.modify(
            f"dn: {user_dn('bob')}\nchangetype: modify\nreplace: loginShell\nloginShell: /bin/{round}\n"
        )
        suite.c.sh("sleep 2.2")
        assert suite.passwd("bob").endswith(f"/bin/{round}")
        later = show(sssctl(suite, "user-show", "bob").out)
        assert later[created] == first[created]
        assert moment(later[updated]) >= moment(first[created]) + datetime.timedelta(seconds=2 * round)
    suite.slapd.delete(user_dn("bob"))
    try:
        suite.c.wait_for("he is gone", lambda: suite.passwd("bob") is None)
    finally:
        suite.slapd.add(user_ldif(USERS[1]))
    suite.c.wait_for("he is back", lambda: suite.passwd("bob"), timeout=30)
    again = show(sssctl(suite, "user-show", "bob").out)
    assert moment(again[created]) > moment(first[created])


# command: how it is called (None: the argument is the command's to judge), options, and the argument.
COMMANDS = {
    "reload": ("[--wait]", ["--wait"], None),
    "services": ("", [], None),
    "config-check": ("[-c|--config=FILE] [-s|--snippet=DIR]", ["-c, --config=FILE", "-s, --snippet=DIR"], None),
    "metrics": ("", [], None),
    "kcm": ("[--json] [--all] [--expired] list|show|purge [UID]", ["--json", "--all", "--expired"], "many"),
    "domain-list": ("[-s|--start] [-v|--verbose]", ["-s, --start", "-v, --verbose"], None),
    "domain-status": (
        "[-o|--online] [-a|--active-server] [-r|--servers] [-s|--start] DOMAIN",
        ["-o, --online", "-a, --active-server", "-r, --servers", "-s, --start"],
        "DOMAIN",
    ),
    "user-show": ("[-u|--uid] [-s|--sid] NAME", ["-u, --uid", "-s, --sid"], "NAME"),
    "group-show": ("[-g|--gid] [-s|--sid] NAME", ["-g, --gid", "-s, --sid"], "NAME"),
}


def test_each_command_is_in_the_table(suite):
    listed = re.findall(r"^\* (\S+)", sssctl(suite, "--help").out, re.M)
    assert sorted(listed) == sorted([*COMMANDS, "cache-expire"])
    for words in ([], ["bogus"], ["--bogus"]):
        result = sssctl(suite, *words)
        assert (result.rc, result.out) == (1, "") and result.err == sssctl(suite, "--help").out
    result = sssctl(suite, "cache-expire", "--help")
    assert (result.rc, result.err) == (0, "") and result.out.startswith("Usage: sss_cache ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(suite, command):
    how, options, argument = COMMANDS[command]
    usage = f"Usage: sssctl {command} {how}".rstrip() + "\n"
    help = sssctl(suite, command, "--help")
    assert (help.rc, help.err) == (0, "") and help.out.startswith(usage)
    lines = [line.strip() for line in help.out.splitlines()[1:]]
    for option in [*options, "-?, --help", "--usage"]:
        assert any(line.startswith(f"{option} ") for line in lines), option
    assert len(lines) == len(options) + 2
    for words in (["-?"], ["x", "--help"], ["--debug", "9", "--help"], ["--debug=9", "-?"]):
        result = sssctl(suite, command, *words)
        assert (result.rc, result.out, result.err) == (0, help.out, ""), words
    result = sssctl(suite, command, "--usage")
    assert (result.rc, result.out, result.err) == (0, usage, "")

    refused = {
        ("--bogus",): "--bogus: unknown option\n",
        ("-x",): "-x: unknown option\n",
        ("--help=x",): "--help=x: takes no argument\n",
        ("--debug",): "--debug: missing argument\n",
    }
    if argument is None:
        refused[("x",)] = "x: unexpected argument\n"
    for words, why in refused.items():
        result = sssctl(suite, command, *words)
        assert (result.rc, result.out, result.err) == (1, "", why + usage), words
    if argument == "many":
        for words in ([], ["x"], ["list", "x"], ["list", "1", "2"], ["purge"], ["list", "--all"]):
            result = sssctl(suite, command, *words)
            assert (result.rc, result.out, result.err) == (1, "", usage), words
    elif argument:
        for words, why in (([], f"Missing option: {argument}"), (["a", "b"], ONE)):
            result = sssctl(suite, command, *words)
            assert (result.rc, result.out, result.err) == (1, "", f"{why}\n{help.out}"), words


ONE = "Only one free argument is expected!"


@pytest.mark.parametrize("words", [["-c"], ["--config"], ["-s"], ["--snippet"]], ids=" ".join)
def test_an_option_without_its_argument(suite, words):
    result = sssctl(suite, "config-check", *words)
    assert (result.rc, result.out) == (1, "") and result.err.startswith(f"{words[0]}: missing argument\nUsage: ")


def test_there_are_no_sids(suite):
    for command in ("user-show", "group-show"):
        for option in ("-s", "--sid"):
            result = sssctl(suite, command, option, "S-1-5-21-1-2-3-500")
            assert (result.rc, result.out, result.err) == (
                1, "", "'--sid' is not implemented: the cache has no SIDs yet\n"
            )


def test_help_of_sssd(suite):
    help, usage = suite.c.run(["sssd", "--help"]), suite.c.run(["sssd", "--usage"])
    assert (help.err, usage.err) == ("", "")
    assert usage.out.startswith("Usage: sssd ") and help.out.startswith(usage.out + "\n  -d, --debug-level=")
    assert suite.c.run(["sssd", "-?"]).out == help.out
    result = suite.c.run(["sssd", "--bogus"], check=False)
    assert (result.rc, result.out) == (1, "") and "--bogus" in result.err and usage.out in result.err


CHECKED = "[sssd]\ndomains = LDAP\n[domain/LDAP]\nid_provider = ldap\nldap_uri = ldap://ldap.test\n"


@pytest.mark.parametrize("words", [["-s"], ["--snippet"]], ids=["short", "long"])
def test_config_check_of_other_files(suite, words):
    """-c: another file, and the snippets beside it; -s: those of another directory."""
    write = suite.c.write
    suite.c.sh("rm -rf /srv/check; install -d -m 700 /srv/check/conf.d /srv/check/others /srv/check/empty")
    write("/srv/check/sssd.conf", CHECKED, 0o600)
    write("/srv/check/conf.d/1.conf", "[nss]\nfilter_userz = a\n", 0o600)
    write("/srv/check/others/1.conf", "[nss]\nfilter_users = a\n", 0o600)
    write("/srv/check/others/2.conf", "[nss]\nfilter_usery = a\n", 0o600)
    write("/srv/check/others/.3.conf", "[nss]\nfilter_userx = a\n", 0o600)
    check = ["config-check", "-c", "/srv/check/sssd.conf"]

    beside = sssctl(suite, *check)
    assert beside.rc == 1 and "'filter_userz'" in beside.out
    assert beside.out.endswith("Used configuration snippet files: 1\n/srv/check/conf.d/1.conf\n")

    others = sssctl(suite, *check, *words, "/srv/check/others")
    assert others.rc == 1 and "'filter_usery'" in others.out and "filter_userz" not in others.out
    assert "filter_userx" not in others.out
    assert others.out.endswith(
        "Used configuration snippet files: 2\n/srv/check/others/1.conf\n/srv/check/others/2.conf\n"
    )

    empty = sssctl(suite, *check, *words, "/srv/check/empty")
    assert (empty.rc, empty.out) == (
        0,
        "Issues identified by validators: 0\n\nMessages generated during configuration merging: 0\n\n"
        "Used configuration snippet files: 0\n",
    )
    nowhere = sssctl(suite, *check, *words, "/srv/check/nowhere")
    assert nowhere.rc == 0 and "Directory /srv/check/nowhere does not exist.\n" in nowhere.out
    # Upon the file of the suite itself.
    main = sssctl(suite, "config-check", *words, "/srv/check/others")
    assert main.rc == 1 and "'filter_usery'" in main.out
    for wrong in ([words[0]], [*words, "/srv/check/others", "more"]):
        assert sssctl(suite, "config-check", *wrong).rc == 1


def test_what_expired_is_shown_as_that(suite):
    suite.stop()
    suite.configure(entry_cache_timeout=1)
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert suite.passwd("alice").startswith("alice:")
    suite.c.wait_for(
        "it has expired",
        lambda: show(sssctl(suite, "user-show", "alice").out)["Cache entry expiration time"]
        == "Expired",
    )


def test_with_nothing_running_and_no_file_of_roots_left(suite):
    assert suite.passwd("alice").startswith("alice:")
    suite.c.systemctl("stop", "sssd.service", "sssd-nss.socket", "sssd-nss.service")
    suite.c.sh("rm -f /var/lib/sss/db/*-lock")
    assert show(sssctl(suite, "user-show", "alice").out)["Name"] == "alice"
    owners = suite.c.sh("stat -c %U /var/lib/sss/db/*").out.split()
    assert set(owners) == {"sssd"}, owners
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert suite.passwd("bob").startswith("bob:")


def test_only_root_may(suite):
    for command in ("domain-list", "domain-status", "user-show", "group-show"):
        result = sssctl(suite, command, "x", user="nobody")
        assert (result.rc, result.err) == (1, f"'{command}' must be run as root\n")
