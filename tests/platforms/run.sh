#!/usr/bin/env bash
# Runs the whole suite on another release of Debian, in a chroot: tests/platforms/run.sh trixie [options of ctest]
# Or on emulated CPUs of arm64, in a chroot of Debian 12: tests/platforms/run.sh arm64 [options of tests/cpu/arm64.sh]
# Needs root, debootstrap and the network. The first run takes as long as ./test.sh on a new machine; the chroot and the build
# are kept in $TEMPER_ROOTS (default: /var/tmp/temper-roots). ONEDNN_MAX_CPU_ISA, TEMPER_ISA, TEMPER_RANDOM_SHAPES and CXX are
# passed to the tests.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=${1:?usage: tests/platforms/run.sh SUITE [options of ctest], where SUITE is bookworm, trixie, testing or arm64}
shift
release=$suite
command=/temper/test.sh
if [[ $suite == arm64 ]]; then
  release=bookworm
  command=/temper/tests/cpu/arm64.sh
fi
root=${TEMPER_ROOTS:-/var/tmp/temper-roots}/$suite

if [[ ! -e $root/.complete ]]; then
  command -v debootstrap >/dev/null || { echo "run.sh: this needs the package debootstrap" >&2 && exit 2; }
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase "$release" "$root"
  touch "$root/.complete"
fi
cp -L /etc/resolv.conf /etc/hosts "$root/etc"

# Copies all files that git does not ignore, with their modification times, so that only changed ones are built again.
mkdir -p "$root/temper"
find "$root/temper" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
git -C "$source" ls-files -z --cached --others --exclude-standard |
  (cd "$source" && while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done) |
  tar -C "$source" --null -T - -c | tar -C "$root/temper" -x

variables=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
for name in ONEDNN_MAX_CPU_ISA TEMPER_ISA TEMPER_RANDOM_SHAPES CXX; do
  [[ ! -v $name ]] || variables+=("$name=${!name}")
done
# In its own mount namespace, so that nothing stays mounted.
# shellcheck disable=SC2016
exec unshare --mount bash -c '
  root=$1
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  exec chroot "$root" /usr/bin/env -i "${@:2}"' run.sh "$root" "${variables[@]}" "$command" "$@"
