#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scripted LDAP server that misbehaves on purpose, for tests of the backend.

    ldapserver.py [--address A] [--port N] MODE [ARGUMENT]

It knows the base dc=example,dc=com, each user userN (uid 20000 + N) and each group groupN
(gid 30000 + N, members user0 and user1), and prints "port N" when it listens. Modes:

    ok             answers
    hang           accepts connections and never says a word
    deaf           answers StartTLS, bind and the root DSE; searches are never answered
    delay S        answers everything after S seconds
    slow S         answers searches after S seconds, everything else at once
    cut N          closes the connection after N bytes of a search's answer
    wrongdb        answers every search with noSuchObject
    forgets DN     never answers searches at or below DN
    lacks DN       answers searches at or below DN with noSuchObject
    bars DN        answers them with insufficientAccessRights
    code N         answers every search with result code N (51 busy, 4 sizeLimitExceeded, …)
    ponder S       answers searches for user7 after S seconds, everything else at once
    toil S         works off the requests of a connection one by one, and needs S seconds for user7
    burdened S     everybody is in group0 to group2, and in one of their own first of all; needs S
                   seconds for a search for several groups by number
    refuse N       answers searches for user7 with result code N, others as they are
    partial        one entry, then sizeLimitExceeded
    unreadable     the last entry of each answer lacks its end
    endless        lists user0 and group0 page after page (RFC 2696)
    pages S        lists users and groups in pages of which each takes S seconds; a page is had only over
                   the connection that had the one before (RFC 2696). Prints of each search "search",
                   the connection's number, what was asked for ("list" or "lookup"), the controls'
                   OIDs or "-", and how many paged searches that connection has open
    pages S:N      … and closes the connection instead of giving page N, the first time
    short S:N      … and answers page N with sizeLimitExceeded, always
    stingy N       gives N entries at most, and none in pages, though it says that it does; prints as above
    garbage        answers searches with bytes that are no BER
    notls          refuses StartTLS with protocolError; otherwise ok
    tlshang        agrees to StartTLS and says nothing more
    badbind        refuses every bind with invalidCredentials
    close          accepts and closes at once
    silent-after N answers N searches, then nothing on any connection
    attributes N   each entry has N attributes more, of which nobody asked for any
    heavy N        user9 and group9 have one value of N MB more, which nobody asked for
    broad N        user9 and group9 have N MB of values more, of ten bytes each: so, too
    long N         the home directory of user9 has N MB, and so has a member of group9
    crowd N        group9 has N MB of members
    ranges N       group9 has N members, and user9 N addresses, of which it gives 100 at once, as
                   Active Directory does
    ranges N:M     … and never those from M on
    slices N       the same with 1,500 at once
    leaves N:M:K   slices, but one of them goes before each question for later ones, M in all: userK,
                   and who comes after it
    stands N       the same with 100, and later only one at once
    turns N        slices in another order on each connection, as of several servers behind one name;
                   the other groups have a member of whom it says nothing for 2 s, and the first
                   search for group9 alone ends 2 s after its entry
    moniker BASE   knows its base by this name alone, "<GUID=…>"; groups list DNs
    stalls N       the same with 100, and it never answers who asks for the second ones
    misnames N:R   the same of 350, but of those from N on it says "member;range=R"
    giant          user9 is announced as a message of 2 GB, which comes as long as somebody takes it
    others         gives user0, user1, group0 and group1 before what was asked for
    many N         gives N users or groups before what was asked for, whatever the limit was
    outside        gives everybody first from dc=org, where they have another home, or other members

