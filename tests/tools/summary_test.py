#!/usr/bin/env python3
"""Runs real tests through ctest and wants tools/summary.py to count them as a person would."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOL = ROOT / "tools" / "summary.py"

CTEST_FILE = """
add_test(good true)
add_test(also_good true)
add_test(bad false)
add_test(absent /no/such/program)
add_test(skipped_by_code sh -c "exit 77")
set_tests_properties(skipped_by_code PROPERTIES SKIP_RETURN_CODE 77)
add_test(skipped_by_word echo "[  SKIPPED ]")
set_tests_properties(skipped_by_word PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
add_test(fixture false)
set_tests_properties(fixture PROPERTIES FIXTURES_SETUP f)
add_test(needs_fixture true)
set_tests_properties(needs_fixture PROPERTIES FIXTURES_REQUIRED f)
"""


class SummaryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def summary(self, *arguments):
        done = subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()[-1] if done.stdout else ""

    def test_real_results_are_counted(self):
        (self.folder / "CTestTestfile.cmake").write_text(CTEST_FILE, encoding="utf-8")
        results = self.folder / "results.xml"
        subprocess.run(["ctest", "--test-dir", self.folder, "--output-junit", results],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        # Failed: bad, fixture, absent, and the one that could not run for want of its fixture.
        self.assertEqual(self.summary(results), (1, "2 passed, 4 failed, 2 skipped"))

    def test_files_are_summed(self):
        for name, outcome in (("a", "passed"), ("b", "passed"), ("c", "skipped")):
            self.summary("--record", self.folder / name, name, outcome)
        files = [self.folder / name for name in "abc"]
        self.assertEqual(self.summary(*files), (0, "2 passed, 0 failed, 1 skipped"))

    def test_a_recorded_failure_fails(self):
        self.summary("--record", self.folder / "a", "a", "failed")
        self.assertEqual(self.summary(self.folder / "a"), (1, "0 passed, 1 failed, 0 skipped"))

    def test_a_missing_file_is_a_failure(self):
        self.assertEqual(self.summary(self.folder / "none"), (1, "0 passed, 1 failed, 0 skipped"))

    def test_nothing_run_is_no_success(self):
        (self.folder / "a").write_text("<testsuite/>", encoding="utf-8")
        self.assertEqual(self.summary(self.folder / "a"), (1, "0 passed, 0 failed, 0 skipped"))


if __name__ == "__main__":
    unittest.main()
