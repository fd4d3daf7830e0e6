#!/usr/bin/env python3
"""Sums JUnit result files into one line: "N passed, N failed, N skipped".

Fails when anything failed or nothing ran.

    tools/summary.py FILE...                                       sum and print
    tools/summary.py --record FILE NAME passed|failed|skipped      write a file with that one result
"""

import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    """(passed, failed, skipped) of one file, counted test by test, not taken from its totals."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        status = case.get("status", "run")
        if case.find("failure") is not None or case.find("error") is not None or status == "fail":
            failed += 1
        elif case.find("skipped") is not None or status in ("notrun", "disabled"):
            # ctest writes <skipped message="..."> for a skip; "notrun" without a skip means that the
            # program was missing or a fixture failed, which is a failure.
            skip = case.find("skipped")
            message = "" if skip is None else skip.get("message", "")
            if status == "disabled" or "SKIP" in message.upper():
                skipped += 1
            else:
                failed += 1
        else:
            passed += 1
    return passed, failed, skipped


def record(path, name, outcome):
    suite = ElementTree.Element("testsuite", name=name)
    case = ElementTree.SubElement(suite, "testcase", name=name, classname=name)
    if outcome == "failed":
        ElementTree.SubElement(case, "failure", message="failed")
    elif outcome == "skipped":
        ElementTree.SubElement(case, "skipped", message="SKIPPED")
    ElementTree.ElementTree(suite).write(path)


def main(arguments):
    if len(arguments) == 4 and arguments[0] == "--record" and arguments[3] in ("passed", "failed", "skipped"):
        record(*arguments[1:])
        return 0
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    totals = [0, 0, 0]
    for path in arguments:
        try:
            counted = count(path)
        except (OSError, ElementTree.ParseError) as error:
            print(f"{path}: no usable result: {error}", file=sys.stderr)
            counted = (0, 1, 0)
        totals = [a + b for a, b in zip(totals, counted)]
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
