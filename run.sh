#!/usr/bin/env bash
# ./run.sh [MODEL] [options]: installs what is missing, builds, trains. See ./run.sh --help.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

# A model is a folder of models/ with a training program.
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

Installs what is missing (Debian packages, with apt), builds, and trains MODEL, by default cnn.

Models: ${models[*]}

./run.sh MODEL --help lists the options of a model. ./test.sh runs the tests.
END
    exit 0
    ;;
esac

model=cnn
if (($#)) && [[ $1 != -* ]]; then
  model=$1
  shift
fi
[[ " ${models[*]} " == *" $model "* ]] || die "there is no model '$model'; there are: ${models[*]}"

need_packages "${build_packages[@]}" "${fashion_packages[@]}"
build release "temper-$model"
exec "$root/build/release/bin/temper-$model" "$@"
