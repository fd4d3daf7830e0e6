#!/usr/bin/env bash
# Configures, builds and tests one preset: tools/test.sh PRESET [ctest argument]...
# The last line is "N passed, N failed, N skipped"; a build that fails is one failed test.
# TARGET=name builds only that target. Results stay in build/results/PRESET.xml (JUnit).
set -uo pipefail
cd "$(dirname "$0")/.." || exit

preset=${1:?which preset of CMakePresets.json}
shift
jobs=${JOBS:-$(nproc)}
results=$PWD/build/results/$preset.xml
mkdir -p build/results
rm -f "$results"

build() {
  cmake --preset "$preset" &&
    cmake --build --preset "$preset" --parallel "$jobs" ${TARGET:+--target "$TARGET"}
}
if ! build < /dev/null; then
  tools/summary.py --record "$results" "$preset: the build" failed
else
  # Two at a time unless told otherwise: tests with real peers and clocks want a core each.
  wrap=()
  # g++'s ThreadSanitizer cannot live with the widest address space randomisation.
  if [ "$preset" = tsan ] && setarch -R true 2> /dev/null; then wrap=(setarch -R); fi
  "${wrap[@]}" ctest --test-dir "build/$preset" --output-on-failure --parallel "${TEST_JOBS:-2}" \
    --output-junit "$results" "$@" < /dev/null
  status=$?
  # ctest fails without a result when it cannot read its own files: that must not look like success.
  if [ $status -ne 0 ] && [ ! -s "$results" ]; then
    tools/summary.py --record "$results" "$preset: ctest" failed
  fi
fi
tools/summary.py "$results"
