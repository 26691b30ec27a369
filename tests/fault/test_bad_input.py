# SPDX-License-Identifier: LGPL-2.1-or-later
"""What no library sends: whoever sends it is dropped or told, and nobody else notices.

The rules are those of client-protocol.md: a malformed header or an unknown command ends the
connection (section 4), a bad body in a known command is EINVAL, a request is at most 1536 bytes
(section 2.1)."""
import errno
import os
import random
import socket
import threading

import pytest

import wire
from length import by_length
from load import Processes
from wire import Wire, frame, name, number, socket_of

ALICE = number(1) + number(0) + number(10001) + number(20001)
ALICE += b"alice\0*\0Alice Example\0/home/alice\0/bin/bash\0"


@pytest.fixture
def path(suite):
    return socket_of(suite.c)


@pytest.fixture(autouse=True)
def same_responder_answers(suite, path):
    """Before and after each test; what was sent in between has ended no process."""
    with Wire(path) as before:
        assert before.ask(wire.GETPWNAM, name("alice")) == (wire.GETPWNAM, 0, ALICE)
    pid = suite.c.main_pid("sssd-nss.service")
    yield
    with Wire(path) as after:
        assert after.ask(wire.GETPWNAM, name("alice")) == (wire.GETPWNAM, 0, ALICE)
    assert suite.c.main_pid("sssd-nss.service") == pid


# -- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 8, 15])
def test_length_below_the_header_ends_the_connection(path, length):
    with Wire(path) as one:
        one.send(frame(wire.GETPWNAM, length=length))
        assert one.is_closed()


@pytest.mark.parametrize("length", [wire.REQUEST_MAX + 1, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF])
def test_length_over_the_limit_ends_the_connection_before_the_body(path, length):
    with Wire(path) as one:
        one.send(frame(wire.GETPWNAM, length=length))
        assert one.is_closed()


def test_longest_request_is_read_and_answered(path):
    """"Not found": no name is that long."""
    body = name("x" * (wire.REQUEST_MAX - wire.HEADER.size - 1))
    with Wire(path) as one:
        assert one.ask(wire.GETPWNAM, body) == (wire.GETPWNAM, 0, wire.NOT_FOUND)


@pytest.mark.parametrize("command", [wire.GETNAMEBYCERT, wire.GETLISTBYCERT])
def test_certificates_may_be_longer_up_to_their_own_limit(path, command):
    body = name("A" * (wire.CERTIFICATE_MAX - wire.HEADER.size - 1))
    with Wire(path) as one:
        assert one.ask(command, body) == (command, 0, wire.NOT_FOUND)
        one.send(frame(command, length=wire.CERTIFICATE_MAX + 1))
        assert one.is_closed()


@pytest.mark.parametrize("greet", [True, False])
@pytest.mark.parametrize(
    "command", [0x00, 0x02, 0x10, 0x31, 0x62, 0x63, 0xC1, 0xF1, 0x13F, 0x140, 0xFFFF, 0xFFFFFFFF]
)
def test_unknown_command_ends_the_connection_without_a_reply(path, command, greet):
    with Wire(path, greet=greet) as one:
        one.send(frame(command, name("alice")))
        assert one.is_closed()


def test_status_and_reserved_word_of_a_request_mean_nothing(path):
    with Wire(path) as one:
        one.send(frame(wire.GETPWNAM, name("alice"), status=0xFFFFFFFF, reserved=0x41414141))
        assert one.reply() == (wire.GETPWNAM, 0, ALICE)


@pytest.mark.parametrize("body", [b"", b"\1", number(0), number(2), number(0xFFFFFFFF), bytes(500)])
def test_any_handshake_is_answered_with_our_version(path, body):
    """Section 3: a body of another size or an unknown number selects the first entry."""
    with Wire(path, greet=False) as one:
        assert one.ask(wire.GET_VERSION, body) == (wire.GET_VERSION, 0, number(1))
        assert one.ask(wire.GETPWNAM, name("alice")).body == ALICE


def test_a_question_without_handshake_is_answered_or_dropped(path):
    with Wire(path, greet=False) as one:
        one.send(frame(wire.GETPWNAM, name("alice")))
        try:
            assert one.reply() == (wire.GETPWNAM, 0, ALICE)
        except wire.Closed:
            pass


# -- bodies ---------------------------------------------------------------------------------------

BAD_NAMES = [
    b"",  # no name at all
    b"\0",  # an empty one
    b"alice",  # no end
    b"alice\0\0",  # an end too many
    b"alice\0bob\0",
    b"al\xffice\0",  # no UTF-8
    b"al\xc0\xafice\0",  # an overlong "/"
    b"al\xed\xa0\x80ice\0",  # a surrogate
]
BAD_NUMBERS = [b"", b"\1", b"\1\2\3", bytes(5), bytes(8), bytes(1400)]
BAD_EX_NAMES = [
    *(body for body in BAD_NAMES if not body.endswith(b"bob\0")),
    b"alice\0" + bytes(3),
    b"alice\0" + bytes(5),
    b"\0" + number(0),
    b"alice" + number(0x01010101),  # flags, but no end of the name
    b"alice\0" + number(3),  # both flags at once
]
BAD_EX_NUMBERS = [*BAD_NUMBERS[:4], bytes(4), bytes(7), bytes(9), number(10001) + number(3)]

CASES = [
    (command, body)
    for commands, bodies in (
        (wire.BY_NAME, BAD_NAMES),
        (wire.BY_ID, BAD_NUMBERS),
        (wire.BY_NAME_EX, BAD_EX_NAMES),
        (wire.BY_ID_EX, BAD_EX_NUMBERS),
    )
    for command in commands
    for body in bodies
]


