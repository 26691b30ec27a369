# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options of all sections: each built one is seen from outside somewhere, and this file knows where.

`sssd_conf --list-options` is the list of what there is. Every option of it stands in SEEN, with the
file whose tests set it to values that are good and look at what comes of it, or in UNSEEN, with the
reason. Bad values are tried for every option that can have one. The options that no other file is
about follow here.
"""
import ast
import pathlib
import re
import time

import pytest

from kcm import Kcm
from load import ask, steady
from memcache import FILES
from options import NUMBERS, options, range_of
from slapd import BASE, CA, GROUPS, USERS, Group, Slapd, authority
from suite import MEMCACHE, Suite, sssd_conf
from watch import Log

TESTS = pathlib.Path(__file__).resolve().parents[1]
HERE = "system/test_common_options.py"
ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"

# file: the options that it is about, each as "section name", and "ldap" for [domain/…].
SEEN = {
    HERE: """
        sssd core_dumpable, service request_timeout, nss memcache_size_passwd,
        nss memcache_size_group, nss memcache_size_initgroups, nss memcache_size_sid,
        domain cache_max_size, domain offline_timeout_max, domain enabled, domain min_id,
        domain max_id, * debug_level, * debug_timestamps, * debug_microseconds,
        ldap ldap_tls_cert, ldap ldap_tls_key, ldap ldap_tls_cipher_suite""",
    "fault/test_option_times.py": """
        sssd disable_netlink, sssd monitor_resolv_conf, sssd try_inotify, domain offline_timeout,
        domain offline_timeout_random_offset, domain failover_primary_timeout,
        domain refresh_expired_interval_offset, * timeout, ldap ldap_network_timeout,
        ldap ldap_opt_timeout, ldap ldap_enumeration_search_timeout,
        ldap ldap_connection_expire_offset, ldap ldap_purge_cache_offset""",
    "system/test_services.py": "sssd services",
    "system/test_names.py": """
        sssd domains, sssd re_expression, sssd full_name_format, sssd domain_resolution_order,
        sssd default_domain_suffix, sssd override_space, domain use_fully_qualified_names,
        domain re_expression, domain full_name_format, domain case_sensitive""",
    "system/test_config.py": "domain id_provider",
    "system/test_freshness.py": """
        nss entry_cache_nowait_percentage, nss entry_negative_timeout, nss local_negative_timeout,
        service cache_first, domain entry_cache_timeout, domain entry_cache_user_timeout,
        domain entry_cache_group_timeout, domain refresh_expired_interval,
        ldap ldap_purge_cache_timeout""",
    "system/test_values.py": """
        nss filter_users, nss filter_groups, nss filter_users_in_groups, nss pwfield,
        nss override_homedir, nss fallback_homedir, nss homedir_substring, nss override_shell,
        nss allowed_shells, nss vetoed_shells, nss shell_fallback, nss default_shell,
        domain override_gid, domain filter_users, domain filter_groups, domain pwfield,
        domain override_homedir, domain fallback_homedir, domain homedir_substring,
        domain override_shell, domain default_shell""",
    "system/test_memcache.py": "nss memcache_timeout",
    "fault/test_idle_timeout.py": "service responder_idle_timeout, service client_idle_timeout",
    "fault/test_crowd.py": "service fd_limit",
    "system/test_enumerate.py": """
        domain enumerate, ldap ldap_enumeration_refresh_timeout,
        ldap ldap_enumeration_refresh_offset, ldap ldap_page_size, ldap ldap_disable_paging""",
    "system/test_bis.py": """
        domain ignore_group_members, ldap ldap_schema, ldap ldap_group_nesting_level,
        ldap ldap_deref_threshold""",
    "system/test_private_groups.py": """
        domain auto_private_groups, ldap ldap_rfc2307_fallback_to_local_users""",
    "system/test_addresses.py": "ldap ldap_user_email, ldap ldap_user_principal",
    "system/test_tls.py": """
        ldap ldap_tls_reqcert, ldap ldap_id_use_start_tls""",
    "system/test_sasl.py": """
        ldap ldap_sasl_mech, ldap ldap_sasl_authid, ldap ldap_sasl_realm,
        ldap ldap_sasl_canonicalize, ldap ldap_sasl_minssf, ldap ldap_sasl_maxssf,
        ldap ldap_krb5_keytab, ldap ldap_krb5_init_creds, ldap ldap_krb5_ticket_lifetime,
        ldap krb5_realm""",
    "system/test_kcm.py": "kcm max_ccaches, kcm max_uid_ccaches, kcm max_ccache_size",
    "system/test_kcm_renewal.py": """
        kcm tgt_renewal, kcm tgt_renewal_inherit, kcm krb5_renew_interval, kcm krb5_auth_timeout,
        kcm krb5_validate, kcm purge_at_logout""",
    "system/test_discovery.py": """
        domain dns_discovery_domain, domain dns_resolver_op_timeout,
        domain dns_resolver_server_timeout, domain dns_resolver_timeout,
        domain dns_resolver_use_search_list,
        ldap ldap_dns_service_name""",
    "fault/test_failover.py": "domain lookup_family_order, ldap ldap_backup_uri",
    # The attribute maps, search bases, binds and limits; below, for its rows are checked.
    "system/test_ldap_options.py": "",
}

UNSEEN = {
    "kcm responder_idle_timeout": "the same code as for [nss]: fault/test_idle_timeout.py",
    "kcm client_idle_timeout": "the same code as for [nss]: fault/test_idle_timeout.py",
    "kcm fd_limit": "the same code as for [nss]: fault/test_crowd.py",
}


def built():
    """{"section name": type} of every built option."""
    return {full_name(option): option.type for option in options() if option.state == "built"}


def full_name(option):
    return f"{'ldap' if option.section == 'domain:ldap' else option.section} {option.name}"


class Set(ast.NodeVisitor):
    """The options that a file of tests sets to something good: keys of dictionaries, names of
    arguments of SETTERS, what is parametrized, and lines of a sssd.conf. Tables of what is refused,
    and what is said in words, do not count."""

    SETTERS = {
        "begin", "configure", "dict", "is_told_offline_after", "own", "reload", "Row", "sssd_conf", "start",
    }
    TABLES = re.compile(r"(BAD|SILENT|SEEN|UNSEEN|REFUSED)\b|BAD_")
    LINE = re.compile(r"^([a-z0-9_]+) *= *\S", re.M)

    def __init__(self, path):
        self.names = set()
        self.visit(ast.parse((TESTS / path).read_text()))

    def visit_Assign(self, node):
        if not any(self.TABLES.match(getattr(target, "id", "")) for target in node.targets):
            self.generic_visit(node)

    def visit_FunctionDef(self, node):
        if "bad_value" not in node.name:
            self.generic_visit(node)

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Dict(self, node):
        self.names |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
        self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in self.SETTERS:
            self.names |= {keyword.arg for keyword in node.keywords}
        if name == "parametrize":
            self.names |= {item.value for item in ast.walk(node) if isinstance(item, ast.Constant)}
        self.generic_visit(node)

    def visit_JoinedStr(self, node):
        """What stands in braces is a value."""
        parts = [part.value if isinstance(part, ast.Constant) else "x" for part in node.values]
        self.names |= set(self.LINE.findall("".join(parts)))
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            self.names |= set(self.LINE.findall(node.value))


def test_every_option_is_seen_somewhere_or_it_is_said_why_not():
    options, told = built(), dict(UNSEEN)
    in_rows = Set("system/test_ldap_options.py").names
    told.update({name: "rows" for name in options if name.startswith("ldap ") and name.split()[1] in in_rows})
    for path, names in SEEN.items():
        in_file = Set(path).names
        for name in filter(None, re.split(r",\s*", names.strip())):
            assert name not in UNSEEN, name
            assert name.split()[1] in in_file, f"{path} never sets {name} to a good value"
            told[name] = path
    set_anywhere = set().union(*(Set(path).names for path in SEEN))
    for name in UNSEEN:
        alone = sum(other.split()[1] == name.split()[1] for other in options) == 1
        assert not alone or name.split()[1] not in set_anywhere, f"{name} is seen"
    assert sorted(told.keys() - options.keys()) == [], "not built, or not of this name"
    assert sorted(options.keys() - told.keys()) == [], "nobody looks at them"


# ---- bad values --------------------------------------------------------------------------------------

BAD = {
    "bool": "perhaps",
    "number": "many",
    "signed": "many",
    "word": "nonsense",
    "character": "two",
    "level": "loud",
}
# What no option can hold; most hold less than what fits into a number.
TOO_SMALL, TOO_LARGE = "-2147483649", "4294967296"
# Beyond these another value is taken, which is said.
NARROWER = {"nss entry_cache_nowait_percentage": (0, 99)}
SECTIONS = {"ldap": "domain/LDAP", "domain": "domain/LDAP", "service": "nss", "*": "nss"}


def edges():
    """{"section name": (least, largest)} of every built number."""
    found = {full_name(row): range_of(row) for row in options() if row.state == "built" and row.type in NUMBERS}
    return {**found, **NARROWER}


def bad_values(why):
    if why == "of another type":
        return {name: BAD[kind] for name, kind in built().items() if kind in BAD}
    if why == "below its least":
        return {name: str(least - 1) for name, (least, _) in edges().items()}
    if why == "above its largest":
        return {**{name: str(most + 1) for name, (_, most) in edges().items()}, "* debug_level": "11"}
    return {name: TOO_SMALL if why == "below 32 bits" else TOO_LARGE for name in edges()}


def check_all(machine, values):
    """config-check of a configuration with these options, each in its section."""
    text = "[sssd]\ndomains = LDAP\n[domain/LDAP]\nid_provider = ldap\n"
    for name, value in values.items():
        section, option = name.split()
        text += f"[{SECTIONS.get(section, section)}]\n{option} = {value}\n"
    machine.write("/etc/sssd/all.conf", text, 0o600)
    return machine.run(["sssctl", "config-check", "-c", "/etc/sssd/all.conf"], check=False)


@pytest.mark.parametrize(
    "why", ["of another type", "below its least", "above its largest", "below 32 bits", "beyond 32 bits"]
)
def test_every_bad_value_is_named(machine, why):
    """All at once, each in its section: config-check names every one, with the value."""
    values = bad_values(why)
    assert len(values) > (60 if why == "of another type" else 50)
    check = check_all(machine, values)
    assert check.rc == 1
    for name, value in values.items():
        section, option = name.split()
        words = [f"'{option}'", f"'{SECTIONS.get(section, section)}'", f"'{value}'"]
        assert any(all(word in line for word in words) for line in check.out.splitlines()), words


@pytest.mark.parametrize("edge", [0, 1], ids=["least", "largest"])
def test_every_edge_of_a_number_is_good(machine, edge):
    check = check_all(machine, {name: both[edge] for name, both in edges().items()})
    assert check.rc == 0 and check.out.startswith("Issues identified by validators: 0\n\n"), check


# ---- options that no other file is about ---------------------------------------------------------------


@pytest.fixture
def start(container):
    with container() as c:
        slapd = Slapd(c).start()
        yield lambda **options: Suite(c, slapd).start(**options)


@pytest.mark.parametrize("seconds", [1, 2])
def test_request_timeout(start, seconds):
    suite = start(nss={"request_timeout": seconds})
    suite.c.wait_for("the domain is online", lambda: suite.passwd("bob"))
    suite.slapd.pause()
    try:
        result = suite.getent("passwd", "alice")
    finally:
        suite.slapd.resume()
    assert result.rc != 0 and seconds * 1000 - 50 <= result.ms < seconds * 1000 + 900, result


@pytest.mark.parametrize(
    "option",
    ["memcache_size_passwd", "memcache_size_group", "memcache_size_initgroups", "memcache_size_sid"],
)
def test_memcache_sizes(start, option):
    """0: no such file; and the size that is asked for, the largest one too."""
    name = option.removeprefix("memcache_size_")
    suite = start(nss={**MEMCACHE, option: 0})
    suite.passwd("alice"), suite.group("devs"), suite.initgroups("alice")
    there = {file for file in FILES if suite.c.exists(f"/var/lib/sss/mc/{file}")}
    assert there == set(FILES) - {name}
    for mib in (1, 1024):
        suite.configure(nss={**MEMCACHE, option: mib})
        suite.c.systemctl("reload", "sssd.service")
        suite.passwd("alice"), suite.group("devs"), suite.initgroups("alice")
        size = f"stat -c %s /var/lib/sss/mc/{name}"
        suite.c.wait_for(
            f"{mib} MiB",
            lambda: mib << 20 <= int(suite.c.sh(size).out) < (mib << 20) * 3,
        )


def test_core_dumpable(start):
    """The backend holds a bind password: a core file of it has at most one byte."""
    limit = "grep 'Max core file size' /proc/$(pidof sssd_be)/limits"
    suite = start()
    assert suite.c.sh(limit).out.split()[4:6] == ["1", "1"]
    suite.configure(sssd={"core_dumpable": "true"})
    suite.c.systemctl("restart", "sssd.service")
    assert suite.c.sh(limit).out.split()[5] != "1"


def limits(c, unit):
    """{name: soft limit} of the unit's main process; empty when there is none."""
    text = c.run(["cat", f"/proc/{c.main_pid(unit)}/limits"], check=False).out
    return {line[:26].strip(): line[26:].split()[0] for line in text.splitlines()[1:]}


