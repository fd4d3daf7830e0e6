#!/usr/bin/env python3
"""The house rules that a compiler does not check: who may include whom, sizes, names, leftovers.

    tools/tidy.py [ROOT]      prints file:line: rule: what, and fails if anything was printed

Reads files only. tests/tools/tidy_test.py plants a violation of every rule.
"""

import re
import subprocess
import sys
from pathlib import Path

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
LINE_COLUMNS_MAX = 110

CPP = {".cpp", ".hpp", ".h"}
CODE = CPP | {".js", ".mjs", ".ts", ".py", ".go", ".sh", ".cmake"}

# Folder -> folders it may include besides itself (docs/architecture.md). io knows no protocol, mux no ws.
CORE = ("base", "http", "ws", "mux", "stack")
BELOW_ENDPOINT = CORE + ("io",)
BELOW_DAEMON = BELOW_ENDPOINT + ("endpoint",)
EDGES = {
    "base": (),
    "http": ("base",),
    "ws": ("base", "http"),
    "mux": ("base",),
    "stack": ("base", "http", "ws", "mux"),
    "io": ("base",),
    "endpoint": BELOW_ENDPOINT,
    "daemon": BELOW_DAEMON,
    "tunnel": BELOW_DAEMON,
    "cluster": BELOW_DAEMON,
    "cli": BELOW_DAEMON + ("daemon", "tunnel", "cluster"),
}

# What would let the core read a clock, a file, a socket or chance, or start a thread.
CORE_BANNED = re.compile(
    r"^(random|thread|stop_token|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier"
    r"|iostream|istream|ostream|fstream|filesystem|ctime|time\.h|unistd\.h|fcntl\.h|poll\.h|pthread\.h"
    r"|signal\.h|csignal|netdb\.h|(sys|net|netinet|arpa|linux|openssl)/.*)$"
)
# Libraries that stay behind a wall: header prefix -> where it may be included.
APPLICATION = ("daemon", "tunnel", "cluster", "cli")
WALLED = (
    (re.compile(r"^(fmt|spdlog)/"), APPLICATION),
    (re.compile(r"^toml(\+\+|plusplus)?[/.]"), APPLICATION),
    (re.compile(r"^nlohmann/"), APPLICATION),
    (re.compile(r"^CLI/"), ("cli",)),
    (re.compile(r"^openssl/"), ("io", "endpoint") + APPLICATION),
)
THIRD_PARTY = re.compile(
    r"^(openssl|nlohmann|fmt|spdlog|CLI|toml\+\+|gtest|gmock|boost|asio)/|^(zlib|ares|simdjson)")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
BANNED_WORDS = {"Manager", "Helper", "Helpers", "Util", "Utils", "Impl"}
TYPE_NAME = re.compile(
    r"\b(?:(?:class|struct|union|enum(?:\s+(?:class|struct))?|using|concept)\s+(?=[A-Z])|namespace\s+)(\w+)")
# `struct Name : Base {`, but not `struct Name function() const {`.
TYPE_HEADER = re.compile(
    r"\s*(template\s*<.*>\s*)?(typedef\s+)?(class|struct|union|enum)\b(?!.*\)\s*\w*\s*$)", re.DOTALL)
WORD = re.compile(r"[A-Z][a-z0-9]*|[a-z0-9]+")
GETTER = re.compile(r"(?<![.:>\w])get_\w+\s*\(")
SLEEP = re.compile(r"\bsleep_(?:for|until)\b|\bu?sleep\(|\btime\.sleep\b")

# Written in two halves, so that this file does not find itself.
MARKER = re.compile(
    r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|\bnot impl" r"emented\b|\bunimpl" r"emented\b"
    r"|(?<!\.)\bplaceh" r"older\b(?!\s*=)|(?<![:/])\bst" r"ub(?:bed|s)?\b"
    r"|^\s*(?:<{7}|>{7}) "  # a merge conflict, also after the formatter moved it
)
SIBLING = ".." + "/shared"
MACHINE = re.compile(r"(?<![\w./~-])/(?:wo" r"rk|ro" r"ot)/\w")


def tracked_files(root):
    """Files of the work tree that git would track; every file where there is no git."""
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout
        names = sorted(set(filter(None, listed.split("\0"))))
        return [root / name for name in names if (root / name).is_file()]
    skipped = {"build", "node_modules", ".git"}
    return sorted(p for p in root.rglob("*")
                  if p.is_file() and not skipped & set(p.relative_to(root).parts))


