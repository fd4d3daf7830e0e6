#!/usr/bin/env bash
# Runs every fuzz target, two at a time; SECONDS_TOTAL of fuzzing are divided equally among them.
#   tools/fuzz.sh SECONDS_TOTAL
# New inputs are found in a copy under build/fuzz/; nothing in the tree changes. A crash is kept in
# build/fuzz/findings/<target>/ and named at the end: make it a corpus file together with its fix.
# Leaves one JUnit result per target in build/results/fuzz-<target>.xml.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

total=${1:?seconds in all}
at_once=2

cmake --preset fuzz < /dev/null || exit
cmake --build --preset fuzz --parallel "${JOBS:-$(nproc)}" < /dev/null || exit
mkdir -p build/results
rm -f build/results/fuzz-*.xml
shopt -s nullglob
targets=(build/fuzz/fuzzers/*_fuzz)
if [ ${#targets[@]} -eq 0 ]; then
  echo "There is no fuzz target yet."
  exit 0
fi
seconds=$((total / ${#targets[@]}))
[ "$seconds" -ge 5 ] || seconds=5
echo "${#targets[@]} targets, $seconds s each, $at_once at a time"

fuzz_one() {
  local program=$1 name corpus findings log status outcome seeds=()
  name=$(basename "$program" _fuzz)
  corpus=build/fuzz/corpus/$name
  findings=build/fuzz/findings/$name
  log=build/fuzz/$name.log
  [ ! -d "fuzz/corpus/$name" ] || seeds=("fuzz/corpus/$name")
  mkdir -p "$corpus" "$findings"
  "$program" "$corpus" "${seeds[@]}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$findings/" > "$log" 2>&1 < /dev/null
  status=$?
  outcome=passed
  [ $status -eq 0 ] || outcome=failed
  tools/summary.py --record "build/results/fuzz-$name.xml" "fuzz/$name" "$outcome"
  if [ $status -eq 0 ]; then
    awk -v name="$name" '/number_of_executed_units/{runs=$2} /new_units_added/{added=$2}
      END{printf "%-24s %d runs, %d new inputs\n", name, runs, added}' "$log"
  else
    echo "$name failed (status $status); the end of $log:"
    tail -n 40 "$log"
    for file in "$findings"/*; do echo "found by $name: $file"; done
  fi
  return $status
}

failed=0
running=0
for target in "${targets[@]}"; do
  if [ $running -ge $at_once ]; then
    wait -n || failed=$((failed + 1))
    running=$((running - 1))
  fi
  fuzz_one "$target" &
  running=$((running + 1))
done
while [ $running -gt 0 ]; do
  wait -n || failed=$((failed + 1))
  running=$((running - 1))
done
if [ $failed -gt 0 ]; then
  echo "$failed fuzz targets failed; their inputs:"
  find build/fuzz/findings -type f
  exit 1
fi