def test_reload_of_what_only_a_new_process_takes(start):
    """The one that runs answers what it was asked, and goes."""
    suite = start(nss={"fd_limit": 200})
    c = suite.c
    assert suite.passwd("alice") == ALICE
    assert limits(c, "sssd-nss.service")["Max open files"] == "200"
    with steady(c, "passwd", "alice") as load:
        for more, limit in ({"fd_limit": 300}, "300"), ({}, "8192"):
            suite.configure(nss=more)
            c.systemctl("reload", "sssd.service")
            c.wait_for(
                f"another one with {limit}",
                lambda limit=limit: limits(c, "sssd-nss.service").get("Max open files") == limit,
            )
        pid = c.main_pid("sssd-nss.service")
        suite.configure(sssd={"core_dumpable": "true"})  # it holds no password
        c.systemctl("reload", "sssd.service")
        assert suite.passwd("alice") == ALICE
        assert c.main_pid("sssd-nss.service") == pid
    assert load.calls.were_all_right(), load.calls


def test_reload_of_core_dumpable(start):
    """Tickets are secrets as a bind password is."""
    suite = start(sssd={"core_dumpable": "true"})
    c = suite.c
    c.systemctl("start", "sssd-kcm.socket")

    def owner_of_environment():
        path = f"/proc/{c.main_pid('sssd-kcm.service')}/environ"
        return c.run(["stat", "-c", "%U", path], check=False).out.strip()

    for options, dumps in ({"core_dumpable": "true"}, True), ({}, False), ({"core_dumpable": "true"}, True):
        suite.configure(sssd=options)
        c.systemctl("reload", "sssd.service")
        with Kcm(c, uid=4001) as kcm:
            kcm.initialize("4001")
        # proc(5): what is in there belongs to root where the process may not be dumped.
        owner = "sssd" if dumps else "root"
        c.wait_for(f"it is {owner}'s", lambda owner=owner: owner_of_environment() == owner)


