#!/usr/bin/env python3
"""Plants one violation of each house rule in an empty tree and wants exactly that rule to fire."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import tidy  # noqa: E402

HEADER = "#pragma once\n/// A header.\n\n"
BODY_70 = "int f(int x) {\n" + "  ++x;\n" * 68 + "}\n"
BODY_71 = "int f(int x) {\n" + "  ++x;\n" * 69 + "}\n"


class TidyTest(unittest.TestCase):
    def rules(self, path, text):
        """The rules that fire for a tree of one file."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            return sorted({line.split(": ")[1] for line in tidy.violations(Path(folder).resolve())})

    def fires(self, rule, path, text):
        self.assertEqual(self.rules(path, text), [rule], text[:200])

    def quiet(self, path, text):
        self.assertEqual(self.rules(path, text), [], text[:200])

    def test_including_against_the_order_of_folders_fires(self):
        for folder, target in (("base", "http"), ("http", "ws"), ("ws", "io"), ("io", "ws"), ("mux", "ws"),
                               ("ws", "mux"), ("endpoint", "daemon"), ("daemon", "cli")):
            with self.subTest(folder=folder, target=target):
                self.fires("include", f"src/{folder}/a.cpp", f'#include "sinnet/{target}/b.hpp"\n')
                self.fires("include", f"src/{folder}/a.cpp", f'#include "{target}/b.hpp"\n')
                self.fires("include", f"include/sinnet/{folder}/a.hpp",
                           HEADER + f'#include "sinnet/{target}/b.hpp"\n')

    def test_including_along_the_order_is_quiet(self):
        for folder, target in (("http", "base"), ("ws", "http"), ("stack", "mux"), ("endpoint", "io"),
                               ("daemon", "endpoint"), ("cli", "daemon"), ("ws", "ws")):
            with self.subTest(folder=folder, target=target):
                self.quiet(f"src/{folder}/a.cpp", f'#include "sinnet/{target}/b.hpp"\n')

    def test_a_folder_outside_the_order_fires(self):
        self.fires("include", "src/common/a.cpp", "#include <vector>\n")

    def test_a_public_header_including_a_private_one_fires(self):
        self.fires("include", "include/sinnet/ws/a.hpp", HEADER + '#include "ws/utf8.hpp"\n')

    def test_a_public_header_including_a_third_party_fires(self):
        self.fires("include", "include/sinnet/endpoint/a.hpp", HEADER + "#include <openssl/ssl.h>\n")

    def test_a_library_behind_a_wall_fires(self):
        self.fires("include", "src/ws/a.cpp", "#include <spdlog/spdlog.h>\n")
        self.fires("include", "src/daemon/a.cpp", "#include <CLI/CLI.hpp>\n")
        self.quiet("src/cli/a.cpp", "#include <CLI/CLI.hpp>\n")

    def test_what_the_core_may_not_include_fires(self):
        for name in ("random", "thread", "mutex", "iostream", "fstream", "ctime", "unistd.h", "sys/socket.h"):
            with self.subTest(name=name):
                self.fires("core", "src/ws/a.cpp", f"#include <{name}>\n")
                self.quiet("src/io/a.cpp", f"#include <{name}>\n")

    def test_a_file_of_801_lines_fires(self):
        self.quiet("src/ws/a.cpp", "int x;\n" * 800)
        self.fires("file", "src/ws/a.cpp", "int x;\n" * 801)

    def test_a_function_of_71_lines_fires(self):
        self.quiet("src/ws/a.cpp", BODY_70)
        for before, after in (("", ""), ("namespace a {\nnamespace {\n", "}\n}\n"),
                              ("class A : public B {\n public:\n  A() : b_{1} {}\n", "};\n"),
                              ("struct A {\n  int b = 1;\n  int c{2};\n", "};\n"),
                              ("enum class E { A, B };\nconst int t[] = {1, 2};\n", "")):
            with self.subTest(before=before):
                self.fires("function", "src/ws/a.cpp", before + BODY_71 + after)

    def test_the_shapes_of_long_functions_fire(self):
        body = "  ++x;\n" * 80 + "}\n"
        for head in ("A::A(int x)\n    : a_(x), b_{x} {\n", "template <class T>\nT f(T x = {}) {\n",
                     "TEST(A, B) {\n  int x = 0;\n", "auto A::f(int x) const noexcept -> int {\n",
                     "bool A::operator==(const A& x) const {\n", "struct A f(int x) {\n"):
            with self.subTest(head=head):
                self.fires("function", "src/ws/a.cpp", head + body)

    def test_braces_in_literals_and_comments_are_no_braces(self):
        noise = "  x += '{' + 1'000; /* { */ s = \"{\\\"{\"; // {\n  r = R\"x({\"{)x\";\n"
        self.quiet("src/ws/a.cpp", "int f(int x) {\n" + noise + "}\n" + BODY_70.replace("int f", "int g"))

    def test_long_containers_are_no_functions(self):
        methods = "  int f() { return 1; }\n" * 90
        self.quiet("src/ws/a.cpp", "namespace a {\nclass B {\n" + methods + "};\n}\n")
        self.quiet("src/ws/a.cpp", "const P table[] = {\n" + "  {f(1), 2},\n" * 90 + "};\n")

    def test_a_line_of_111_columns_fires(self):
        self.quiet("src/ws/a.cpp", "// " + "ö" * 107 + "\n")
        self.fires("line", "src/ws/a.cpp", "// " + "ö" * 108 + "\n")

    def test_leftover_markers_fire(self):
        for word in ("TO" "DO", "FIX" "ME", "X" "XX", "not impl" "emented", "placeh" "older", "st" "ub"):
            with self.subTest(word=word):
                self.fires("marker", "src/ws/a.cpp", f"// {word}: later\n")
        self.quiet("src/ws/a.cpp", "// stubborn peers, XXXL\n")

    def test_what_a_merge_leaves_fires(self):
        self.fires("marker", "src/ws/a.cpp", "<" * 7 + " HEAD\n")
        self.fires("marker", "src/ws/a.cpp", "    " + ">" * 7 + " 12ab\n")

    def test_empty_names_fire(self):
        for text in ("class SessionManager {};\n", "struct UrlHelper;\n", "using FrameUtils = int;\n",
                     "class ConnectionImpl;\n", "namespace utils {}\n", "int get_size();\n"):
            with self.subTest(text=text):
                self.fires("name", "src/ws/a.cpp", text)
        self.fires("name", "src/ws/url_util.cpp", "int x;\n")

    def test_names_of_others_are_quiet(self):
        self.quiet("src/ws/a.cpp", "auto* p = std::get_if<int>(&v);\nauto x = asio::get_x(y);\n")
        self.quiet("src/ws/a.cpp", "class Implicit;\n")
        self.quiet("src/ws/a.cpp", "using con_manager_type = typename B::con_manager_type;\n")

    def test_a_header_without_its_purpose_fires(self):
        self.fires("opening", "src/ws/a.hpp", "#pragma once\n\nint x;\n")

    def test_a_sleep_in_a_test_fires(self):
        self.fires("sleep", "tests/ws/a_test.cpp", "std::this_thread::sleep_" "for(1s);\n")

    def test_paths_of_one_machine_fire(self):
        self.fires("path", "docs/a.md", "see /wo" "rk/main/x\n")
        self.fires("path", "docs/a.md", "see .." "/shared/x\n")
        self.quiet("docs/a.md", "see https://example.org/wo" "rk/x and ~/work\n")

    def test_the_path_of_this_clone_fires(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            (root / "a.md").write_text(f"see {root}/x\n", encoding="utf-8")
            self.assertEqual(len(list(tidy.violations(root))), 1)


if __name__ == "__main__":
    unittest.main()
