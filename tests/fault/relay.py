# SPDX-License-Identifier: LGPL-2.1-or-later
"""A line to a server that can be made a bad one, without the server knowing; TLS passes through it.

    relay = Relay(c, "127.0.0.2")       127.0.0.2:636 and :389, to the same ports of 127.0.0.1
    relay.set("hold")                   connected, accepted, and not a byte passes any more
    relay.set("delay", 3)               what the server says arrives 3 s later
    relay.set("close")                  connections end, new ones too, as soon as they are there
    relay.set("cut", 100)               100 more bytes of the server's, then the end
    relay.set("pass")
"""
import subprocess

SCRIPT = r"""
import asyncio, sys

mode, value, changed, lines = "pass", 0.0, None, set()

async def pump(source, sink, from_server):
    global value
    loop = asyncio.get_running_loop()
    async def deliver(data, when):
        await asyncio.sleep(max(when - loop.time(), 0))
        sink.write(data)
    last = None
    try:
        while data := await source.read(65536):
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
        mode, *rest = line.decode().split()
        value = float(rest[0]) if rest else 0.0
        changed.set()
        changed = asyncio.Event()
        if mode == "close":
            for writer in list(lines):
                writer.transport.abort()
        print("done", flush=True)

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
        assert self._process.stdout.readline() == "done\n"

    def stop(self):
        """Nobody listens at the address any more."""
        self._process.kill()
        self._process.wait()