A mode may be followed by "then MODE": SIGUSR1 switches to it. There is no TLS: write
ldap_id_use_start_tls = false in the configuration.
"""
import argparse, asyncio, re, signal, sys


# ---- BER (X.690), the little that is needed ----

def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        head = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        head = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + head + body


def integer(value, tag=0x02):
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(text, tag=0x04):
    return tlv(tag, text if isinstance(text, bytes) else text.encode())


def parse(data, at=0):
    """(tag, content, next offset) of the element at offset at."""
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        n = size & 0x7F
        size = int.from_bytes(data[at:at + n], "big")
        at += n
    return tag, data[at:at + size], at + size


def children(data):
    at, found = 0, []
    while at < len(data):
        tag, content, at = parse(data, at)
        found.append((tag, content))
    return found


# ---- LDAP (RFC 4511) ----

PAGED = "1.2.840.113556.1.4.319"


def controls_of(data):
    """{OID: of a paged search (size, cookie), of others None}"""
    found = {}
    for _, control in children(data):
        parts = children(control)
        oid = parts[0][1].decode()
        found[oid] = None
        if oid == PAGED:
            size, cookie = children(children(parts[-1][1])[0][1])
            found[oid] = int.from_bytes(size[1], "big"), cookie[1].decode()
    return found


def result(msgid, tag, code, text="", cookie=None):
    controls = b""
    if cookie is not None:
        value = tlv(0x30, integer(0), octets(cookie))
        controls = tlv(0xA0, tlv(0x30, octets(PAGED), octets(value)))
    return tlv(0x30, integer(msgid), tlv(tag, integer(code, 0x0A), octets(""), octets(text)),
               controls)


def entry_body(dn, attrs):
    listed = [tlv(0x30, octets(name), tlv(0x31, *map(octets, values)))
              for name, values in attrs.items()]
    return tlv(0x64, octets(dn), tlv(0x30, *listed))


def entry(msgid, dn, attrs):
    return tlv(0x30, integer(msgid), entry_body(dn, attrs))


def unreadable(msgid, dn):
    """Its attributes say that they are longer than the message."""
    return tlv(0x30, integer(msgid), tlv(0x64, octets(dn), b"\x30\x7f\x30\x03\x04\x01x"))


def user(n):
    name = f"user{n}"
    return f"uid={name},ou=people,dc=example,dc=com", {
        "uid": [name], "uidNumber": [str(20000 + n)], "gidNumber": ["100000"],
        "cn": [f"User {n}"], "homeDirectory": [f"/home/{name}"], "loginShell": ["/bin/sh"]}


def group(n):
    return f"cn=group{n},ou=groups,dc=example,dc=com", {
        "cn": [f"group{n}"], "gidNumber": [str(30000 + n)], "memberUid": ["user0", "user1"]}


def assertions(data):
    """All (attribute, value) pairs of equality matches anywhere in a filter."""
    found = []
    for tag, content in children(data):
        if tag == 0xA3:
            name, value = children(content)
            found.append((name[1].decode().lower(), value[1].decode()))
        elif tag in (0xA0, 0xA1):
            found += assertions(content)
    return found


def find(filter_bytes):
    for name, value in assertions(filter_bytes):
        for kind, prefix in ((user, "user"), (group, "group")):
            if name in ("uid", "cn") and re.fullmatch(prefix + r"\d+", value):
                return [kind(int(value[len(prefix):]))]
        if name == "uidnumber" and 20000 <= int(value) < 30000:
            return [user(int(value) - 20000)]
        if name == "gidnumber" and 30000 <= int(value) < 40000:
            return [group(int(value) - 30000)]
        if name == "objectclass" and all(name == "objectclass" for name, _ in assertions(filter_bytes)):
            return [(user if value == "posixAccount" else group)(n) for n in range(10)]
        if name == "memberuid":
            return [group(n) for n in range(3)] if value in ("user0", "user1") else []
    return []


def with_dns(entries):
    """Groups that list DNs, too."""
    return [(dn, {**attrs, "member": [user(0)[0], user(1)[0]]} if "memberUid" in attrs else attrs)
            for dn, attrs in entries]


def find_all(filter_bytes):
    """All who are named by a filter, not just the first, and the groups of DNs."""
    found, asked = [], assertions(filter_bytes)
    for name, value in asked:
        if name == "member" and value in (user(0)[0], user(1)[0]):
            found += [group(n) for n in range(3)]
        elif name == "uid" and re.fullmatch(r"user\d+", value) and ("objectclass", "posixAccount") in asked:
            found.append(user(int(value[4:])))
    return with_dns(found or find(filter_bytes))


MB = 1000000
HEAVY = ("heavy", "broad", "long", "crowd")


def with_more(attrs, mode, n):
    """What entries have in the modes that give them too much of something."""
    if mode == "attributes":
        return {**attrs, **{f"extra{i}": [f"value {i}"] for i in range(n)}}
    if mode == "heavy":
        return {**attrs, "jpegPhoto": [b"\xff" * (n * MB)]}
    if mode == "broad":
        return {**attrs, "description": [f"{i:010}" for i in range(n * MB // 10)]}
    if mode == "long" and "uid" in attrs:
        return {**attrs, "homeDirectory": ["/" + "h" * (n * MB)]}
    if mode == "long":
        return {**attrs, "memberUid": ["user0", "m" * (n * MB), "user1"]}
    if mode == "crowd" and "memberUid" in attrs:
        return {**attrs, "memberUid": [f"member{i:06}" for i in range(n * MB // 12)]}
    return attrs


class Line:
    """A connection."""

    def __init__(self, number, writer):
        self.number, self.writer = number, writer
        self.open = 0  # paged searches that have not ended


class Server:
    def __init__(self, modes):
        self.modes = modes
        self.searches = 0
        self.connected = 0
        self.gone = 0
        self.made = {}  # entries that are long in the making
        self.has_closed = False
        self.patience = {}  # when what is slow for a while is no longer

    def entry(self, msgid, dn, attrs):
        mode, n = self.modes[0]
        if mode not in HEAVY + ("attributes", "many") or (mode in HEAVY and not re.match("uid=user9,|cn=group9,", dn)):
            return entry(msgid, dn, attrs)
        if dn not in self.made:
            self.made[dn] = entry_body(dn, with_more(attrs, mode, int(n)))
        return tlv(0x30, integer(msgid), self.made[dn])

    def unasked(self, kind, entries):
        """What is given besides, before the entries that were asked for."""
        mode, n = self.modes[0]
        if mode in ("others", "many"):
            others = [kind(i) for i in range(2 if mode == "others" else int(n))]
            return [other for other in others if other not in entries]
        wrong = {"homeDirectory": ["/wrong"], "memberUid": ["wrong"]}
        return [(dn.replace("dc=com", "dc=org"), {**attrs, **wrong}) for dn, attrs in entries if mode == "outside"]

    async def wait(self, what, seconds):
        """Until so long after the first time that this was waited for."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0, self.patience.setdefault(what, now + seconds) - now))

    def in_parts(self, entries, fields, connection):
        """Gives the values of one attribute in parts: "member;range=0-99" and so on. None: no answer."""
        mode, argument = self.modes[0]
        n, other, leaver = (argument.split(":") + [None, None])[:3]
        base = parse(fields[0])[1].decode()
        for kind in (user, group):
            dn, attrs = kind(9)
            if base == dn or dn in [found for found, _ in entries]:
                break
        else:
            return entries
        name, value = "member", lambda i: user(i)[0]
        if kind == user:
            name, value = "mail", lambda i: f"mail{i}@corp.test"
        elif b"memberuid" in fields[7].lower():
            name, value = "memberUid", lambda i: f"user{i}"
        asked = re.search(name.encode() + rb";range=(\d+)-\*", fields[7], re.I)
        first, size = int(asked[1]) if asked else 0, 1500 if mode in ("slices", "turns", "leaves") else 100
        if mode == "leaves" and first > 0:
            self.gone = min(self.gone + 1, int(other))
        if mode == "stands" and first > 0:
            size = 1
        n = 350 if mode == "misnames" else int(n)
        turn = 700 * connection if mode == "turns" else 0
        values = [value((i + turn) % n) for i in range(n) if not 0 <= i - int(leaver or 0) < self.gone]
        values, n = values[first : first + size], len(values)
        if mode == "stalls" and first > 0:
            return None
        if mode == "ranges" and other and first >= int(other):
            return [(dn, attrs)]
        shown = f"{first}-{'*' if first + size >= n else first + size - 1}"
        if mode == "misnames" and f"{first}:" == argument[:argument.index(":") + 1]:
            shown = other
        attrs.pop("memberUid", None)
        whole = []
        if mode == "turns":
            slow = {"member": ["cn=slow,ou=people,dc=example,dc=com"]}
            whole = [(other_dn, {**others, **slow}) for other_dn, others in entries if other_dn != dn]
        return whole + [(dn, {**attrs, name: [], f"{name};range={shown}": values})]

    def prepare(self):
        """Makes what is long in the making before anybody waits for it."""
        for kind in (user, group):
            for n in range(int(self.modes[0][1]) if self.mode == "many" else 10):
                self.entry(1, *kind(n))

    @property
    def mode(self):
        return self.modes[0][0]

    @property
    def argument(self):
        return float(self.modes[0][1] or 0)

    def does(self, what, base):
        """In a mode of what is done to searches at or below a DN."""
        mode, dn = self.modes[0]
        return mode == what and ("," + base.lower()).endswith("," + dn.lower())

    def switch(self):
        if len(self.modes) > 1:
            self.modes.pop(0)
            self.searches = 0
        print("mode", self.mode, flush=True)

    async def serve(self, reader, writer):
        self.connected += 1
        line = Line(self.connected, writer)
        try:
            if self.mode == "close":
                return
            while True:
                head = await reader.readexactly(2)
                size = head[1]
                if size & 0x80:
                    more = await reader.readexactly(size & 0x7F)
                    size = int.from_bytes(more, "big")
                message = children(await reader.readexactly(size))
                msgid = int.from_bytes(message[0][1], "big")
                controls = controls_of(message[2][1]) if len(message) > 2 else {}
                if self.mode == "tlshang":
                    await self.answer(line, msgid, controls, *message[1])
                    await asyncio.sleep(3600)
                answer = asyncio.ensure_future(self.answer(line, msgid, controls, *message[1]))
                if self.mode == "toil":
                    await answer
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, line, msgid, controls, tag, content):
        mode, writer = self.mode, line.writer
        if mode == "hang" or mode == "tlshang" and tag != 0x77 or tag in (0x42, 0x50):
            return
        if mode == "delay":
            await asyncio.sleep(self.argument)
        if tag == 0x77:
            code = {"notls": 2, "tlshang": 0}.get(mode, 52)
            reply = result(msgid, 0x78, code)
        elif tag == 0x60:
            reply = result(msgid, 0x61, 49 if mode == "badbind" else 0)
        elif tag == 0x63:
            base = children(content)[0][1].decode()
            if base == "":
                told = {"namingContexts": ["dc=example,dc=com"]}
                if mode in ("pages", "short", "stingy"):
                    told["supportedControl"] = [PAGED]
                reply = entry(msgid, "", told) + result(msgid, 0x65, 0)
            else:
                reply = await self.search(line, msgid, controls, content)
        else:
            reply = result(msgid, tag + 1, 2)
        if reply is None or writer.is_closing():
            return
        writer.write(reply)
        try:
            while mode == "giant" and reply[:2] == b"\x30\x84":
                await writer.drain()
                writer.write(bytes(MB))
        except ConnectionError:
            pass
        if mode == "cut" and tag == 0x63 and base != "":
            await writer.drain()
            writer.close()

    async def page(self, line, msgid, size, cookie, entries):
        """One of them. The cookie names the connection, and how many entries came before."""
        seconds, _, last = self.modes[0][1].partition(":")
        whose, _, at = (cookie or f"{line.number} 0").partition(" ")
        await asyncio.sleep(float(seconds))
        if self.mode == "short" and int(at) == int(last) * size:
            return result(msgid, 0x65, 4)
        if last and int(at) == int(last) * size and not self.has_closed:
            self.has_closed = True
            line.writer.close()
            return None
        if whose != str(line.number):
            return result(msgid, 0x65, 53, "no such cookie")
        end = int(at) + size
        line.open -= end >= len(entries)
        return b"".join(self.entry(msgid, *found) for found in entries[int(at):end]) + result(
            msgid, 0x65, 0, cookie=f"{whose} {end}" if end < len(entries) else "")

    async def search(self, line, msgid, controls, content):
        mode = self.mode
        self.searches += 1
        if mode == "deaf" or mode == "silent-after" and self.searches > self.argument:
            return None
        if mode == "slow":
            await asyncio.sleep(self.argument)
        if mode == "garbage":
            return b"\x30\x05\x02\x01\x01\xff\xff\xff\xff\xff" * 3
        base = children(content)[0][1].decode()
        if self.does("forgets", base):
            return None
        if mode == "wrongdb" or self.does("lacks", base):
            return result(msgid, 0x65, 32)
        if mode == "moniker" and base != self.modes[0][1]:
            return result(msgid, 0x65, 32)
        if self.does("bars", base):
            return result(msgid, 0x65, 50)
        if mode == "code":
            return result(msgid, 0x65, int(self.argument))
        if mode == "endless" and b"objectclass" in content:
            dn, attrs = (user if b"uidNumber" in content else group)(0)
            return entry(msgid, dn, attrs) + result(msgid, 0x65, 0, cookie="more")
        found = b""
        parts = content
        # base, scope, deref, sizeLimit, timeLimit, typesOnly, filter, attributes
        at, fields = 0, []
        while at < len(parts):
            start = at
            _, _, at = parse(parts, at)
            fields.append(parts[start:at])
        entries = [] if base.startswith("ou=void,") else find(fields[6])
        if mode == "moniker":
            entries = find_all(fields[6])
        if mode in ("pages", "short", "stingy"):
            size, cookie = controls.get(PAGED) or (0, "0")
            line.open += cookie == ""
            is_list = {name for name, _ in assertions(fields[6])} == {"objectclass"}
            what = "list" if is_list else "lookup"
            print("search", line.number, what, ",".join(controls) or "-", line.open, flush=True)
            if size and mode == "stingy":
                return result(msgid, 0x65, 53, "no pages today")
            if size:
                return await self.page(line, msgid, size, cookie, entries)
        if mode in ("ranges", "slices", "leaves", "stands", "turns", "stalls", "misnames"):
            entries = self.in_parts(entries, fields, line.number)
            if entries is None:
                return None
        if mode in ("ponder", "toil") and ("uid", "user7") in assertions(fields[6]):
            await asyncio.sleep(self.argument)
        if mode == "burdened":
            asked = [name for name, _ in assertions(fields[6])]
            if asked.count("gidnumber") > 1:
                await asyncio.sleep(self.argument)
            if "member" in asked or "memberuid" in asked:
                entries = [group(n) for n in range(3)]
            for dn, attrs in entries:
                if "uidNumber" in attrs:
                    attrs["gidNumber"] = [str(int(attrs["uidNumber"][0]) + 10000)]
        if mode == "refuse" and ("uid", "user7") in assertions(fields[6]):
            return result(msgid, 0x65, int(self.argument))
        if mode == "giant" and ("uid", "user9") in assertions(fields[6]):
            return b"\x30\x84\x7f\xff\xff\xff" + integer(msgid) + b"\x64\x84\x7f\xff\xff\xf0"
        if mode == "stingy":
            found = b"".join(entry(msgid, *one) for one in entries[:int(self.argument)])
            return found + result(msgid, 0x65, 4 if len(entries) > self.argument else 0)
        entries = self.unasked(user if b"uidNumber" in content else group, entries) + entries
        found = b"".join(self.entry(msgid, dn, attrs) for dn, attrs in entries)
        if mode == "unreadable" and entries:
            found = found[:-len(entry(msgid, *entries[-1]))] + unreadable(msgid, entries[-1][0])
        if mode == "turns" and ("cn", "slow") in assertions(fields[6]):
            await self.wait("slow", 2)
        if mode == "turns" and ("cn", "group9") in assertions(fields[6]):
            line.writer.write(found)
            found = b""
            await self.wait("group9", 2)
        reply = found + result(msgid, 0x65, 4 if mode == "partial" else 0)
        return reply[:int(self.argument)] if mode == "cut" else reply


def parse_modes(words):
    modes = []
    while words:
        mode = words.pop(0)
        argument = words.pop(0) if words and words[0] != "then" else None
        if words and words[0] == "then":
            words.pop(0)
        modes.append((mode, argument))
    return modes


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--address", default="127.0.0.1")
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("mode", nargs="+")
    chosen = arguments.parse_args()

    server = Server(parse_modes(chosen.mode))
    server.prepare()
    listening = await asyncio.start_server(server.serve, chosen.address, chosen.port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, server.switch)
    print("port", listening.sockets[0].getsockname()[1], flush=True)
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