def test_debug_level_and_microseconds(start):
    suite = start(nss={"debug_level": 9, "debug_microseconds": "true"})
    suite.c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    suite.c.systemctl("restart", "sssd-nss.service")
    path = "/var/log/sssd/sssd_nss.log"
    suite.passwd("alice")
    with_them = suite.c.read(path).splitlines()
    assert re.search(r"\d\d:\d\d:\d\d[.:]\d{6}", with_them[-1]), with_them[-1]

    suite.configure(nss={"debug_level": 0})
    suite.c.systemctl("reload", "sssd.service")
    time.sleep(0.5)
    suite.c.sh(f": >{path}")
    suite.passwd("bob")
    assert suite.c.read(path) == ""
    suite.configure(nss={"debug_level": 9})
    suite.c.systemctl("reload", "sssd.service")
    suite.c.wait_for("it logs again", lambda: suite.passwd("no-such") or suite.c.read(path))
    assert not re.search(r"\d\d:\d\d:\d\d[.:]\d{6}", suite.c.read(path).splitlines()[-1])

    suite.configure(nss={"debug_level": 9, "debug_timestamps": "false"})
    suite.c.systemctl("reload", "sssd.service")
    suite.c.wait_for(
        "no time", lambda: suite.passwd("bob") and suite.c.read(path).splitlines()[-1][0] == "["
    )


