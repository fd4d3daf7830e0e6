#!/usr/bin/env python3
"""Runs sinnet against real WebSocket peers, or the peers against each other, and says what failed.

  run.py --mode client --peer ws --server-command 'sinnet serve --listen 127.0.0.1:{port} …' [--variant V]
  run.py --mode server --peer gorilla --client-command 'interop_client --url {url}' [--variant V]
  run.py --mode self [--server PEER] [--client PEER]        all peers, all variants, unless named
  run.py --mode planted --peer PEER                         the peer as client must find faults we planted

In --mode client the peer is the client and checks the server of the command; in --mode server it is the
other way round. {port} becomes a free port; without it the command must print a line "port N", as peers do.
{url} is the server.

Every peer understands
  client --url URL [--deflate [--takeover]] [--allow-empty-reason] [--echo-only] [--large]
      one line per check, "ok NAME" or "FAIL NAME: why"; exit 0 if all hold. The checks: which extensions the
      answer names; text and binary of 0 B to 16 MiB echoed as what they were; fragmented messages; pongs;
      close codes 1000, 1001, 3000, 4999 answered with the same code and reason; a close by the server, unless
      --echo-only says that it takes no orders. --large adds a text and a binary message of 64 MiB.
  server --port 0 [--deflate [--takeover]]
      prints "port N", echoes messages, and closes as told by a text "close 4001 reason".

Variants: plain; deflate (no context takeover); takeover (deflate with it: gorilla/websocket cannot).
Exit codes: 0 all hold, 1 a fault, 2 usage, 77 a peer is missing (1 with SINNET_REQUIRE_PEERS=1).
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import select
import shlex
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ("ws", "websockets", "gorilla")
VARIANTS = {"plain": [], "deflate": ["--deflate"], "takeover": ["--deflate", "--takeover"]}
GO_SOURCES = "/usr/share/gocode"  # where Debian's golang-*-dev packages put theirs
PYTHON = "/usr/bin/python3"  # Debian's modules belong to Debian's interpreter, whatever runs this file
# Flags of the server (always `websockets`), flags of the client, and the line that must come.
PLANTS = (
    (["--plant", "kind"], [], "FAIL text of 1:"),
    (["--plant", "payload"], [], "FAIL binary of 65536:"),
    (["--plant", "close"], [], "FAIL close from the server:"),
    ([], ["--deflate"], "FAIL compression negotiated:"),
    (["--deflate"], ["--deflate", "--takeover"], "FAIL context takeover kept:"),
)
EXIT_SKIP = 77
START_S = 30  # a server under a sanitizer on a busy machine; only bounds a hang
CLIENT_S = 240


class MissingPeer(Exception):
    """The peer's library or interpreter is not installed here."""


def tool(command, **options):
    """Runs a tool that prepares a peer; its failure means that the peer is missing."""
    try:
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=180, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingPeer(f"{shlex.join(command)}: {error}") from error
    if done.returncode != 0:
        raise MissingPeer(f"{shlex.join(command)} failed:\n{done.stdout.strip()}")


def prepare_ws(build):
    """Installs the locked `ws` beside a copy of the peer, so that the source tree stays clean."""
    folder = build / "ws"
    folder.mkdir(exist_ok=True)
    lock = HERE / "package-lock.json"
    installed = folder / "installed-lock.json"
    shutil.copy(HERE / "peer_ws.mjs", folder)
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        tool(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
        shutil.copy(lock, installed)
    tool(["node", "--version"])
    return ["node", str(folder / "peer_ws.mjs")]


def prepare_websockets(_build):
    tool([PYTHON, "-c", "import websockets"])
    return [PYTHON, str(HERE / "peer_websockets.py")]


def prepare_gorilla(build):
    program = build / "peer_gorilla"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GO_SOURCES, "GOFLAGS": "",
                   "GOCACHE": str(build / "go-cache")}
    source = HERE / "gorilla" / "main.go"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        tool(["go", "build", "-o", str(program), str(source)], env=environment)
    return [str(program)]


