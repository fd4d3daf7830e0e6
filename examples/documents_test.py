#!/usr/bin/env python3
"""Every C++ block of README.md and docs/guide is a passage of an example, line for line; every link to a file
leads somewhere; the README names every public header and keeps its length.

    documents_test.py ROOT
"""

import re
import sys
from pathlib import Path

README_LINES_MAX = 200
BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def unindented(text):
    return "\n".join(line.strip() for line in text.strip().splitlines())


def faults(root):
    examples = [unindented(path.read_text(encoding="utf-8")) for path in sorted(root.glob("examples/*.cpp"))]
    documents = [root / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    documents += sorted(root.glob("docs/**/*.md"))
    for path in documents:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root)
        for block in BLOCK.findall(text):
            if not any(unindented(block) in example for example in examples):
                yield f"{name}: not in any example:\n{block}"
        for link in LINK.findall(text):
            if not link.startswith("http") and not (path.parent / link).exists():
                yield f"{name}: {link} does not exist"
    readme = (root / "README.md").read_text(encoding="utf-8")
    for header in sorted(root.glob("include/sinnet/**/*.h*")):
        if f"{header.name}`" not in readme:
            yield f"README.md: does not name {header.relative_to(root)}"
    lines = len(readme.splitlines())
    if lines > README_LINES_MAX:
        yield f"README.md: {lines} lines, at most {README_LINES_MAX}"


def main(root):
    found = list(faults(root))
    print("\n".join(found) or "the documents show what is compiled")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