@pytest.mark.parametrize("name, section", [("sssd", "sssd"), ("sssd_LDAP", None), ("sssd_nss", "nss")])
def test_debug_level_that_is_taken_out_is_the_default_again(start, name, section):
    def options(**values):
        return {section: values} if section else values

    suite = start(**options(debug_level=9))
    suite.c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    suite.c.systemctl("restart", "sssd.service", "sssd-nss.service")
    path = f"/var/log/sssd/{name}.log"

    def logged(user):
        suite.c.sh(f": >{path}")
        if name == "sssd":
            suite.c.systemctl("restart", "sssd-nss.service")
        assert suite.passwd(user)
        suite.c.wait_for("it has registered", lambda: "nss" in suite.c.run(["sssctl", "services"]).out)
        return suite.c.read(path)

    suite.c.wait_for("the domain is online", lambda: suite.passwd("alice"))
    assert logged("bob") != ""
    suite.configure()
    suite.c.systemctl("reload", "sssd.service")
    time.sleep(0.5)
    assert logged("carol") == ""


@pytest.mark.parametrize("name, section", [("sssd", "sssd"), ("sssd_LDAP", None), ("sssd_nss", "nss")])
def test_microseconds_and_timestamps_with_a_level_of_the_command_line(start, name, section):
    def options(**values):
        return {section: values} if section else values

    suite = start(**options(debug_microseconds="true"))
    suite.c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files --debug-level=9\n")
    path = f"/var/log/sssd/{name}.log"
    suite.c.sh(f"rm -f {path}")
    suite.c.systemctl("restart", "sssd.service", "sssd-nss.service")
    suite.passwd("alice"), suite.c.run(["sssctl", "services"])
    suite.c.wait_for("a time", lambda: re.search(r"\d\d:\d\d:\d\d:\d{6}", suite.c.read(path).splitlines()[-1]))


