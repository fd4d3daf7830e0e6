"""Python's `websockets` (Debian's 10.4) as an interop peer: `client --url URL` checks a server,
`server --port N` echoes for a client. The command line and the checks are those of run.py's docstring."""

import argparse
import asyncio
import re
import sys

import websockets
from websockets.extensions.permessage_deflate import (ClientPerMessageDeflateFactory,
                                                      ServerPerMessageDeflateFactory)

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20)
CLOSES = [(1000, "done"), (1001, "leaving \u2713"), (3000, "registered"), (4999, "p" * 123)]
STEP_S = 60  # a machine under load echoes 16 MiB in seconds; this only bounds a hang
PAYLOAD_BYTES_MAX = 64 << 20


def text_of(size):
    """Text of exactly `size` bytes of UTF-8, with sequences of one to four bytes."""
    unit = "sinnet \u00e9 \u2713 \U0001d11e "
    whole, rest = divmod(size, len(unit.encode()))
    return unit * whole + "x" * rest


def binary_of(size):
    """Bytes that are no UTF-8 and whose period (251) fits no power of two."""
    period = bytes((i * 167 + 255) % 251 for i in range(251))
    return (period * (size // 251 + 1))[:size]


class Client:
    """Runs the checks one after the other and counts the faults."""

    def __init__(self, options):
        self.options = options
        self.faults = 0

    def report(self, name, fault=""):
        self.faults += bool(fault)
        print(f"FAIL {name}: {fault}" if fault else f"ok {name}", flush=True)

    def connect(self):
        extensions = None
        if self.options.deflate:
            # None leaves the parameter out of the offer: context takeover.
            reset = not self.options.takeover
            extensions = [ClientPerMessageDeflateFactory(server_no_context_takeover=reset,
                                                         client_no_context_takeover=reset)]
        return websockets.connect(self.options.url, compression=None, extensions=extensions,
                                  ping_interval=None, max_size=PAYLOAD_BYTES_MAX, open_timeout=STEP_S,
                                  close_timeout=STEP_S)

    async def guarded(self, name, check):
        try:
            self.report(name, await asyncio.wait_for(check, STEP_S))
        except asyncio.TimeoutError:
            self.report(name, f"took longer than {STEP_S} s")
        except (OSError, websockets.WebSocketException) as error:
            self.report(name, f"{type(error).__name__}: {error}")

    @staticmethod
    async def echo(socket, message, sent=None):
        await socket.send(message if sent is None else sent)
        got = await socket.recv()
        if type(got) is not type(message):
            return f"came back as {type(got).__name__}"
        return "" if got == message else f"{len(got)} came back, and not the same"

    def check_extensions(self, socket):
        got = socket.response_headers.get("Sec-WebSocket-Extensions", "")
        if not self.options.deflate:
            self.report("no compression unasked", got)
            return
        self.report("compression negotiated", "" if got.startswith("permessage-deflate") else got or "none")
        is_reset = "server_no_context_takeover" in got
        self.report("context takeover kept" if self.options.takeover else "context takeover declined",
                    (got or "none") if is_reset == self.options.takeover else "")

    @staticmethod
    async def ping(socket, payload):
        await (await socket.ping(payload))  # resolves only for a pong with this very payload
        return ""

    async def close(self, code, reason, order=None):
        async with self.connect() as socket:
            if order is None:
                await socket.close(code, reason)
            else:
                await socket.send(order)
                await socket.wait_closed()
        if socket.close_rcvd is None:
            return "the peer sent no Close frame"
        if socket.close_rcvd.code != code:
            return f"closed with {socket.close_rcvd}"
        if socket.close_rcvd.reason == "" and self.options.allow_empty_reason:
            return ""
        return "" if socket.close_rcvd.reason == reason else f"the reason is {socket.close_rcvd.reason!r}"

    async def run(self):
        async with self.connect() as socket:
            self.check_extensions(socket)
            for size in SIZES + ((PAYLOAD_BYTES_MAX,) if self.options.large else ()):
                await self.guarded(f"text of {size}", self.echo(socket, text_of(size)))
                await self.guarded(f"binary of {size}", self.echo(socket, binary_of(size)))
            text, binary = text_of(1000), binary_of(70000)
            await self.guarded("text in fragments",
                               self.echo(socket, text, [text[:1], "", text[1:400], text[400:]]))
            await self.guarded("binary in fragments",
                               self.echo(socket, binary, [binary[:1], b"", binary[1:]]))
            for size in (1, 125):  # an empty payload asks this library for one of its own
                await self.guarded(f"ping of {size}", self.ping(socket, binary_of(size)))
        for code, reason in CLOSES:
            await self.guarded(f"close {code} answered", self.close(code, reason))
        if not self.options.echo_only:
            await self.guarded("close from the server", self.close(4001, "asked to", "close 4001 asked to"))
        return self.faults


def spoilt(message, plant):
    """What a server with that fault would echo."""
    if plant == "kind":
        return message.encode() if isinstance(message, str) else message
    if plant == "payload" and isinstance(message, bytes) and message:
        return message[:-1] + bytes([message[-1] ^ 1])
    return message


async def serve(options):
    async def echo(socket):
        try:
            async for message in socket:
                order = isinstance(message, str) and re.fullmatch(r"close (\d{4}) (.*)", message[:200])
                if order:
                    await socket.close(int(order[1]) + (options.plant == "close"), order[2])
                else:
                    await socket.send(spoilt(message, options.plant))
        except websockets.ConnectionClosed:
            pass  # the client may end as it likes; what it expected, it checks itself

    extensions = None
    if options.deflate:
        reset = not options.takeover
        extensions = [ServerPerMessageDeflateFactory(server_no_context_takeover=reset,
                                                     client_no_context_takeover=reset)]
    async with websockets.serve(echo, "127.0.0.1", options.port, compression=None, extensions=extensions,
                                max_size=PAYLOAD_BYTES_MAX, ping_interval=None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("--url")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--takeover", action="store_true")
    parser.add_argument("--allow-empty-reason", action="store_true")
    parser.add_argument("--echo-only", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--plant", choices=["kind", "payload", "close"],
                        help="as server: a fault clients must find")
    options = parser.parse_args()
    if options.role == "server":
        asyncio.run(serve(options))
        return 0
    client = Client(options)
    try:
        return 1 if asyncio.run(client.run()) else 0
    except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
        client.report("connection", f"{type(error).__name__}: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
