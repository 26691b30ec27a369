#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a credential cache costs a program that uses libkrb5: times calls of its API, through ctypes.

    krb5call.py CCACHE store N [SKIP]   a cache is begun anew, N tickets are stored one by one; the first
                                        SKIP are not timed
    krb5call.py CCACHE fetch N COUNT    COUNT times one of the N, each time another
    krb5call.py CCACHE list COUNT       COUNT times all of them

Prints {"median_us": …}. A call's way through ctypes is in it: 2 or 3 µs."""
import ctypes
import json
import random
import statistics
import sys
import time
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_int32, c_uint32, c_void_p


# krb5.h of MIT krb5 1.20; magics are left 0, as libkrb5 does not look at them here.
class Keyblock(Structure):
    _fields_ = [
        ("magic", c_int32),
        ("enctype", c_int32),
        ("length", c_uint32),
        ("contents", POINTER(c_char)),
    ]


class Data(Structure):
    _fields_ = [("magic", c_int32), ("length", c_uint32), ("data", POINTER(c_char))]


class Creds(Structure):
    _fields_ = [
        ("magic", c_int32),
        ("client", c_void_p),
        ("server", c_void_p),
        ("keyblock", Keyblock),
        ("times", c_int32 * 4),
        ("is_skey", c_uint32),
        ("ticket_flags", c_int32),
        ("addresses", c_void_p),
        ("ticket", Data),
        ("second_ticket", Data),
        ("authdata", c_void_p),
    ]


krb5 = ctypes.CDLL("libkrb5.so.3")
context = c_void_p()


def call(name, *words):
    code = getattr(krb5, name)(context, *words)
    if code != 0:
        krb5.krb5_get_error_message.restype = c_char_p
        text = krb5.krb5_get_error_message(context, code)
        raise SystemExit(f"{name}: {text.decode()}")


def principal(text):
    parsed = c_void_p()
    call("krb5_parse_name", text.encode(), byref(parsed))
    return parsed


def bytes_of(text):
    return ctypes.cast(ctypes.create_string_buffer(text, len(text)), POINTER(c_char))


def ticket(server):
    creds = Creds()
    creds.client, creds.server = principal("alice@TEST"), principal(f"host/{server}@TEST")
    creds.keyblock = Keyblock(0, 18, 32, bytes_of(b"k" * 32))
    now = int(time.time())
    creds.times = (c_int32 * 4)(now, now, now + 36000, 0)
    creds.ticket = Data(0, 600, bytes_of(b"t" * 600))
    return creds


def timed(function, *words):
    begin = time.perf_counter_ns()
    function(*words)
    return (time.perf_counter_ns() - begin) / 1000


def store(cache, n, skip=0):
    tickets = [ticket(f"s{i}") for i in range(n)]
    call("krb5_cc_initialize", cache, principal("alice@TEST"))
    return [timed(call, "krb5_cc_store_cred", cache, byref(one)) for one in tickets][skip:]


def fetch(cache, n, count):
    wanted = [ticket(f"s{i}") for i in range(n)]
    times = []
    for _ in range(count):
        found = Creds()
        one = random.choice(wanted)
        times.append(timed(call, "krb5_cc_retrieve_cred", cache, 0, byref(one), byref(found)))
        assert found.ticket.length == 600
        krb5.krb5_free_cred_contents(context, byref(found))
    return times


def walk(cache):
    cursor, found = c_void_p(), Creds()
    call("krb5_cc_start_seq_get", cache, byref(cursor))
    while krb5.krb5_cc_next_cred(context, cache, byref(cursor), byref(found)) == 0:
        krb5.krb5_free_cred_contents(context, byref(found))
    call("krb5_cc_end_seq_get", cache, byref(cursor))


def main():
    name, what, *numbers = sys.argv[1:]
    krb5.krb5_init_context(byref(context))
    cache = c_void_p()
    call("krb5_cc_resolve", name.encode(), byref(cache))
    if what == "list":
        times = [timed(walk, cache) for _ in range(int(numbers[0]))]
    else:
        times = {"store": store, "fetch": fetch}[what](cache, *map(int, numbers))
    print(json.dumps({"median_us": statistics.median(times), "calls": len(times)}))


main()