@pytest.mark.parametrize(
    "options, logs",
    [
        ({"debug": 9}, True),
        ({"debug": "0x0010"}, False),
        ({"debug": 0, "debug_level": 9}, True),
        ({"debug": 9, "debug_level": 0}, False),
    ],
)
def test_debug_is_debug_level(start, options, logs):
    """The longer name wins."""
    suite = start(nss=options)
    suite.c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    suite.c.systemctl("restart", "sssd-nss.service")
    assert suite.passwd("alice") == ALICE
    assert bool(suite.c.read("/var/log/sssd/sssd_nss.log")) == logs


DOMAIN = f"id_provider = ldap\nldap_uri = ldaps://ldap.test\nldap_search_base = {BASE}\nldap_tls_cacert = {CA}\n"


def domains(listed, sssd="", **lines):
    """A configuration with these domains; the value is what their sections have besides."""
    text = f"[sssd]\ndomains = {listed}\n{sssd}[nss]\nmemcache_timeout = 0\n"
    return text + "".join(f"[domain/{name}]\n{DOMAIN}{more}\n" for name, more in lines.items())


def test_enabled(start):
    """It says so whatever the list says; a word that is neither stops the domain."""
    suite = start()
    suite.stop()
    suite.configure(
        domains(
            "LISTED, OFF, BAD",
            LISTED="",
            OFF="enabled = false",
            BAD="enabled = perhaps",
            ON="enabled = TRUE",
            EMPTY="enabled =",
            UNLISTED="",
        )
    )
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert suite.c.run(["sssctl", "domain-list"]).out.split() == ["LISTED", "ON"]
    for name in ("LISTED", "ON"):
        suite.c.wait_for(f"{name} answers", lambda: suite.passwd(f"alice@{name}") == ALICE)
    for name in ("OFF", "BAD", "EMPTY", "UNLISTED"):
        assert suite.passwd(f"alice@{name}") is None, name

    suite.stop()
    suite.configure(domains("LISTED", LISTED="enabled = False"))
    log = Log(suite.c)
    assert suite.c.systemctl("start", "sssd.service", check=False).rc != 0
    assert "No domain is enabled" in log.text()


