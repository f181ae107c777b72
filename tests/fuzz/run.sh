#!/bin/bash
# Fuzzes all readers, or the named ones, for S seconds (default: 30) or N runs each. Needs clang (Debian's package `clang`).
#   tests/fuzz/run.sh [--seconds S | --runs N] [NAME...]
# Failing inputs are saved as build/fuzz/found/NAME-*. To reproduce: build/fuzz/tests/fuzz/fuzz_NAME FILE.
set -euo pipefail
cd "$(dirname "$0")/../.."
limit=(-max_total_time=30)
names=()
while (($#)); do
  case $1 in
    --seconds) limit=(-max_total_time="$2"); shift ;;
    --runs) limit=(-runs="$2"); shift ;;
    -*) sed -n '2,4s/^# //p' "$0"; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done
if ((${#names[@]} == 0)); then
  for source in tests/fuzz/*.cpp; do names+=("$(basename "$source" .cpp)"); done
fi

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz --target "${names[@]/#/fuzz_}"

status=0
mkdir -p build/fuzz/found
printf '%-14s %12s %10s %10s\n' reader runs runs/s features
for name in "${names[@]}"; do
  mkdir -p "build/fuzz/corpus/$name"
  log=build/fuzz/$name.log
  # New inputs are saved in the first folder; the seeds are not changed.
  if ! OMP_NUM_THREADS=1 "build/fuzz/tests/fuzz/fuzz_$name" "${limit[@]}" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
      -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
      "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" > "$log" 2>&1; then
    status=1
    echo "$name: a defect, see $log"
    grep -m 3 -E 'ERROR|runtime error|terminate|what\(\)' "$log" || true
  fi
  printf '%-14s %12s %10s %10s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" "$(sed -n 's/.* ft: \([0-9]*\).*/\1/p' "$log" | tail -1)"
done
exit $status
