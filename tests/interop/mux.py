#!/usr/bin/env python3
"""Runs mux_echo and mux_client against each other and against real multiplexers, and compares what both say.

  mux.py --echo PROGRAM --client PROGRAM --mode self --dialect D --carrier tcp|tls|ws|wss
  mux.py --echo PROGRAM --client PROGRAM --mode yamux|muxado1 [--build-dir DIR]
      Debian's hashicorp/yamux or inconshreveable/muxado, every pairing

Each program says "sent streams N bytes N sum X" for the streams it opened and "echoed streams N peak N
bytes N sum X" for those it echoed; what one sent the other must have echoed, with the same sum, and 200
streams must have been open at once. Exit codes as run.py's.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import run

STREAMS = 200
BYTES = 256 * 1024
HERE = pathlib.Path(__file__).resolve().parent
PROGRAM_S = 120  # a loaded machine; only bounds a hang


class Fault(Exception):
    """What was said is not what must be."""


class Program:
    """A program under way, whose lines are read as they come."""

    def __init__(self, command):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)
        self.lines = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.strip())
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def wait_for(self, pattern):
        """The groups of the first line that matches."""
        with self.changed:
            def find():
                matches = (re.match(pattern, line) for line in self.lines if line)
                return next((match for match in matches if match), None)
            self.changed.wait_for(lambda: find() or None in self.lines, timeout=PROGRAM_S)
            found = find()
        if not found:
            raise Fault(f"{self.command[0]} said {self.lines} and not {pattern}")
        return found.groups()

    def totals(self, verb):
        # Not the session of somebody who left without a byte.
        found = self.wait_for(verb + r" streams ([1-9]\d*) (?:peak (\d+) )?bytes (\d+) sum ([0-9a-f]+)$")
        return int(found[0]), int(found[1] or 0), int(found[2]), found[3]

    def end(self, expected=0):
        status = self.process.wait(timeout=PROGRAM_S)
        self.reader.join()
        if status != expected:
            raise Fault(f"{' '.join(self.command)} ended with {status}, having said {self.lines}")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()


@contextlib.contextmanager
def program(*command):
    started = Program(command)
    try:
        yield started
    finally:
        started.stop()


def compare(sender, echoer):
    """What `sender` sent came to `echoer` and back."""
    streams, _, count, checksum = sender.totals("sent")
    echoed_streams, peak, echoed_count, echoed_checksum = echoer.totals("echoed")
    print(f"   sent {streams} streams, {count} bytes, sum {checksum}; "
          f"echoed {echoed_streams}, {peak} at once, sum {echoed_checksum}", flush=True)
    if (streams, count) != (STREAMS, STREAMS * BYTES) or peak != STREAMS:
        raise Fault("not all streams were there, or not at once")
    if (echoed_streams, echoed_count, echoed_checksum) != (streams, count, checksum):
        raise Fault("the two sides count differently")


def make_certificate(folder):
    key, certificate = folder / "key.pem", folder / "cert.pem"
    run.tool(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
              "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost",
              "-addext", "subjectAltName=IP:127.0.0.1"])
    return certificate, key


# ---- each other

def run_self(options, _build):
    dialect, carrier = options.dialect, options.carrier
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = make_certificate(pathlib.Path(folder))
        server_flags = ["--cert", certificate, "--key", key] if carrier in ("tls", "wss") else []
        client_flags = ["--ca", certificate] if carrier in ("tls", "wss") else []
        load = ["--streams", STREAMS, "--bytes", BYTES]
        print(f"== {dialect} over {carrier}: mux_client connects", flush=True)
        with program(options.echo, "--dialect", dialect, "--url", f"{carrier}://127.0.0.1:0/",
                     *server_flags) as echo:
            url, port = echo.wait_for(r"listening on (\S+:(\d+)\S*)$")
            # Nobody must mind somebody who connects and leaves without a byte.
            socket.create_connection(("127.0.0.1", int(port)), timeout=10).close()
            with program(options.client, "--dialect", dialect, "--url", url, *client_flags, *load) as client:
                client.end()
                compare(client, echo)
            with program(options.client, "--dialect", dialect, "--url", url, *client_flags,
                         "--streams", 1, "--bytes", 0) as client:
                client.end()
            echo.process.send_signal(signal.SIGTERM)
            echo.end()
        print(f"== {dialect} over {carrier}: mux_echo connects", flush=True)
        with program(options.client, "--role", "server", "--dialect", dialect, "--url",
                     f"{carrier}://127.0.0.1:0/", *server_flags, *load) as client:
            (url,) = client.wait_for(r"listening on (\S+)$")
            with program(options.echo, "--role", "client", "--dialect", dialect, "--url", url,
                         *client_flags) as echo:
                client.end()
                echo.end()
                compare(client, echo)


# ---- Debian's hashicorp/yamux and inconshreveable/muxado

def prepare_go(name, build):
    target, source = build / f"peer_{name}", HERE / name / "main.go"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": run.GO_SOURCES, "GOFLAGS": "",
                   "GOCACHE": str(build / "go-cache")}
    with run.locked(build):
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            run.tool(["go", "build", "-o", str(target), str(source)], env=environment)
    return target


def run_go(options, build):
    name = options.mode.split("-")[0]
    peer = prepare_go(name, build)
    ours = ["--dialect", options.mode]
    load = ["--streams", STREAMS, "--bytes", BYTES]
    size = ["--bytes", BYTES]

    print(f"== {name} connects and opens, mux_echo serves", flush=True)
    with program(options.echo, *ours, "--url", "tcp://127.0.0.1:0") as echo:
        (address,) = echo.wait_for(r"listening on tcp://(\S+)$")
        with program(peer, "client", "--address", address, "--open", STREAMS, *size) as client:
            client.end()
            compare(client, echo)
        echo.process.send_signal(signal.SIGTERM)
        echo.end()

    print(f"== mux_echo connects, {name} opens", flush=True)
    with program(peer, "server", "--open", STREAMS, *size) as server:
        (port,) = server.wait_for(r"port (\d+)$")
        with program(options.echo, *ours, "--role", "client", "--url", f"tcp://127.0.0.1:{port}") as echo:
            server.end()
            echo.end()
            compare(server, echo)

    for opens in (0, STREAMS):
        print(f"== mux_client connects and opens, {name} opens {opens}", flush=True)
        with program(peer, "server", "--open", opens, "--expect", STREAMS, *size) as server:
            (port,) = server.wait_for(r"port (\d+)$")
            with program(options.client, *ours, "--url", f"tcp://127.0.0.1:{port}", *load) as client:
                client.end()
                server.end()
                compare(client, server)
                if opens:
                    compare(server, client)

    print(f"== {name} connects, both open", flush=True)
    with program(options.client, *ours, "--role", "server", "--url", "tcp://127.0.0.1:0", *load) as server:
        (address,) = server.wait_for(r"listening on tcp://(\S+)$")
        with program(peer, "client", "--address", address, "--open", STREAMS, "--expect", STREAMS,
                     *size) as client:
            client.end()
            server.end()
            compare(client, server)
            compare(server, client)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["self", "yamux", "muxado1"], required=True)
    parser.add_argument("--echo", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--dialect", default="yamux")
    parser.add_argument("--carrier", choices=["tcp", "tls", "ws", "wss"], default="tcp")
    parser.add_argument("--build-dir", default=str(HERE.parent.parent / "build" / "interop"))
    options = parser.parse_args()
    try:
        build = pathlib.Path(options.build_dir).resolve()
        (run_self if options.mode == "self" else run_go)(options, build)
    except run.MissingPeer as missing:
        print(f"missing peer: {missing}", flush=True)
        return 1 if os.environ.get("SINNET_REQUIRE_PEERS") == "1" else run.EXIT_SKIP
    except (Fault, OSError, subprocess.TimeoutExpired) as fault:
        print(f"FAIL {fault}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