def test_min_id_and_max_id(container):
    """The first and the last one that are accepted, and those beside them; of primary groups, too."""
    ids = (999, 1000, 1001, 49999, 50000, 50001)
    users = [USERS[0]._replace(name=f"u{n}", uid=n, gid=20001) for n in ids]
    users += [USERS[0]._replace(name=f"g{n}", uid=20000 + n % 100, gid=n) for n in ids]
    groups = [Group("workers", 20001, [])] + [Group(f"group{n}", n, ["u1000"]) for n in ids]
    with container() as c:
        suite = Suite(c, Slapd(c, entries=(users, groups)).start())
        suite.configure(
            domains(
                "BOTH, NONE, MIN, MAX, ONE",
                BOTH="min_id = 1000\nmax_id = 50000",
                NONE="",
                MIN="min_id = 50000\nmax_id = 0",
                MAX="max_id = 1000\nmin_id = 1",
                ONE="min_id = 20001\nmax_id = 20001",
            )
        )
        c.systemctl("enable", "--now", "sssd-nss.socket")
        c.systemctl("start", "sssd.service")

        def seen(domain, kind, ask):
            return [n for n in ids if ask(f"{kind}{n}@{domain}") is not None]

        for domain, within in (
            ("BOTH", [1000, 1001, 49999, 50000]),
            ("NONE", list(ids)),
            ("MIN", [50000, 50001]),
            ("MAX", [999, 1000]),
            ("ONE", []),
        ):
            c.wait_for(f"{domain} is online", lambda: f"{domain}: online" in c.show("sssd.service", "StatusText"))
            users_seen = within if domain in ("BOTH", "NONE") else []  # the group 20001 is beyond the others
            assert seen(domain, "u", suite.passwd) == users_seen, domain
            assert seen(domain, "group", suite.group) == within, domain
            if users_seen:
                assert seen(domain, "g", suite.passwd) == within, domain
        assert suite.group("workers@ONE") == ("workers", 20001, set())
        assert suite.initgroups("u1000@BOTH") == {1000, 1001, 49999, 50000}


FATAL = {
    "min_id above max_id": (
        "",
        "min_id = 50001\nmax_id = 50000",
        "Attributes 'min_id' and 'max_id' in section 'domain/BAD': 50001 is larger than 50000.",
    ),
    "no domain in names, and a domain for those": (
        "default_domain_suffix = GOOD\n",
        "use_fully_qualified_names = false",
        "Attribute 'use_fully_qualified_names' in section 'domain/BAD' cannot be false while "
        "'default_domain_suffix' in section 'sssd' is set.",
    ),
}


