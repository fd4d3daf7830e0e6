#!/usr/bin/env bash
# clang-tidy-19 over src/ (and the headers it includes), with the clang preset's compile commands.
# tools/run_tidy.sh [path pattern]
set -euo pipefail
cd "$(dirname "$0")/.."

[ -f build/clang/compile_commands.json ] || cmake --preset clang < /dev/null
exec run-clang-tidy-19 -quiet -p build/clang -j "${JOBS:-2}" "${1:-$PWD/src/}" < /dev/null
