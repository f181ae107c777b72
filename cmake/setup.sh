# shellcheck shell=bash
# What run.sh and test.sh share: Debian's packages and the quiet build. Sourced, with `root` set to the project's folder.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  say "$@"
  exit 2
}

# The names are the same on Debian 12, 13 and testing and on Ubuntu 24.04 and 26.04, but for what a system does not have.
# CONTRIBUTING.md says which of them were tried. SentencePiece's headers of Debian testing include Abseil's. The users of these
# lists are the scripts that source this file.
# shellcheck disable=SC2034
build_packages=(
  g++ cmake ninja-build libdnnl-dev libxsimd-dev libcli11-dev nlohmann-json3-dev libfmt-dev zlib1g-dev
  libsentencepiece-dev libabsl-dev libutf8proc-dev libpng-dev libjpeg-dev librandom123-dev libtomlplusplus-dev
)
# For training on several processes. Optional: without them Temper is built for one.
# shellcheck disable=SC2034
mpi_packages=(libopenmpi-dev openmpi-bin)
# The same for a build for arm64 on another machine, where packages are of the one architecture or the other.
# shellcheck disable=SC2034
arm64_packages=(
  g++-aarch64-linux-gnu cmake ninja-build libdnnl-dev:arm64 libxsimd-dev:arm64 libcli11-dev nlohmann-json3-dev libfmt-dev:arm64
  zlib1g-dev:arm64 libsentencepiece-dev:arm64 libutf8proc-dev:arm64 libpng-dev:arm64 libjpeg-dev:arm64 librandom123-dev
  libtomlplusplus-dev:arm64
)
# shellcheck disable=SC2034
fashion_packages=(dataset-fashion-mnist)
# shellcheck disable=SC2034
bible_packages=(bible-kjv bible-kjv-text)
# shellcheck disable=SC2034
wordnet_packages=(wordnet-base)
# Weekly CO2 on Mauna Loa is one of its data sets.
# shellcheck disable=SC2034
series_packages=(python3-statsmodels)
# shellcheck disable=SC2034
bench_packages=(libbenchmark-dev python3)
# OpenBLAS is the fastest BLAS library for LibTorch; which of its two builds is faster depends on the workload.
# shellcheck disable=SC2034
bench_torch_packages=(libtorch-dev libopenblas0-pthread libopenblas0-openmp)
# shellcheck disable=SC2034
bench_loader_packages=(python3-torch python3-numpy)
# shellcheck disable=SC2034
test_packages=(doctest-dev doxygen pkgconf qemu-user python3-numpy python3-protobuf "${mpi_packages[@]}" "${bible_packages[@]}" "${wordnet_packages[@]}" dataset-fashion-mnist)

# "ubuntu 24.04", or the name alone where a system has no version (Debian testing)
system() {
  local ID=unknown VERSION_ID=
  # shellcheck source=/dev/null
  [[ ! -r ${TEMPER_OS_RELEASE:-/etc/os-release} ]] || source "${TEMPER_OS_RELEASE:-/etc/os-release}"
  printf '%s' "$ID${VERSION_ID:+ $VERSION_ID}"
}

# missing_on <system>: the packages of these lists that it does not have.
missing_on() {
  case $1 in
    "ubuntu 24.04") echo libtorch-dev python3-torch chromium ;;
    "ubuntu 26.04") echo chromium ;;
  esac
}

# need_packages <package>...: installs missing packages. Prints nothing and does not use the network if all are installed.
need_packages() {
  local system
  system=$(system)
  command -v dpkg-query >/dev/null ||
    die "this installs packages by apt, on Debian 12, 13 and testing and on Ubuntu 24.04 and 26.04; this system is $system. \
It needs g++ 12 or clang++ 14, or newer, CMake 3.25, and what these packages of Debian hold: $*"
  case $system in
    "ubuntu 2"[0-3].* | "ubuntu 1"* | "debian "[1-9] | "debian 1"[01])
      die "$system is too old: its compiler and its oneDNN are. This needs Debian 12 or Ubuntu 24.04, or newer" ;;
  esac
  local absent
  for absent in $(missing_on "$system"); do
    [[ " $* " != *" $absent "* ]] || die "$system has no package $absent, which this needs"
  done

  local installed package missing=()
  installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ${db:Status-Status}=${Package}:${Architecture} ' "$@" 2>/dev/null || true) "
  for package in "$@"; do
    [[ $installed == *" installed=$package "* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  local as_root=()
  local by_hand="apt-get install -y --no-install-recommends ${missing[*]}"
  if (($(id -u) != 0)); then
    # Without a terminal, sudo cannot ask for a password.
    if command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
      as_root=(sudo)
    else
      die "packages are missing, and installing them takes root: $by_hand"
    fi
  fi

  say "installing ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120)
  local log
  log=$(mktemp)
  # If a package list cannot be refreshed, the installation may still succeed.
  "${apt[@]}" update </dev/null >"$log" 2>&1 || true
  if ! "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "apt could not install the packages (see above); by hand: $by_hand"
  fi
  rm -f "$log"
}

# configure <preset> [<option>...]: runs cmake, and prints its output only if it fails.
configure() {
  local preset=$1 log
  log=$(mktemp)
  # shellcheck disable=SC2154
  if ! (cd "$root" && cmake --preset "$@") >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "cmake could not configure $root/build/$preset (see above)"
  fi
  rm -f "$log"
}

# build <preset> [<target>...]: configures once, then builds what has changed. Prints one line, on a terminal with progress
# and remaining time, and the compiler's messages; nothing if nothing has changed.
build() {
  local preset=$1
  # shellcheck disable=SC2154
  local folder=$root/build/$preset
  shift
  # If another command builds in the folder, waits for it.
  local lock
  mkdir -p "$root/build"
  exec {lock}>"$folder.lock"
  if ! flock -n "$lock"; then
    say "waiting for another build in $folder"
    flock "$lock"
  fi
  if [[ ! -e $folder/build.ninja || $root/CMakePresets.json -nt $folder/build.ninja ]]; then
    configure "$preset"
  fi
  NINJA_STATUS='[%f/%t] ' ninja -C "$folder" -j "$(nproc)" "$@" 2>&1 | show_build "$folder" ||
    die "the build in $folder failed (see above)"
  exec {lock}>&-
}

# progress <done> <all> <seconds so far>: "57 of 231, 1:05 left"; at first without the remaining time.
progress() {
  printf '%d of %d' "$1" "$2"
  (($1 < 5)) || printf ', %d:%02d left' $(($3 * ($2 - $1) / $1 / 60)) $(($3 * ($2 - $1) / $1 % 60))
}

show_build() {
  local line counter begun announced=
  while IFS= read -r line; do
    case $line in
      "ninja: Entering"* | "ninja: no work"* | "-- "* | "["*"] Re-"*) ;;
      "["[0-9]*/[0-9]*"] "*)
        if [[ ! $announced ]]; then
          say "building in $1 (minutes the first time)"
          announced=yes
          begun=$SECONDS
        fi
        if [[ -t 2 ]]; then
          counter=${line%%]*}
          counter=${counter#[}
          printf '\r%s\e[K' "$(progress "${counter%/*}" "${counter#*/}" $((SECONDS - begun)))" >&2
        fi
        ;;
      *)
        [[ ! $announced || ! -t 2 ]] || printf '\r\e[K' >&2
        printf '%s\n' "$line" >&2
        ;;
    esac
  done
  [[ ! $announced || ! -t 2 ]] || printf '\r\e[K' >&2
}
