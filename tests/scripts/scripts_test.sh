#!/usr/bin/env bash
# Checks copies of run.sh and test.sh with fake commands dpkg-query, apt-get, sudo, id, cmake, ninja and ctest, which log
# their arguments. Usage: scripts_test.sh <project's folder>
set -euo pipefail

origin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export work

project=$work/project
run=$project/run.sh
test=$project/test.sh
mkdir -p "$project"/{cmake,models/cnn,models/mlp,models/import,.ci} "$work/bin"
cp "$origin"/{run.sh,test.sh,CMakePresets.json} "$project"
cp "$origin/cmake/setup.sh" "$project/cmake"
cp "$origin/.ci/run" "$project/.ci"
touch "$project"/models/{cnn,mlp}/train.cpp

# The fakes ---------------------------------------------------------------------------------------

for tool in bash env cat chmod cp dirname flock mkdir mktemp rm sleep touch true; do ln -s "$(type -P "$tool")" "$work/bin/$tool"; done

fake() {
  { echo '#!/usr/bin/env bash' && cat; } >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
fake dpkg-query <<'END'
known=" $(cat "$work/installed") "
for package in "${@:3}"; do
  [[ $known == *" all "* || $known == *" $package "* ]] && printf 'installed=%s ' "$package"
done
exit 1  # like the real one for an unknown package
END
fake id <<'END'
cat "$work/user"
END
fake nproc <<'END'
echo 2
END
fake apt-get <<'END'
echo "apt-get $DEBIAN_FRONTEND $*" >>"$work/calls"
[[ $* == *" install "* ]] || exit 100  # like without network
[[ ! -e $work/no-network ]] || { echo "E: Unable to locate package" && exit 100; }
echo all >"$work/installed"
END
fake cmake <<'END'
echo "cmake $*" >>"$work/calls"
mkdir -p build/"$2"/bin && touch build/"$2"/build.ninja
for model in cnn mlp report; do cp "$work/bin/program" build/"$2"/bin/temper-$model; done
END
fake program <<'END'
printf '%s:' "${0##*/}"
printf ' <%s>' "$@"
exit 7
END
fake ninja <<'END'
echo "ninja $*" >>"$work/calls"
echo "ninja: Entering directory '$2'"
if [[ -e $work/built ]]; then
  echo "ninja: no work to do."
else
  echo "[1/2] Building CXX object a.o"
  [[ ! -e $work/broken ]] || { echo "a.cpp:1: error: no" && exit 1; }
  touch "$work/built"
fi
END
fake ctest <<'END'
echo "ctest $*"
END

# The checks --------------------------------------------------------------------------------------

failures=0
# expect <what> <pattern> <text>
expect() {
  # shellcheck disable=SC2053
  [[ $3 == $2 ]] && return
  printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3" >&2
  failures=$((failures + 1))
}
# call <command>...: sets `code` to the exit code, `out` and `err` to the output, `calls` to the calls of fake commands.
call() {
  : >"$work/calls"
  code=0
  PATH=$work/bin "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
  out=$(<"$work/out") err=$(<"$work/err") calls=$(<"$work/calls")
}
# machine <user id> <installed packages>: resets the fake machine, on which nothing is built.
machine() {
  echo "$1" >"$work/user"
  echo "$2" >"$work/installed"
  rm -rf "$project/build" "$work"/{built,broken,no-network}
}
newline=$'\n'

machine 0 all
call "$run" resnet9 --epochs 1
expect "unknown model" 2 "$code"
expect "unknown model, one line" "run.sh: there is no model 'resnet9'; there are: cnn mlp" "$err"
expect "unknown model does nothing" "" "$calls$out"

call "$run" --help
expect "help" "0 *Models: cnn mlp*" "$code $out"
expect "help does nothing" "" "$calls$err"

# All packages are installed: the first command builds, the second does nothing and prints nothing.
call "$run"
expect "the default model, and its exit code" "7 temper-cnn: <>" "$code $out"
expect "says that it builds" "run.sh: building in *build/release*" "$err"
expect "builds the one model" "cmake --preset release${newline}ninja -C *build/release -j 2 temper-cnn" "$calls"
call "$run"
expect "the second time says nothing" "7 temper-cnn: <>" "$code $out$err"
expect "the second time asks ninja alone" "ninja *" "$calls"
expect "the second time asks ninja alone" 1 "$(wc -l <"$work/calls")"
call "$run" mlp --help
expect "a model's own help" "7 temper-mlp: <--help>" "$code $out"
call "$run" --lr "a b" ""
expect "options without a model" "7 temper-cnn: <--lr> <a b> <>" "$code $out"

call "$run" sweep mlp --try "lr=1, 2"
expect "a sweep is forwarded" "7 temper-mlp: <sweep> <--try> <lr=1, 2>" "$code $out"
call "$run" sweep resnet9
expect "a sweep of an unknown model" "run.sh: there is no model 'resnet9'; there are: cnn mlp" "$err"

# Several processes.
fake mpirun <<'END'
printf 'mpirun'
printf ' <%s>' "$@"
END
call "$run" mlp --lr 1 --processes 4 --epochs 2
expect "several processes" "0 mpirun <-np> <4> <--bind-to> <none> * <--oversubscribe> <--allow-run-as-root> */temper-mlp> <--lr> <1> <--epochs> <2>" "$code $out"
call "$run" --processes 2
expect "as many processes as cores" "0 mpirun <-np> <2> <--bind-to> <none> <--mca> <odls_base_sigkill_timeout> <5> <--allow-run-as-root> */temper-cnn>*" "$code $out"
call "$run" --processes many
expect "a number of processes" "2 run.sh: --processes takes a number" "$code $err"

# Of two commands at once, the second waits for the first.
flock "$project/build/release.lock" sleep 3 &
until ! flock --nonblock "$project/build/release.lock" true; do sleep 0.05; done  # the first has it
call "$run"
expect "waits for the other build" "7 temper-cnn: <>*waiting for another build in */build/release" "$code $out$err"
wait

call "$run" report runs/a "runs/b c" -o page.html
expect "the report" "7 temper-report: <runs/a> <runs/b c> <-o> <page.html>" "$code $out"
expect "the report needs no data" "ninja *-j 2 temper-report" "$calls"

# The progress of a build.
expect "progress at first" "3 of 231" "$(source "$project/cmake/setup.sh" && progress 3 231 9)"
expect "progress" "57 of 231, 3:03 left" "$(source "$project/cmake/setup.sh" && progress 57 231 60)"
expect "progress at the end" "231 of 231, 0:00 left" "$(source "$project/cmake/setup.sh" && progress 231 231 200)"

# The benchmarks.
fake python3 <<'END'
echo "python3 $*"
END
machine 0 all
call "$run" bench speed
expect "unknown benchmark" "2 run.sh: there is no benchmark 'speed'; there are: limits, *" "$code $err"
expect "unknown benchmark does nothing" "" "$calls$out"
call "$run" bench limits --quick
expect "limits need no LibTorch" "cmake --preset bench${newline}ninja -C */build/bench -j 2 bench-limits" "$calls"
expect "limits" "0 python3 $project/bench/bench.py limits --quick" "$code $out"
call "$run" bench compare
expect "the comparison needs it" "cmake --preset bench -DTEMPER_BENCH_TORCH=ON${newline}ninja *-j 2 compare" "$calls"

machine 0 all
touch "$work/broken"
call "$run"
expect "a failed build" "2 *a.cpp:1: error: no${newline}run.sh: the build in */build/release failed (see above)" "$code $err"

call "$project/.ci/run"
expect "a failed build of the tests" 2 "$code"
rm "$work/broken"
call "$project/.ci/run"
expect ".ci/run runs the tests" "0 ctest --test-dir */build/test --output-on-failure -j 2" "$code $out"
call "$test" -R optim
expect "options of ctest" "0 ctest --test-dir */build/test --output-on-failure -j 2 -R optim" "$code $out$err"

# As root: installs missing packages, even if the package lists cannot be refreshed.
some="g++ cmake ninja-build libdnnl-dev libxsimd-dev libcli11-dev nlohmann-json3-dev libfmt-dev zlib1g-dev"
some+=" libsentencepiece-dev libabsl-dev libutf8proc-dev libpng-dev libjpeg-dev libtomlplusplus-dev"
missing="librandom123-dev dataset-fashion-mnist"
machine 0 "$some"
call "$run"
expect "root installs" "7 temper-cnn: <>" "$code $out"
expect "root installs, and says so" "run.sh: installing $missing$newline*" "$err"
expect "refreshes first, asks nothing" "apt-get noninteractive -qq -y * update${newline}*" "$calls"
expect "installs the missing alone" "*apt-get noninteractive -qq -y * install --no-install-recommends $missing${newline}cmake*" "$calls"
call "$run"
expect "and not again" "ninja *" "$calls"

machine 0 "$some"
touch "$work/no-network"
call "$test"
expect "apt fails" "2 *E: Unable to locate package${newline}test.sh: apt could not install *; by hand: apt-get install *" "$code $err"

# Neither root nor sudo: only prints the command to run.
machine 1000 "$some"
for script in "$run" "$test"; do
  call "$script"
  expect "no root" 2 "$code"
  expect "no root: the line" "*.sh: *takes root: apt-get install -y --no-install-recommends librandom123-dev *dataset-fashion-mnist" "$err"
  expect "no root: one line" 1 "$(wc -l <"$work/err")"
  expect "no root does nothing" "" "$calls$out"
done

# sudo without a password, and sudo that needs one without a terminal.
fake sudo <<'END'
[[ ! -e $work/password ]] || exit 1
echo "sudo" >>"$work/calls"
[[ $1 != -n ]] || shift
exec "$@"
END
call "$run"
expect "sudo installs" "7 temper-cnn: <>" "$code $out"
expect "sudo installs" "*sudo${newline}apt-get noninteractive * install *$missing${newline}*" "$calls"
machine 1000 "$some"
touch "$work/password"
call "$run"
expect "sudo with a password, no terminal" "2 run.sh: *takes root: apt-get install *" "$code $err"

# Other systems.
system() {
  printf 'ID=%s\nVERSION_ID="%s"\n' "$1" "$2" >"$work/os-release"
  machine 0 all
}
export TEMPER_OS_RELEASE=$work/os-release
system ubuntu 24.04
call "$run"
expect "Ubuntu" "7 temper-cnn: <>" "$code $out"
call "$run" bench compare
expect "Ubuntu 24.04 lacks LibTorch" "2 run.sh: ubuntu 24.04 has no package libtorch-dev, which this needs" "$code $err"
expect "Ubuntu 24.04 lacks LibTorch: does nothing" "" "$calls$out"
for old in "ubuntu 22.04" "debian 11"; do
  # shellcheck disable=SC2086
  system $old
  call "$run"
  expect "too old" "2 run.sh: $old is too old*Debian 12 or Ubuntu 24.04, or newer" "$code $err"
  expect "too old: does nothing" "" "$calls$out"
done
system fedora 43
rm "$work/bin/dpkg-query"
call "$run"
expect "not Debian" "2 run.sh: this installs packages by apt*this system is fedora 43.*clang++ 14*g++ cmake *" "$code $err"
expect "not Debian: one line" 1 "$(wc -l <"$work/err")"
expect "not Debian: does nothing" "" "$calls$out"

((failures == 0)) || exit 1
echo "scripts: all checks passed"
