# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real directory server in a test container: OpenLDAP, RFC 2307, TLS, a CA made at test time.

    slapd = Slapd(c).start()          the sample directory below, at ldap.test (127.0.0.1)
    slapd = Slapd(c, entries=big())   10,000 users, 2,000 groups
    slapd = Slapd(c, bis=True)        the same with groups as rfc2307bis spells them: members are DNs
    slapd.pause()                     accepts, never answers (SIGSTOP)
    slapd.searches()                  how many searches it has served: what did a lookup cost?

It is a unit of the container, test-slapd-NAME.service, with its files in /srv/slapd-NAME.

    dc=test
      ├ cn=reader          may read where anonymous=False; password "reader-secret"
      ├ ou=people          uid=alice,ou=people,dc=test …
      └ ou=groups          cn=workers,ou=groups,dc=test …
"""
import base64
import collections
import pathlib
import subprocess
import tempfile

BASE = "dc=test"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "reader-secret"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "admin-secret"
CA = "/etc/ssl/test-ca.pem"  # in the container

User = collections.namedtuple("User", "name uid gid gecos home shell")
Group = collections.namedtuple("Group", "name gid members")

# The sample directory: small enough to read, with one of each thing a lookup can meet.
USERS = [
    User("alice", 10001, 20001, "Alice Example", "/home/alice", "/bin/bash"),
    User("bob", 10002, 20001, "Bob Example", "/home/bob", "/bin/sh"),
    User("carol", 10003, 20003, "Carol Ærlig", "/home/carol", "/bin/bash"),
    User("dave.o-neill_1", 10004, 20001, "", "/home/dave", ""),
]
GROUPS = [
    Group("workers", 20001, []),
    Group("devs", 20002, ["alice", "bob"]),
    Group("carol", 20003, []),
    Group("admins", 20004, ["alice"]),
    Group("empty", 20005, []),
    Group("with space", 20006, ["bob", "carol"]),
]


def big(n_users=10000, n_groups=2000, group_size=20):
    """The directory of the benchmarks: user00001 …, group00001 … of group_size, one group
    "everyone" of 5,000 and one user, "joiner", in 300 groups."""
    users = [
        User(f"user{n:05}", 100000 + n, 200000, f"User {n}", f"/home/user{n:05}", "/bin/bash")
        for n in range(1, n_users + 1)
    ]
    users.append(User("joiner", 99999, 200000, "In 300 groups", "/home/joiner", "/bin/bash"))
    groups = [Group("all-users", 200000, [])]
    for n in range(1, n_groups + 1):
        members = [users[(n * group_size + i) % n_users].name for i in range(group_size)]
        groups.append(Group(f"group{n:05}", 200000 + n, members + (["joiner"] if n <= 300 else [])))
    groups.append(Group("everyone", 300000, [user.name for user in users[: min(5000, n_users)]]))
    return users, groups


def big_bis():
    """The same for Slapd(bis=True, …): what entries and extra are. The user "nester" is in the first
    of ten groups that hold each other; "everyone-else" has 5,000 members whose DNs do not tell their
    names."""
    users, groups = big()
    others = [
        User(f"other{n:05}", 120000 + n, 200000, f"Other {n:05}", f"/home/other{n:05}", "/bin/bash")
        for n in range(1, 5001)
    ]
    dns = [f"cn={user.gecos},ou=people,{BASE}" for user in others]
    groups.append(Group("everyone-else", 300001, dns))
    users.append(User("nester", 99998, 200000, "In ten groups", "/home/nester", "/bin/bash"))
    for n in range(1, 11):
        groups.append(Group(f"nest{n}", 300010 + n, [group_dn(f"nest{n - 1}") if n > 1 else "nester"]))
    extra = "".join(user_ldif(user, dn=dn) for user, dn in zip(others, dns))
    return {"entries": (users, groups), "extra": extra}


def _line(name, value):
    """One line of LDIF (RFC 2849): anything but plain text goes as base64. slapadd(8) takes no empty
    values, ldapadd(1) does."""
    if not value:
        return f"{name}:\n"
    plain = (
        value.isascii()
        and value.isprintable()
        and value[0] not in " :<"
        and value[-1] != " "
    )
    return (
        f"{name}: {value}\n" if plain else f"{name}:: {base64.b64encode(value.encode()).decode()}\n"
    )


def user_ldif(user, dn_name=None, dn=None, **more):
    """An entry of a user; more replaces or adds attributes: None leaves one out, a list is many."""
    values = {
        "objectClass": ["account", "posixAccount"],
        "uid": user.name,
        "cn": user.gecos or user.name,
        "uidNumber": str(user.uid),
        "gidNumber": str(user.gid),
        "gecos": user.gecos or None,
        "homeDirectory": user.home,
        "loginShell": user.shell or None,
        **more,
    }
    if values["gecos"] and not values["gecos"].isascii():
        values["gecos"] = None  # an IA5 string in RFC 2307; clients fall back to cn
    return _entry(dn or user_dn(dn_name or user.name), values)


def user_dn(name):
    return f"uid={name},ou=people,{BASE}"


def group_dn(name):
    return f"cn={name},ou=groups,{BASE}"


def bis_group_ldif(group, **more):
    """A group of rfc2307bis: a groupOfNames, and a posixGroup unless its gid is None. Members are
    names of users, or DNs ("" is one, too); groupOfNames wants one, so none is written as BASE, which
    is neither."""
    posix = group.gid is not None
    values = {
        "objectClass": ["groupOfNames"] + ["posixGroup"] * posix,
        "cn": group.name,
        "gidNumber": str(group.gid) if posix else None,
        "member": [name if "=" in name or not name else user_dn(name) for name in group.members] or [BASE],
        **more,
    }
    return _entry(group_dn(group.name), values)


def group_ldif(group, **more):
    values = {
        "objectClass": ["posixGroup"],
        "cn": group.name,
        "gidNumber": str(group.gid),
        "memberUid": list(group.members),
        **more,
    }
    return _entry(group_dn(group.name), values)


def _entry(dn, values):
    text = _line("dn", dn)
    for name, value in values.items():
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            text += _line(name, one)
    return text + "\n"


def ldif(users, groups, bis=False):
    of_group = bis_group_ldif if bis else group_ldif
    top = [
        _entry(BASE, {"objectClass": ["dcObject", "organization"], "dc": "test", "o": "Test"}),
        _entry(
            READER,
            {
                "objectClass": ["applicationProcess", "simpleSecurityObject"],
                "cn": "reader",
                "userPassword": READER_PASSWORD,
            },
        ),
    ]
    top += [
        _entry(f"ou={name},{BASE}", {"objectClass": "organizationalUnit", "ou": name})
        for name in ("people", "groups")
    ]
    return "".join(
        top + [user_ldif(user) for user in users] + [of_group(group) for group in groups]
    )


CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {home}/nis.schema
{schema}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload back_monitor
pidfile {home}/pid
TLSCACertificateFile {ca}
TLSCertificateFile {home}/server.pem
TLSCertificateKeyFile {home}/server.key
sortvals memberUid member
sizelimit unlimited
conn_max_pending 100000
loglevel none
{security}
database monitor
access to * by dn.exact="{admin}" read by * none
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {home}/db
maxsize 1073741824
dbnosync
index objectClass,uid,cn,uidNumber,gidNumber,memberUid,member eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * {others}
"""

