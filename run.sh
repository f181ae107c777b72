#!/usr/bin/env bash
# ./run.sh [MODEL] [options]: installs what is missing, builds, trains. ./run.sh sweep MODEL searches for good options,
# ./run.sh report RUN... draws its report, ./run.sh bench WHAT measures. See ./run.sh --help.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

# The models: the folders of models/ with a training program.
models=()
for program in "$root"/models/*/train.cpp; do
  [[ -e $program ]] || continue
  folder=${program%/train.cpp}
  models+=("${folder##*/}")
done

case ${1-} in
  -h | --help)
    cat <<END
Usage: ./run.sh [MODEL] [options]
       ./run.sh sweep MODEL --try OPTION=VALUES... [--runs N] [options]
       ./run.sh report FOLDER... [-o FILE]
       ./run.sh bench WHAT [options]
       ./run.sh docs [--check]

Installs what is missing (Debian packages, with apt), builds, and trains MODEL, by default cnn.

Models: ${models[*]}

./run.sh MODEL --help lists the options of a model. ./test.sh runs the tests.

./run.sh MODEL --processes N trains it with N processes, over MPI, and the same result.

sweep trains with many values of some options and compares them: ./run.sh sweep mlp --try lr=1e-4..1e-2:log --runs 27.
./run.sh sweep MODEL --help lists what it takes.

study measures what docs/ say of warm-up and weight decay; with --external what others published, with --ladder which
optimizer needs the fewest updates and seconds to a fixed loss.

report writes an HTML page about a run, or about several beside each other: ./run.sh report runs/cnn runs/resnet

docs makes the documentation's site in build/docs: guides, and a reference of every public name. --check opens each of its
pages in a headless Chromium.

bench measures. WHAT is limits (what the machine can do), optim (the optimizers' step), ops (single operations), sparse
(a step of tables whose gradients are rows), compare (training steps beside LibTorch's), scale (how a training step grows),
lengths (what it costs that each step has another length), cliffs (sizes at which a layer is slower than its neighbours),
loader (examples a second beside PyTorch's DataLoader), adapters (the memory of LoRA), overheads (of an operation, of compiling, starting and building) or
check (whether ratios are still as recorded). optim, ops, sparse, compare and check need LibTorch, loader PyTorch.
./run.sh bench WHAT --help lists the options.
END
    exit 0
    ;;
esac

# run_bench WHAT [options]: builds the benchmarks, with LibTorch's side if they compare with it, and runs them.
run_bench() {
  local what=${1-}
  [[ " limits optim ops sparse compare scale lengths cliffs loader adapters overheads check " == *" $what "* ]] ||
    die "there is no benchmark '$what'; there are: limits, optim, ops, sparse, compare, scale, lengths, cliffs, loader, adapters, overheads, check"
  need_packages "${build_packages[@]}" "${bench_packages[@]}"
  local cache=$root/build/bench/CMakeCache.txt
  if [[ " limits scale lengths cliffs loader adapters overheads " != *" $what "* ]]; then
    need_packages "${bench_torch_packages[@]}"
    [[ -e $cache && $(<"$cache") == *TEMPER_BENCH_TORCH:BOOL=ON* ]] || configure bench -DTEMPER_BENCH_TORCH=ON
  fi
  case $what in
    compare) build bench compare ;;
    scale) build bench compare-gpt-temper ;;
    lengths) build bench overheads-lengths ;;
    cliffs) build bench cliffs ;;
    loader)
      [[ " $* " == *" --python"* ]] || need_packages "${bench_loader_packages[@]}"
      build bench loader-temper
      ;;
    adapters)
      build bench overheads-adapters
      exec "$root/build/bench/bin/overheads-adapters" "${@:2}"
      ;;
    overheads) build bench bench-ops overheads-tiny temper-mlp ;;
    check) build bench compare bench-optim ;;
    *) build bench "bench-$what" ;;
  esac
  exec python3 "$root/bench/bench.py" "$@"
}

if [[ ${1-} == bench ]]; then
  shift
  run_bench "$@"
fi

if [[ ${1-} == report ]]; then
  shift
  need_packages "${build_packages[@]}"
  build release temper-report
  exec "$root/build/release/bin/temper-report" "$@"
fi

if [[ ${1-} == docs ]]; then
  shift
  [[ $# == 0 || $* == --check ]] || die "usage: ./run.sh docs [--check]"
  need_packages doxygen python3
  "$root/docs/site/build.py" "$root/build/docs"
  (($#)) || exit 0
  need_packages chromium
  exec "$root/docs/site/check.py" "$root/build/docs"
fi

model=cnn
sweep=()
if [[ ${1-} == sweep ]]; then
  sweep=(sweep)
  shift
fi
if (($#)) && [[ $1 != -* ]]; then
  model=$1
  shift
fi
processes=
options=()
while (($#)); do
  case $1 in
    --processes) [[ ${2-} =~ ^[1-9][0-9]*$ ]] || die "--processes takes a number" && processes=$2 && shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
if [[ $model == study && " ${options[*]} " == *" --ladder "* ]]; then
  need_packages "${build_packages[@]}" "${bible_packages[@]}" python3
  arguments=()
  for option in "${options[@]}"; do [[ $option == --ladder ]] || arguments+=("$option"); done
  exec python3 "$root/models/study/ladder.py" "${arguments[@]}"
fi
[[ " ${models[*]} " == *" $model "* ]] || die "there is no model '$model'; there are: ${models[*]}"

case $model in
  gpt | llama | word2vec) data_packages=("${bible_packages[@]}") ;;
  bert) data_packages=("${wordnet_packages[@]}") ;;
  tabular | cartpole) data_packages=() ;; # any CSV file; none
  forecast) data_packages=("${series_packages[@]}") ;;
  *) data_packages=("${fashion_packages[@]}") ;;
esac
need_packages "${build_packages[@]}" "${data_packages[@]}"
launch=()
if [[ $processes ]]; then
  need_packages "${mpi_packages[@]}"
  cache=$root/build/release/CMakeCache.txt
  # One that was configured before MPI was there is without it.
  [[ -e $cache && $(<"$cache") == *MPI_CXX_COMPILER:FILEPATH=/* ]] || configure release
  # The programs share the cores themselves. After Ctrl-C mpirun waits so long until it asks them to end, and once more
  # until it kills them.
  launch=(mpirun -np "$processes" --bind-to none --mca odls_base_sigkill_timeout 5)
  ((processes <= $(nproc))) || launch+=(--oversubscribe)
  (($(id -u) != 0)) || launch+=(--allow-run-as-root)
fi
build release "temper-$model"
# The command that the program prints when it explains how to resume a run.
export TEMPER_COMMAND="./run.sh $model${processes:+ --processes $processes}"
exec "${launch[@]}" "$root/build/release/bin/temper-$model" "${sweep[@]}" "${options[@]}"
