#!/usr/bin/env bash
# tests/mutation/run.sh [number...]: tests the tests. Plants the bugs of bugs.txt in a copy of the sources, builds it once,
# enables one bug after the other, and runs the suite until a test fails. A bug that no test detects is an error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

programs=(ops optim autograd kernels nn core data io train models)

need_packages "${build_packages[@]}" "${test_packages[@]}"
"$here/plant.py" "$here/bugs.txt" "$root" "$root/build/mutants"
root=$root/build/mutants
[[ -e $root/build/test/build.ninja ]] || configure test -DTEMPER_PROGRAMS=OFF
build test "${programs[@]/#/test_}"

# run <program>: succeeds if the program passes. Its output is in $log.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
  OMP_NUM_THREADS=1 timeout 600 "$root/build/test/tests/test_$1" --abort-after=1 --no-colors >"$log" 2>&1
}

# Prints the first test case in the log that failed, and its subcase.
failed_case() {
  awk '/^TEST CASE:/ { sub(/^TEST CASE: */, ""); name = $0; in_header = 1; next }
       in_header && /^  [^ ]/ { name = name ", " substr($0, 3) }
       { in_header = in_header && $0 != "" }
       / ERROR: / { print name; exit }' "$log"
}

for program in "${programs[@]}"; do
  run "$program" || die "without any bug test_$program fails in \"$(failed_case)\"; see $root/build/test"
done

count=0 survivors=0
printf '%6s  %-30s %s\n' number name 'killed by'
while read -r number name; do
  (($# == 0)) || [[ " $* " == *" $number "* ]] || continue
  if [[ $name == bf16_* ]] && ! grep -qw avx512_bf16 /proc/cpuinfo; then
    printf '%6s  %-30s %s\n' "$number" "$name" "left out: this CPU has no instructions for bf16"
    continue
  fi
  count=$((count + 1))
  killer=
  for program in "${programs[@]}"; do
    if ! TEMPER_BUG=$number run "$program"; then
      killer="$program: $(failed_case)"
      break
    fi
  done
  [[ $killer ]] || survivors=$((survivors + 1))
  printf '%6s  %-30s %s\n' "$number" "$name" "${killer:-nothing: IT SURVIVED}"
done < <(sed -nE 's/^([0-9]+) ([a-z0-9_]+): .*/\1 \2/p' "$here/bugs.txt")

((count)) || die "there is no such bug"
say "$((count - survivors)) of $count bugs were noticed"
((survivors == 0))
