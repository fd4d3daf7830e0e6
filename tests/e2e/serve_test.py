#!/usr/bin/env python3
"""serve_test.py SINNET CONFIG: `make run` as a user meets it: the address is printed, the page is served,
SIGTERM ends it in time, a second one at once, and a port in use is named. Uses no browser and no library."""

import base64
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.request

SINNET, CONFIG = sys.argv[1:3]
START_S = 30  # a sanitized server on a busy machine; only bounds a hang
STOP_S = 5  # what the default server.drain permits
UPGRADE = ("GET /chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n")


class Server:
    """The program as a child; what it says on stderr is kept."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([SINNET, "serve", "-c", CONFIG, *arguments], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        self.said = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def wait_for(self, pattern):
        """The match of `pattern` on stderr; fails when the program ends first or says nothing like it."""
        deadline = time.monotonic() + START_S
        while True:
            match = re.search(pattern, self.said)
            if match:
                return match
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stderr.fileno(), 65536).decode() if ready else ""
            if not piece:
                raise AssertionError(f"never said {pattern}:\n{self.said}")
            self.said += piece

    def address(self):
        """Where it says that it listens, as (host, port)."""
        url = self.wait_for(r"url=http://(127\.0\.0\.1):(\d+)/\n")
        return url[1], int(url[2])


def open_websocket(address):
    """A client that has its 101 and then says nothing: it keeps the server draining."""
    client = socket.create_connection(address, timeout=START_S)
    key = base64.b64encode(bytes(16)).decode()
    client.sendall(UPGRADE.format(host="%s:%d" % address, key=key).encode())
    head = client.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return client


class Serve(unittest.TestCase):
    def test_prints_its_address_serves_the_page_and_ends_on_sigterm(self):
        with Server("--listen", "127.0.0.1:0") as server:
            url = "http://%s:%d/" % server.address()
            with urllib.request.urlopen(url, timeout=START_S) as answer:
                self.assertEqual(answer.status, 200)
                self.assertIn("text/html", answer.headers["Content-Type"])
                self.assertIn(b"<title>sinnet chat</title>", answer.read())
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(timeout=START_S), 0)
            self.assertLess(time.monotonic() - began, STOP_S)

    def test_interrupting_it_in_the_terminal_ends_it_too(self):
        with Server("--listen", "127.0.0.1:0") as server:
            server.address()
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.process.wait(timeout=START_S), 0)

    def test_open_websockets_are_told_1001_before_it_ends(self):
        with Server("--listen", "127.0.0.1:0") as server, open_websocket(server.address()) as client:
            server.process.send_signal(signal.SIGTERM)
            # RFC 6455 5.5.1 and 7.4.1: a Close frame, unmasked, whose code is 1001.
            close = client.recv(4096)
            self.assertEqual(close[0], 0x88)
            self.assertEqual(close[2:4], bytes.fromhex("03e9"))
            client.sendall(bytes.fromhex("8882 00000000 03e9"))
            self.assertEqual(server.process.wait(timeout=START_S), 0)

    def test_each_connection_leaves_one_line_of_what_it_was(self):
        with Server("--listen", "127.0.0.1:0") as server:
            address = server.address()
            with open_websocket(address) as client, open_websocket(address) as neighbour:
                # RFC 6455 5.2, masked with zeros. /chat sends a message to all but its sender.
                client.sendall(bytes.fromhex("8185 00000000") + b"Hello")
                self.assertEqual(neighbour.recv(4096), b"\x81\x05Hello")
                neighbour.sendall(bytes.fromhex("8183 00000000") + b"you")
                self.assertEqual(client.recv(4096), b"\x81\x03you")
                client.sendall(bytes.fromhex("8182 00000000") + b"ok")
                self.assertEqual(neighbour.recv(4096), b"\x81\x02ok")
                client.sendall(bytes.fromhex("8882 00000000 0fa0"))
                server.wait_for(r" info  connection conn=\w+ ip=127\.0\.0\.1 method=GET path=/chat "
                                r'status=101 protocol="" close_code=4000 received_bytes=7 sent_bytes=3 '
                                r"seconds=\d")
                neighbour.sendall(bytes.fromhex("8300"))  # a reserved opcode
                server.wait_for(r" warn  protocol broken conn=\w+ ip=127\.0\.0\.1 code=1002 reason=")
                server.wait_for(r"close_code=1002 received_bytes=3 sent_bytes=7 seconds=\d")

    def test_a_second_sigterm_ends_it_at_once(self):
        # The client never answers the Close, and an hour of draining would be permitted.
        with Server("--listen", "127.0.0.1:0", "--set", "server.drain=1h") as server:
            with open_websocket(server.address()):
                server.process.send_signal(signal.SIGTERM)
                server.wait_for("draining")
                server.process.send_signal(signal.SIGTERM)
                self.assertEqual(server.process.wait(timeout=START_S), 0)

    def test_a_port_in_use_is_named_and_ends_with_1(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = subprocess.run([SINNET, "serve", "-c", CONFIG, "--listen", f"127.0.0.1:{port}"], text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=START_S, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(port), done.stderr)
        self.assertIn("in use", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
