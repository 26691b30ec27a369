# SPDX-License-Identifier: LGPL-2.1-or-later
"""A line to a server that can be made a bad one, without the server knowing; TLS passes through it.

    relay = Relay(c, "127.0.0.2")       127.0.0.2:636 and :389, to the same ports of 127.0.0.1
    relay.set("hold")                   connected, accepted, and not a byte passes any more
    relay.set("delay", 3)               what the server says arrives 3 s later
    relay.set("close")                  connections end, new ones too, as soon as they are there
    relay.set("cut", 100)               100 more bytes of the server's, then the end
    relay.set("messages", 3)            3 more messages of the server's (LDAP in clear), then "close"
    relay.set("pass")                   returns what was left of the number before
"""
import subprocess

SCRIPT = r"""
import asyncio, sys

mode, value, changed, lines = "pass", 0.0, None, set()

def message_size(data):
    # Of the first one in data (X.690 section 8.1, RFC 4511 section 5.1); 0: it is not there yet.
    if len(data) < 2:
        return 0
    n = data[1] & 0x7F if data[1] & 0x80 else 0
    size = 2 + n + (int.from_bytes(data[2:2 + n], "big") if n else data[1])
    return size if len(data) >= 2 + n and len(data) >= size else 0

def take_messages(data):
    # What of data passes, and what does not yet.
    global mode, value
    passed = 0
    while mode == "messages" and (size := message_size(data[passed:])):
        if value <= 0:
            mode = "close"
            break
        passed, value = passed + size, value - 1
    return data[:passed], data[passed:]

async def pump(source, sink, from_server):
    global value
    loop = asyncio.get_running_loop()
    async def deliver(data, when):
        await asyncio.sleep(max(when - loop.time(), 0))
        sink.write(data)
    last, kept = None, b""
    try:
        while data := await source.read(65536):
            if from_server:
                data, kept = kept + data, b""
                if mode == "messages":
                    data, kept = take_messages(data)
                    sink.write(data)
                    await sink.drain()
                    if mode == "close":
                        break
                    continue
            while mode == "hold":
                await changed.wait()
            if mode == "cut" and from_server:
                data, value = data[:int(value)], value - len(data)
                sink.write(data)
                if value <= 0:
                    await sink.drain()
                    break
            elif mode == "delay" and from_server or last and not last.done():
                when = loop.time() + (value if mode == "delay" else 0)
                before = last
                async def in_turn(data=data, when=when, before=before):
                    if before:
                        await before
                    await deliver(data, when)
                last = asyncio.ensure_future(in_turn())
            else:
                sink.write(data)
                await sink.drain()
        if last:
            await last
    except (ConnectionError, OSError):
        pass
    finally:
        sink.close()

def handler(host, port):
    async def handle(reader, writer):
        lines.add(writer)
        try:
            if mode == "close":
                return
            while mode == "hold":
                await changed.wait()
            up_reader, up_writer = await asyncio.open_connection(host, port)
            lines.add(up_writer)
            await asyncio.gather(pump(reader, up_writer, False), pump(up_reader, writer, True))
            lines.discard(up_writer)
        except (ConnectionError, OSError):
            pass
        finally:
            lines.discard(writer)
            writer.close()
    return handle

async def main():
    global mode, value, changed
    changed = asyncio.Event()
    address, target, *ports = sys.argv[1:]
    for port in ports:
        await asyncio.start_server(handler(target, int(port)), address, int(port))
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    while line := await commands.readline():
        left = value
        mode, *rest = line.decode().split()
        value = float(rest[0]) if rest else 0.0
        changed.set()
        changed = asyncio.Event()
        if mode == "close":
            for writer in list(lines):
                writer.transport.abort()
        print("done", left, flush=True)

asyncio.run(main())
"""


class Relay:
    """Lives until stop(), or as long as the container."""

    def __init__(self, c, address, to="127.0.0.1", ports=(389, 636)):
        self._process = c.popen(
            ["/usr/bin/python3", "-c", SCRIPT, address, to, *ports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def set(self, mode, value=0):
        self._process.stdin.write(f"{mode} {value}\n")
        self._process.stdin.flush()
        done, left = self._process.stdout.readline().split()
        assert done == "done"
        return float(left)

    def stop(self):
        """Nobody listens at the address any more."""
        self._process.kill()
        self._process.wait()
