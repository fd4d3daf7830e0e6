#!/usr/bin/env python3
"""Runs the example server and lets the example client talk to it.

    examples_test.py SERVER CLIENT
"""

import subprocess
import sys

PATIENCE_SECONDS = 20


def main(server, client):
    with subprocess.Popen([server, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as running:
        try:
            url = running.stdout.readline().strip()
            heard = subprocess.run([client, url, "grüße"], capture_output=True, text=True, check=False,
                                   timeout=PATIENCE_SECONDS)
        finally:
            running.terminate()
    if heard.returncode != 0 or heard.stdout != "grüße\n":
        print(f"{url}: exit {heard.returncode}, {heard.stdout!r}, {heard.stderr!r}")
        return 1
    refused = subprocess.run([client, url], capture_output=True, text=True, check=False,
                             timeout=PATIENCE_SECONDS)
    if refused.returncode != 1 or not refused.stderr.strip():
        print(f"without a server: exit {refused.returncode}, {refused.stderr!r}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