@pytest.mark.parametrize("command", sorted({command for command, _ in CASES}), ids=hex)
def test_bad_body_is_einval(path, command):
    for body in (body for known, body in CASES if known == command):
        with Wire(path) as one:
            one.send(frame(command, body))
            assert one.is_told() in (errno.EINVAL, errno.EBADMSG), body


@pytest.mark.parametrize("size", [0, 1, 4, 8, 16, 1500])
def test_commands_that_know_nothing_yet_say_so_whatever_the_body(path, size):
    """Never an empty body where a client reads the first word of it: it would crash."""
    body = bytes(size - 1) + b"\0" if size else b""
    for command in wire.UNBUILT + wire.LISTS + wire.EMPTY:
        with Wire(path) as one:
            one.send(frame(command, body))
            reply = one.reply()
            assert reply.command == command
            assert reply.status in (0, errno.EINVAL), hex(command)
            if reply.status == 0:
                expected = b"" if command in wire.EMPTY else wire.NOT_FOUND
                assert reply.body == expected, hex(command)


def test_after_einval_the_connection_still_works(path):
    with Wire(path) as one:
        assert one.ask(wire.GETPWUID, b"").status == errno.EINVAL
        assert one.ask(wire.GETPWNAM, name("alice")).body == ALICE


@pytest.mark.parametrize("uid", [0, 65535, 0xFFFFFFFF, 0x80000000])
def test_ids_nobody_may_have_are_not_found(path, uid):
    with Wire(path) as one:
        for command in wire.BY_ID:
            assert one.ask(command, number(uid)) == (command, 0, wire.NOT_FOUND)


@pytest.mark.parametrize("text", [".", "..", "12345", "a/b", "a:b", "a\nb", "a\x01b", "@", "@LDAP"])
def test_names_nobody_may_have_are_not_found(path, text):
    with Wire(path) as one:
        for command in wire.BY_NAME:
            assert one.ask(command, name(text)) == (command, 0, wire.NOT_FOUND)


# -- pieces ---------------------------------------------------------------------------------------


def test_request_in_single_bytes_is_answered(path):
    with Wire(path, greet=False) as one:
        for message in (frame(wire.GET_VERSION, number(1)), frame(wire.GETPWNAM, name("alice"))):
            for byte in message:
                one.send(bytes([byte]))
            assert one.reply().status == 0


@pytest.mark.parametrize("size", [1, 15, 16, 17, 21])
def test_half_a_request_and_the_end_harms_nobody(path, size):
    for how in (socket.SHUT_WR, socket.SHUT_RDWR):
        with Wire(path) as one:
            one.send(frame(wire.GETPWNAM, name("alice"))[:size])
            one.socket.shutdown(how)
            assert one.is_closed()


def test_question_and_the_end_is_answered(path):
    with Wire(path) as one:
        one.send(frame(wire.GETPWNAM, name("alice")))
        one.socket.shutdown(socket.SHUT_WR)
        assert one.reply() == (wire.GETPWNAM, 0, ALICE)
        assert one.is_closed()


@pytest.mark.parametrize("text", ["alice", "somebody-unknown"])
def test_gone_before_the_answer_harms_nobody(path, text):
    for _ in range(100):
        with Wire(path) as one:
            one.send(frame(wire.GETPWNAM, name(text)))


@pytest.mark.parametrize("n", [2, 64, 200])
def test_many_questions_at_once_are_all_answered_in_order(path, n):
    """No library does it, so no promise is made but this one: it does not stand still."""
    names = ["alice", "bob", "carol", "nobody-here"]
    questions = b"".join(frame(wire.GETPWNAM, name(names[i % 4])) for i in range(n))
    with Wire(path) as one:
        sender = threading.Thread(target=one.send, args=[questions])
        sender.start()
        for i in range(n):
            body = one.reply().body
            if i % 4 == 3:
                assert body == wire.NOT_FOUND
            else:
                assert body[16:].startswith(name(names[i % 4]))
        sender.join()


# -- noise ----------------------------------------------------------------------------------------


def test_random_bytes(path):
    seed = int.from_bytes(os.urandom(4), "little")
    chance = random.Random(seed)
    print(f"seed {seed}")
    for _ in range(by_length(300, 20000)):
        with Wire(path, greet=chance.random() < 0.5) as one:
            try:
                one.send(chance.randbytes(chance.randrange(1, 3000)))
            except wire.Closed:
                pass


def test_mutated_requests(path):
    """Near-misses of good requests; whatever comes back is a well-formed reply or the end."""
    seed = int.from_bytes(os.urandom(4), "little")
    chance = random.Random(seed)
    print(f"seed {seed}")
    commands = wire.BY_NAME + wire.BY_ID + wire.BY_NAME_EX + wire.BY_ID_EX + wire.LISTS + wire.UNBUILT
    for _ in range(by_length(500, 50000)):
        command = chance.choice(commands)
        body = chance.choice([name("alice"), number(10001), name("alice") + number(1), bytes(8)])
        message = bytearray(frame(command, body))
        for _ in range(chance.randrange(1, 4)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        if chance.random() < 0.3:
            del message[chance.randrange(len(message)) :]
        with Wire(path) as one:
            one.send(bytes(message))
            one.socket.shutdown(socket.SHUT_WR)
            try:
                while True:
                    one.reply()
            except wire.Closed:
                pass


def test_memory_is_what_it_was(suite, path):
    """After all the above, and ten thousand of the dearest requests more."""
    processes = Processes(suite.c)
    before = processes.memory_kib("sssd_nss")
    for _ in range(by_length(20, 1000)):
        with Wire(path) as one:
            for _ in range(100):
                one.ask(wire.GETPWNAM, name("x" * 1500))
    assert processes.memory_kib("sssd_nss") - before < 1024