@pytest.mark.parametrize("pair", FATAL)
def test_pairs_that_are_fatal(start, pair):
    """They stop the domain, not the other one; and everything, when there is no other one."""
    sssd, more, words = FATAL[pair]
    suite = start()
    suite.stop()
    suite.configure(domains("GOOD, BAD", sssd, GOOD="", BAD=more))
    check = suite.c.run(["sssctl", "config-check"], check=False)
    assert check.rc == 1 and words in check.out, check
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    suite.c.wait_for("GOOD answers", lambda: suite.passwd("alice@GOOD"))
    assert suite.passwd("alice@BAD") is None

    suite.stop()
    suite.configure(domains("BAD", sssd.replace("GOOD", "BAD"), BAD=more))
    log = Log(suite.c)
    assert suite.c.systemctl("start", "sssd.service", check=False).rc != 0
    assert words in log.text()


def test_pairs_that_are_not_fatal(start):
    """The same options where they fit together."""
    suite = start()
    suite.stop()
    suite.configure(
        domains(
            "GOOD, EVEN",
            "default_domain_suffix = GOOD\n",
            GOOD="use_fully_qualified_names = TRUE\nmin_id = 1\nmax_id = 0",
            EVEN="min_id = 10001\nmax_id = 10001\nauto_private_groups = true",
        )
    )
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    suite.c.wait_for("GOOD answers", lambda: suite.passwd("alice"))
    assert suite.passwd("alice").startswith("alice@GOOD:")
    suite.c.wait_for("EVEN answers", lambda: suite.passwd("alice@EVEN"))
    assert suite.passwd("bob@EVEN") is None


NOTES = {
    "enum_cache_timeout": ("nss", "none is kept that could be too old"),
    "ldap_ignore_unreadable_references": ("domain/LDAP", "members that cannot be read are left out, always"),
}


def test_what_has_no_effect_is_noted_and_is_no_issue(start):
    suite = start(
        nss={"enum_cache_timeout": 60},
        ldap_ignore_unreadable_references="true",
    )
    assert suite.passwd("alice") == ALICE
    check = suite.c.run(["sssctl", "config-check"])
    assert check.out.startswith("Issues identified by validators: 0\n\n")
    notes = check.out.split("\nNotes: 2\n")[1].splitlines()
    assert len(notes) == 2
    for option, (section, why) in NOTES.items():
        line = f"[rule/effect]: Attribute '{option}' in section '{section}' has no effect: "
        assert any(note.startswith(line) and why in note for note in notes), option


def test_cache_max_size(container):
    """It stays as large as it may be. Who is in it is answered; who does not fit is no "not there"."""
    users = [USERS[0]] + [
        USERS[0]._replace(name=f"user{n}", uid=20000 + n, gecos="x" * 2000) for n in range(1000)
    ]
    with container() as c:
        slapd = Slapd(c, entries=(users, GROUPS)).start()
        suite = Suite(c, slapd).start(cache_max_size=1)
        c.wait_for("the domain is online", lambda: suite.passwd("alice"))
        c.run(["getent", "passwd", *(f"user{n}" for n in range(1000))], check=False, timeout=120)
        assert suite.passwd("alice") == ALICE and suite.passwd("user0")
        calls = ask(c, "passwd", "user999")
        assert calls.unavail == calls.calls > 0, calls
        kib = int(c.sh("du -k /var/lib/sss/db/cache_LDAP.mdb").out.split()[0])
        assert kib <= 2048


