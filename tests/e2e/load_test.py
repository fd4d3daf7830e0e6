#!/usr/bin/env python3
"""load_test.py SINNET [--no-memory]: the program under many connections, client and server in processes of
their own: its memory does not grow from round to round, and no connection is lost however fast they come.
Rates are printed, never asserted: this machine may be busy. --no-memory leaves out what a sanitizer's
allocator makes meaningless."""

import base64
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import unittest

SINNET = sys.argv[1]
HAS_MEMORY = "--no-memory" not in sys.argv
START_S = 30  # a sanitized server on a busy machine; only bounds a hang
KEY = base64.b64encode(bytes(16)).decode()
UPGRADE = (f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n").encode()
# RFC 6455 5.2, masked with zeros: a text of 1000 bytes, and a Close with 1000.
TEXT = bytes.fromhex("81fe03e800000000") + b"x" * 1000
ECHO = bytes.fromhex("817e03e8") + b"x" * 1000
CLOSE = bytes.fromhex("88820000000003e8")
CLOSE_ANSWER = bytes.fromhex("880203e8")

ROUNDS = 10
ROUND_CONNECTIONS = 1000


class Server:
    """`sinnet serve --handler echo` on a port of the kernel's choice; its log is kept out of the way."""

    def __init__(self, *arguments):
        # All come from one address, which by default may hold 1000, 100 of them without their 101.
        settings = ("log.access=false", "limits.connections_per_ip=20000", "limits.handshakes_per_ip=20000")
        command = [SINNET, "serve", "--handler", "echo", "--listen", "127.0.0.1:0", *arguments]
        for setting in settings:
            command += ["--set", setting]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = ""
        deadline = time.monotonic() + START_S
        while not (match := re.search(r"url=http://127\.0\.0\.1:(\d+)/\n", said)):
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stderr.fileno(), 65536).decode() if ready else ""
            if not piece:
                raise AssertionError(f"never said where it listens:\n{said}")
            said += piece
        self.port = int(match[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def read_exactly(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            raise AssertionError(f"ended after {len(data)} of {count} bytes")
        data += piece
    return data


def read_head(client):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(client, 1) if len(head) > 60 else read_exactly(client, 60)
    return head


class Load(unittest.TestCase):
    def one_round(self, server, connections=ROUND_CONNECTIONS):
        """Opens all, exchanges a message on each, closes each with a closing handshake."""
        clients = []
        for _ in range(connections):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=START_S)
            client.sendall(UPGRADE)
            clients.append(client)
        for client in clients:
            self.assertTrue(read_head(client).startswith(b"HTTP/1.1 101 "))
            client.sendall(TEXT)
        for client in clients:
            self.assertEqual(read_exactly(client, len(ECHO)), ECHO)
            client.sendall(CLOSE)
        for client in clients:
            self.assertEqual(read_exactly(client, len(CLOSE_ANSWER)), CLOSE_ANSWER)
            self.assertEqual(client.recv(1), b"", "the server closes first")
            client.close()

    def wait_for_descriptors(self, server, count):
        deadline = time.monotonic() + START_S
        while (now := server.descriptors()) > count:
            self.assertLess(time.monotonic(), deadline, f"{now} descriptors are open, not {count}")

    @unittest.skipUnless(HAS_MEMORY, "a sanitizer's allocator keeps what was freed")
    def test_memory_does_not_grow_from_round_to_round(self):
        with Server() as server:
            self.one_round(server, 1)  # all shards run behind that
            idle = server.descriptors()
            resident = []
            for _ in range(ROUNDS):
                self.one_round(server)
                self.wait_for_descriptors(server, idle)
                resident.append(server.resident_kib())
            print(f"KiB resident after each of {ROUNDS} rounds of {ROUND_CONNECTIONS}: {resident}")
            # What the first rounds allocate is kept for the next; a leak of 30 bytes a connection would show.
            self.assertLessEqual(resident[-1], resident[1] + 256)

    def test_no_connection_is_lost_however_fast_they_come(self):
        with Server() as server:
            command = [SINNET, "bench", "connect", f"ws://127.0.0.1:{server.port}/", "--connections", "200"]
            done = subprocess.run([*command, "--duration", "4s", "--json"], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(done.stdout)
            rate = result["opened"] / (result["took_ns"] / 1e9)
            print(f"{result['opened']} openings, {rate:.0f} a second, lost {result['lost']}")
            self.assertEqual(result["lost"], 0)
            self.assertGreater(result["opened"], 0)
            # Those that the end of the measurement found under way are neither answered nor lost.
            self.assertLessEqual(result["unanswered"], 200)

    def test_a_burst_beyond_the_accept_queue_is_served(self):
        # As many connections as may wait, made before the server gets to run: none is refused or forgotten.
        with Server() as server:
            limit = min(4000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
            server.process.send_signal(signal.SIGSTOP)
            clients = []
            for _ in range(limit):
                client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                client.connect_ex(("127.0.0.1", server.port))
                clients.append(client)
            server.process.send_signal(signal.SIGCONT)
            for client in clients:
                client.settimeout(START_S)
                # Blocks until the connection is made: a SYN that found the queue full is sent again.
                client.connect_ex(("127.0.0.1", server.port))
                client.sendall(UPGRADE)
            for client in clients:
                self.assertTrue(read_head(client).startswith(b"HTTP/1.1 101 "))
                client.close()
            print(f"{limit} connections in one burst, none lost")


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12000), hard))
    unittest.main(argv=sys.argv[:1], verbosity=2, warnings="ignore")  # sockets a failure leaves open