@contextlib.contextmanager
def locked(build):
    """Tests that run at once wait for each other here."""
    build.mkdir(parents=True, exist_ok=True)
    with open(build / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def peer_command(name, build):
    """The peer's command line, built or installed first."""
    with locked(build):
        return {"ws": prepare_ws, "websockets": prepare_websockets, "gorilla": prepare_gorilla}[name](build)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_listening(server, port):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        select.select([], [], [], 0.02)  # no event tells of another program's listen()
    raise RuntimeError(f"the server does not listen on port {port} (exit status {server.poll()})")


def read_port(server):
    ready, _, _ = select.select([server.stdout], [], [], START_S)
    line = server.stdout.readline() if ready else ""
    if not line.startswith("port "):
        raise RuntimeError(f"the server said {line!r} instead of its port")
    return int(line.split()[1])


@contextlib.contextmanager
def running_server(command):
    """Starts a server and yields its URL; ends it, and fails if it had ended by itself."""
    announces = not any("{port}" in word for word in command)
    port = 0 if announces else free_port()
    server = subprocess.Popen([word.replace("{port}", str(port)) for word in command],
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE if announces else sys.stderr)
    try:
        if announces:
            port = read_port(server)
        else:
            wait_until_listening(server, port)
        yield f"ws://127.0.0.1:{port}/"
        if server.poll() is not None:
            raise RuntimeError(f"the server ended by itself with {server.returncode}")
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run_pair(title, server, client):
    """Answers whether the client's checks hold against the server."""
    print(f"== {title}", flush=True)
    try:
        with running_server(server) as url:
            command = [word.replace("{url}", url) for word in client]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=CLIENT_S, check=False)
            return done.returncode == 0
    except subprocess.TimeoutExpired:
        print(f"FAIL {title}: the client did not end within {CLIENT_S} s", flush=True)
    except (OSError, RuntimeError) as error:
        print(f"FAIL {title}: {error}", flush=True)
    return False


def run_self(options, build):
    servers = [options.server] if options.server else PEERS
    clients = [options.client] if options.client else PEERS
    variants = [options.variant] if options.variant else VARIANTS
    commands = {name: peer_command(name, build) for name in {*servers, *clients}}
    holds = True
    for server in servers:
        for client in clients:
            for variant in variants:
                if variant == "takeover" and "gorilla" in (server, client):
                    continue
                flags = VARIANTS[variant]
                holds &= run_pair(f"{client} against {server}, {variant}",
                                  [*commands[server], "server", "--port", "0", *flags],
                                  [*commands[client], "client", "--url", "{url}", *flags])
    return holds


def run_planted(options, build):
    client = peer_command(options.peer, build)
    server = peer_command("websockets", build)
    holds = True
    for server_flags, client_flags, expected in PLANTS:
        if options.peer == "gorilla" and "--takeover" in client_flags:
            continue
        with running_server([*server, "server", "--port", "0", *server_flags]) as url:
            done = subprocess.run([*client, "client", "--url", url, *client_flags], text=True, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=CLIENT_S)
        lines = done.stdout.splitlines()
        is_found = done.returncode == 1 and any(line.startswith(expected) for line in lines)
        print(f"{'ok found' if is_found else 'FAIL not found'}: {expected}", flush=True)
        holds &= is_found
    return holds


def run_against_peer(options, build):
    flags = VARIANTS[options.variant or "plain"]
    if options.peer == "gorilla" and options.variant == "takeover":
        raise MissingPeer("gorilla/websocket has no context takeover")
    peer = peer_command(options.peer, build)
    if options.mode == "client":
        client = [*peer, "client", "--url", "{url}", *flags]
        client += [f"--{name}" for name in ("allow-empty-reason", "echo-only", "large")
                   if getattr(options, name.replace("-", "_"))]
        return run_pair(f"{options.peer} against the server", shlex.split(options.server_command), client)
    return run_pair(f"the client against {options.peer}", [*peer, "server", "--port", "0", *flags],
                    shlex.split(options.client_command))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["client", "server", "self", "planted"], required=True)
    parser.add_argument("--peer", choices=PEERS)
    parser.add_argument("--server-command")
    parser.add_argument("--client-command")
    parser.add_argument("--server", choices=PEERS, help="with --mode self: only this peer as server")
    parser.add_argument("--client", choices=PEERS, help="with --mode self: only this peer as client")
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--allow-empty-reason", action="store_true")
    parser.add_argument("--echo-only", action="store_true", help="the server takes no orders to close")
    parser.add_argument("--large", action="store_true", help="messages of 64 MiB too")
    parser.add_argument("--build-dir", default=str(HERE.parent.parent / "build" / "interop"))
    options = parser.parse_args()
    needed = {"client": (options.peer, options.server_command),
              "server": (options.peer, options.client_command),
              "planted": (options.peer,), "self": ()}[options.mode]
    if not all(needed):
        parser.error(f"--mode {options.mode} needs --peer, and a command unless it is planted")
    build = pathlib.Path(options.build_dir).resolve()
    try:
        run = {"self": run_self, "planted": run_planted}.get(options.mode, run_against_peer)
        holds = run(options, build)
    except MissingPeer as missing:
        print(f"missing peer: {missing}", flush=True)
        return 1 if os.environ.get("SINNET_REQUIRE_PEERS") == "1" else EXIT_SKIP
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