def test_cache_max_size_when_entries_expire(container):
    """Who expired makes room for others; not who logged in, nor what belongs to them."""
    users = [USERS[0]] + [
        USERS[0]._replace(name=f"user{n}", uid=20000 + n, gecos="x" * 2000) for n in range(500)
    ]
    with container() as c:
        slapd = Slapd(c, entries=(users, GROUPS)).start()
        suite = Suite(c, slapd).start(cache_max_size=1, entry_cache_timeout=2)
        c.wait_for("the domain is online", lambda: suite.passwd("alice"))
        groups = suite.initgroups("alice")
        everybody = [f"user{n}" for n in range(500)]
        for part in range(0, 500, 100):
            c.run(["getent", "passwd", *everybody[part : part + 100]], timeout=120)
            time.sleep(2.5)
        assert suite.passwd("user499") and suite.passwd("user0")
        kib = int(c.sh("du -k /var/lib/sss/db/cache_LDAP.mdb").out.split()[0])
        assert kib <= 2048
        slapd.down()
        assert suite.passwd("alice") == ALICE and suite.initgroups("alice") == groups
        assert suite.passwd("user499") and suite.passwd("user1") is None


def test_offline_timeout_max(container):
    """From 1 s on: 2, 4, 8 s, which are 15 since it was lost; or never more than 2. A domain for each."""
    domains = {"unset": None, "two": 2, "none": 0}

    def online():
        text = c.show("sssd.service", "StatusText")
        return [name for name in domains if f"{name}: online" in text]

    with container() as c:
        slapd, suite = Slapd(c, entries=(USERS, GROUPS)).start(), Suite(c)
        text = f"[sssd]\ndomains = {', '.join(domains)}\n"
        for name, longest in domains.items():
            text += sssd_conf(
                domain=name,
                offline_timeout=1,
                offline_timeout_random_offset=0,
                offline_timeout_max=longest,
            ).partition("[nss]\nmemcache_timeout = 0\n")[2]
        suite.configure(text)
        c.systemctl("enable", "--now", "sssd-nss.socket")
        c.systemctl("start", "sssd.service")
        for name in domains:
            c.wait_for(f"{name} is online", lambda: suite.passwd(f"alice@{name}"))
        slapd.down()
        c.wait_for("they are lost", lambda: not suite.passwd("bob") and not online())
        time.sleep(9)
        slapd.up()
        time.sleep(2.6)
        assert online() == ["two", "none"]
        c.wait_for("all are back", lambda: len(online()) == 3, timeout=10)


def test_client_certificate_and_ciphers(container):
    with container() as c:
        slapd = Slapd(c, security="TLSVerifyClient demand").start()
        authority(c).issue(c, "/srv/ours", ["client.test"], 10)
        c.sh("chmod 755 /srv/ours; chmod 644 /srv/ours/*")
        ours = {"ldap_tls_cert": "/srv/ours/server.pem", "ldap_tls_key": "/srv/ours/server.key"}
        suite = Suite(c, slapd)
        domains = {
            "good": ours,
            "none": {},
            "half": {"ldap_tls_cert": ours["ldap_tls_cert"]},
            "wrong": {**ours, "ldap_tls_key": "/no/such/file"},
            "cipher": {**ours, "ldap_tls_cipher_suite": "NORMAL:-VERS-ALL:+VERS-TLS1.3"},
            "nocipher": {**ours, "ldap_tls_cipher_suite": "NORMAL:-VERS-ALL"},
            "badcipher": {**ours, "ldap_tls_cipher_suite": "no such cipher"},
        }
        text = f"[sssd]\ndomains = {', '.join(domains)}\n"
        for name, options in domains.items():
            text += f"[domain/{name}]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\n"
            text += f"ldap_search_base = {BASE}\nldap_tls_cacert = {CA}\n"
            text += "".join(f"{option} = {value}\n" for option, value in options.items())
        suite.configure(text)
        log = Log(c)
        c.systemctl("enable", "--now", "sssd-nss.socket")
        c.systemctl("start", "sssd.service")
        for name in "good", "cipher":
            c.wait_for(f"{name} answers", lambda: suite.passwd(f"alice@{name}") == ALICE)
        for name in "none", "half", "wrong", "nocipher", "badcipher":
            assert suite.passwd(f"alice@{name}") is None, name
            assert f"domain {name}: offline" in log.text()