def blank_out(text):
    """C++ with comments, literals and directives blanked; every line and column stays where it was."""
    pattern = re.compile(
        r'(?P<raw>R"(?P<tag>[^(\s\\]{0,16})\(.*?\)(?P=tag)")'
        r"|(?P<comment>//[^\n]*|/\*.*?\*/)"
        r"|(?P<string>\"(?:\\.|[^\"\\\n])*\")"
        r"|(?P<separator>(?<=[0-9a-fA-F])'(?=[0-9a-fA-F]))"
        r"|(?P<character>'(?:\\.|[^'\\\n])*')"
        r"|(?P<directive>^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*)",
        re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def functions(text):
    """(first line, last line) of every function, found by its braces. Lambdas belong to their function.

    Relies on clang-format: a body's brace has a blank before it, an initialiser's (`a_{1}`) has none.
    """
    code = blank_out(text)
    stack = []  # (kind, line where its header begins)
    header_start, parens = 0, 0
    for at, char in enumerate(code):
        if char in "([":
            parens += 1
        elif char in ")]":
            parens = max(0, parens - 1)
        elif char == ";" and parens == 0:
            header_start = at + 1
        elif char == "{":
            header = code[header_start:at]
            inside = stack[-1][0] if stack else "container"
            if inside != "container":
                kind = "block"
            elif parens > 0 or not code[at - 1].isspace() or re.search(r"[=,(]\s*$", header):
                kind = "initialiser"
            elif re.match(r"\s*(inline\s+)?namespace\b|\s*extern\b\s*$", header):
                kind = "container"
            elif TYPE_HEADER.match(header):
                kind = "container"
            else:
                kind = "function" if "(" in header else "block"
            first = code.count("\n", 0, header_start + len(header) - len(header.lstrip())) + 1
            stack.append((kind, first, parens))
            parens = 0
            if kind in ("container", "function"):
                header_start = at + 1
        elif char == "}" and stack:
            kind, first, parens = stack.pop()
            if kind == "function":
                yield first, code.count("\n", 0, at) + 1
            if kind in ("container", "function", "block") and parens == 0:
                header_start = at + 1


def folder_of(relative):
    """The module of a file of ours, or None: src/ws/x.cpp and include/sinnet/ws/x.hpp are "ws"."""
    parts = relative.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "sinnet") and len(parts) > 3:
        return parts[2]
    return None


def included_folder(name):
    """The module an include names, or None for its own folder and for headers that are not ours."""
    parts = name.removeprefix("sinnet/").split("/")
    return parts[0] if len(parts) > 1 and parts[0] in EDGES else None


def check_include(relative, bracket, name):
    folder = folder_of(relative)
    public = relative.parts[:2] == ("include", "sinnet")
    if public and bracket == '"' and not name.startswith("sinnet/"):
        yield "include", f'a public header includes the private "{name}"'
    if public and THIRD_PARTY.search(name) and relative.name != "asio.hpp":
        yield "include", f"a public header makes its users need <{name}>"
    if folder is None:
        return
    if folder not in EDGES:
        yield "include", f"folder {folder} has no place in the order of folders (EDGES in tools/tidy.py)"
        return
    if folder in CORE and CORE_BANNED.search(name):
        yield "core", f"the core may not include <{name}>: no I/O, clock, thread or chance"
    for pattern, allowed in WALLED:
        if pattern.search(name) and folder not in allowed:
            yield "include", f"<{name}> belongs to {', '.join(allowed)} only"
    target = included_folder(name)
    if target is not None and target != folder and target not in EDGES[folder]:
        yield "include", f"{folder} may not include {target}"


def check_cpp(relative, text):
    lines = text.splitlines()
    product = relative.parts[0] in ("src", "include")
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match and product:
            for rule, what in check_include(relative, *match.groups()):
                yield number, rule, what
    for first, last in functions(text):
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield first, "function", f"{last - first + 1} lines, at most {FUNCTION_LINES_MAX}"
    for number, line in enumerate(blank_out(text).splitlines(), 1):
        for name in TYPE_NAME.findall(line):
            if BANNED_WORDS & {word.capitalize() for word in WORD.findall(name)}:
                yield number, "name", f"{name}: say what it is"
        if GETTER.search(line):
            yield number, "name", "get_: name the thing itself"
    if product and relative.suffix in (".hpp", ".h"):
        opening = next((line for line in lines if line.strip() and line.strip() != "#pragma once"), "")
        if not opening.startswith("///"):
            yield 1, "opening", "a header opens with a /// line: what it is for and what it never does"


def check_code(relative, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES_MAX:
        yield len(lines), "file", f"{len(lines)} lines, at most {FILE_LINES_MAX}"
    if BANNED_WORDS & {word.capitalize() for word in WORD.findall(relative.stem)}:
        yield 1, "name", f"{relative.name}: say what it is"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, "line", f"{len(line)} columns, at most {LINE_COLUMNS_MAX}"
        if MARKER.search(line):
            yield number, "marker", "unfinished work belongs on the tracker, not into the tree"
        if relative.parts[0] == "tests" and SLEEP.search(line):
            yield number, "sleep", "a test waits for the event or turns a virtual clock"


def check_any(relative, text, root):
    own_path = str(root) + "/" if len(root.parts) > 2 else None
    for number, line in enumerate(text.splitlines(), 1):
        if SIBLING in line:
            yield number, "path", "nothing here may lean on a folder outside the repository"
        if MACHINE.search(line) or (own_path and own_path in line):
            yield number, "path", "a path of one machine"


def violations(root):
    for path in tracked_files(root):
        relative = path.relative_to(root)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a corpus file
        if "corpus" in relative.parts or path.name == "package-lock.json":
            continue
        found = list(check_any(relative, text, root))
        if path.suffix in CODE or path.name == "CMakeLists.txt":
            found += check_code(relative, text)
        if path.suffix in CPP:
            found += check_cpp(relative, text)
        for number, rule, what in sorted(found):
            yield f"{relative}:{number}: {rule}: {what}"


def main(arguments):
    root = Path(arguments[0] if arguments else Path(__file__).parent.parent).resolve()
    found = list(violations(root))
    for line in found:
        print(line)
    if found:
        print(f"{len(found)} against the house rules", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
