#!/usr/bin/env python3
"""Compiles archives that do what the core may not and wants each to be caught."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOL = ROOT / "tools" / "core_does_no_io.py"

PLANTED = {
    "a socket": "#include <sys/socket.h>\nint f() { return ::socket(1, 1, 0); }\n",
    "a file": '#include <cstdio>\nvoid* f() { return std::fopen("x", "r"); }\n',
    "a clock": "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }\nauto g = f();\n",
    "a thread": "#include <thread>\nvoid f() { std::thread([] {}).detach(); }\n",
    "chance": "#include <random>\nunsigned f() { return std::random_device{}(); }\n",
}
CLEAN = (
    "#include <cstring>\n#include <vector>\n"
    "namespace a { int close(int); int read(int x) { return close(x); } }\n"
    "std::vector<int> f(const char* s) { return std::vector<int>(std::strlen(s)); }\n"
)


class CoreDoesNoIoTest(unittest.TestCase):
    def check(self, source):
        """Exit status and output of the tool for an archive of `source`."""
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "a.cpp").write_text(source, encoding="utf-8")
            compiler = os.environ.get("CXX", "g++")
            subprocess.run([compiler, "-std=c++2b", "-c", "a.cpp"], cwd=folder, check=True)
            subprocess.run([os.environ.get("AR", "ar"), "rcs", "a.a", "a.o"], cwd=folder, check=True)
            done = subprocess.run([sys.executable, TOOL, folder / "a.a", os.environ.get("NM", "nm")],
                                  capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

    def test_each_forbidden_reach_is_caught(self):
        for kind, source in PLANTED.items():
            with self.subTest(kind=kind):
                status, output = self.check(source)
                self.assertEqual(status, 1, output)
                self.assertIn(f"reaches {kind}", output)

    def test_memory_and_functions_of_ours_with_such_names_are_fine(self):
        self.assertEqual(self.check(CLEAN), (0, ""))

    def test_an_archive_without_symbols_proves_nothing(self):
        self.assertEqual(self.check("static_assert(true);\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