SYNCREPL = """\
syncrepl rid=1 provider={uri} type=refreshAndPersist retry="1 +" searchbase="{base}"
    bindmethod=simple binddn="{admin}" credentials="{password}" keepalive=1:2:1 network-timeout=1 timeout=2
updateref {uri}
"""

UNIT = """\
[Unit]
Description=slapd of the tests
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/sbin/slapd -d {level} -f {home}/slapd.conf -h "{uris}"
LimitNOFILE=65536
KillMode=control-group
SendSIGKILL=yes
TimeoutStopSec=5
"""


class Slapd:
    """One server. Several may run in one container at different addresses of 127.0.0.0/8.

    entries    (users, groups); the sample directory unless given
    address    where it listens, ports 389 and 636; the certificate names ldap.test and the address
    anonymous  may anybody read? False: only READER
    tls        False: no certificate at all, StartTLS is refused
    security   more lines for the global part of slapd.conf, for instance "security ssf=128"
    schema     the same for attributetype and objectclass (slapd.conf(5))
    deref      the overlay that dereferences members (slapo-deref(5))
    extra      more entries (LDIF)
    bis        groups of rfc2307bis (bis_group_ldif()) in the place of those of RFC 2307
    loose      posixAccount without its MUST attributes, so that senseless entries can be stored
    stats      every operation becomes a line in the journal of the unit
    names      what the certificate is for; ldap.test, localhost and the address
    netns      a network namespace (ip-netns(8)) of the container to run in
    provider   others may replicate it (slapo-syncprov(5))
    replica_of the provider: the directory comes from there (syncrepl, refreshAndPersist), and
               start() does not wait for it
    """

    def __init__(
        self,
        container,
        name="main",
        entries=None,
        address="127.0.0.1",
        anonymous=True,
        tls=True,
        security="",
        loose=False,
        extra="",
        bis=False,
        deref=False,
        stats=False,
        names=None,
        netns=None,
        provider=False,
        replica_of=None,
        schema="",
    ):
        self.c, self.name, self.address, self.tls = container, name, address, tls
        self.unit, self.home = f"test-slapd-{name}.service", f"/srv/slapd-{name}"
        self.entries = entries if entries is not None else (USERS, GROUPS)
        self.anonymous, self.security, self.loose, self.stats = anonymous, security, loose, stats
        self.extra, self.bis, self.deref = extra, bis, deref
        self.names = names or [address, "ldap.test", "localhost"]
        self.netns, self.schema = netns, schema
        self.provider, self.replica_of = provider, replica_of
        self.ldapi = f"ldapi://{(self.home + '/ldapi').replace('/', '%2F')}"

    def start(self):
        """Loads the directory and starts the server; returns when it answers."""
        conf = CONF.format(
            home=self.home,
            ca=CA,
            base=BASE,
            admin=ADMIN,
            password=ADMIN_PASSWORD,
            reader=READER,
            security=self.security,
            schema=self.schema,
            others="read" if self.anonymous else "auth",
        )
        if self.deref:
            conf = conf.replace("moduleload back_mdb\n", "moduleload back_mdb\nmoduleload deref\n")
            conf += "overlay deref\n"
        if self.provider:
            conf = conf.replace("moduleload back_mdb\n", "moduleload back_mdb\nmoduleload syncprov\n")
            conf += "index entryUUID,entryCSN eq\noverlay syncprov\nsyncprov-sessionlog 1000\n"
        if self.replica_of:
            conf += SYNCREPL.format(
                uri=f"ldap://{self.replica_of.address}", base=BASE, admin=ADMIN, password=ADMIN_PASSWORD
            )
        if not self.tls:
            conf = "".join(line for line in conf.splitlines(True) if not line.startswith("TLS"))
        self.c.run(["mkdir", "-p", f"{self.home}/db"])
        schema = self.c.read("/etc/ldap/schema/nis.schema")
        if self.loose:
            for must in (
                "MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory )",
                "MUST ( cn $ gidNumber )",
            ):
                assert must in schema, "Debian's nis.schema has changed"
                schema = schema.replace(must, "MAY" + must[4:], 1)
            schema = schema.replace(
                "MAY ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory )\n\tMAY (",
                "MAY ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory $",
            )
            schema = schema.replace("MAY ( cn $ gidNumber )\n\tMAY (", "MAY ( cn $ gidNumber $")
        if self.bis:
            # The draft's posixGroup is a mark upon a group of another class.
            structural = "STRUCTURAL\n\tMUST ( cn $ gidNumber )"
            assert schema.count(structural) == 1, "Debian's nis.schema has changed"
            schema = schema.replace(structural, "AUXILIARY\n\tMUST gidNumber")
        self.c.write(f"{self.home}/nis.schema", schema)
        self.c.write(f"{self.home}/slapd.conf", conf)
        if self.tls:
            self.use_certificate()
        if not self.replica_of:
            self.c.run(
                ["slapadd", "-q", "-f", f"{self.home}/slapd.conf"],
                input=ldif(*self.entries, bis=self.bis) + self.extra,
                timeout=300,
            )
        self.install()
        return self.up()

    def install(self):
        """Makes the unit: part of start(), and again after a reboot, which empties /run."""
        uris = f"ldap://{self.address}:389/ {self.ldapi}" + (
            f" ldaps://{self.address}:636/" if self.tls else ""
        )
        self.c.write(
            f"/run/systemd/system/{self.unit}",
            UNIT.format(
                level="stats" if self.stats else "0", home=self.home, uris=uris.replace("%", "%%")
            )
            + (f"NetworkNamespacePath=/run/netns/{self.netns}\n" if self.netns else ""),
        )
        self.c.systemctl("daemon-reload")

    def use_certificate(self, names=None, days=10, own_ca=False):
        """Makes the certificate: for other names, expired (days=-1), or from a CA nobody trusts."""
        ca = authority(self.c) if not own_ca else Authority()
        ca.issue(self.c, self.home, names or self.names, days)

    # -- the server's life -----------------------------------------------------------------------

    def up(self):
        self._asked = 0
        self.c.systemctl("start", self.unit)
        self.c.wait_for(
            f"{self.unit} answers",
            lambda: self.c.run(["ldapwhoami", "-x", "-H", self.ldapi], check=False, timeout=5).rc
            == 0,
        )
        return self

    def down(self):
        """Stops it: connections are closed, new ones are refused."""
        self.c.systemctl("stop", self.unit)

    def pause(self):
        """It stays connected, the kernel accepts, and no answer comes."""
        self.c.systemctl("kill", "--signal=STOP", self.unit)

    def resume(self):
        self.c.systemctl("kill", "--signal=CONT", self.unit)

    # -- the directory ---------------------------------------------------------------------------

    def _admin(self, tool, *words, **more):
        return self.c.run(
            [tool, "-x", "-H", self.ldapi, "-D", ADMIN, "-w", ADMIN_PASSWORD, *words], **more
        )

    def add(self, text):
        """Adds entries (LDIF, as user_ldif() and group_ldif() make it)."""
        return self._admin("ldapadd", input=text)

    def modify(self, text):
        return self._admin("ldapmodify", input=text)

    def has(self, dn):
        words = ["-LLL", "-s", "base", "-b", dn, "1.1"]
        return self._admin("ldapsearch", *words, check=False).rc == 0

    def delete(self, *dns):
        return self._admin("ldapdelete", *dns)

    def searches(self):
        """The number of searches completed since it started, these questions not counted."""
        out = self._admin(
            "ldapsearch",
            "-LLL",
            "-s",
            "base",
            "-b",
            "cn=Search,cn=Operations,cn=Monitor",
            "monitorOpCompleted",
        ).out
        self._asked += 1
        return int(out.split("monitorOpCompleted:")[1].split()[0]) - self._asked + 1

    def connections(self):
        """How many clients are connected, ldapi and this question not counted."""
        out = self.c.sh("ss -Htn state established").out
        ends = {f"{self.address}:389", f"{self.address}:636"}
        return sum(line.split()[2] in ends for line in out.splitlines())


class Authority:
    """A CA with a fresh key, made on this machine; certificates are ECDSA, valid for days."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="sssd-tests-ca-")
        self._openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=CA of the tests",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        )

    def issue(self, container, home, names, days):
        """Writes server.pem and server.key into home."""
        kinds = [
            "IP" if name.replace(".", "").isdigit() or ":" in name else "DNS" for name in names
        ]
        alternative = ",".join(f"{kind}:{name}" for kind, name in zip(kinds, names))
        self._file("ext").write_text(f"subjectAltName={alternative}\n")
        self._openssl(
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            f"/CN={names[0]}",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
        )
        self._openssl(
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            str(days),
            "-extfile",
            "ext",
            "-out",
            "server.pem",
        )
        container.write(f"{home}/server.pem", self._file("server.pem").read_text())
        container.write(f"{home}/server.key", self._file("server.key").read_text(), 0o600)

    def pem(self):
        return self._file("ca.pem").read_text()

    def _file(self, name):
        return pathlib.Path(self.dir.name, name)

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.dir.name, check=True, capture_output=True)


def authority(container):
    """The CA that container's CA file names; made at the first call."""
    if not hasattr(container, "authority"):
        container.authority = Authority()
        container.write(CA, container.authority.pem())
    return container.authority
