#!/usr/bin/env bash
# Builds and uses Temper in every way that projects do: tests/packaging/run.sh [NAME...]; --list lists the names.
# Each builds the libraries once more (minutes; a compiler cache helps: CMAKE_CXX_COMPILER_LAUNCHER=ccache).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=cmake/setup.sh
source "$root/cmake/setup.sh"

work=$root/build/packaging
consumer=$root/tests/consumer

# library <name> [option of cmake]...: the libraries, without programs and tests, built in $work/<name>/build.
library() {
  local name=$1
  shift
  cmake -S "$root" -B "$work/$name/build" -G Ninja -DTEMPER_TESTS=OFF -DTEMPER_PROGRAMS=OFF -DTEMPER_WERROR=ON "$@"
  cmake --build "$work/$name/build"
}
# user <name> [option of cmake]...: a user's project on the installed library; its program trains a few steps.
user() {
  local name=$1
  shift
  cmake --install "$work/$name/build" --prefix "$work/$name/prefix"
  cmake -S "$consumer" -B "$work/$name/user" -G Ninja "-DCMAKE_PREFIX_PATH=$work/$name/prefix" "$@"
  cmake --build "$work/$name/user"
  trains "$work/$name/user/check"
}
trains() { OMP_NUM_THREADS=1 "$@" | tee /dev/stderr | grep -q '^loss .* -> '; }

debug() { library debug -DCMAKE_BUILD_TYPE=Debug && user debug; }
relwithdebinfo() { library relwithdebinfo -DCMAKE_BUILD_TYPE=RelWithDebInfo && user relwithdebinfo; }
lto() {
  library lto -DCMAKE_BUILD_TYPE=Release -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON
  user lto -DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON -DCMAKE_POLICY_DEFAULT_CMP0069=NEW
}
cxx23() {
  library cxx23 -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=23
  user cxx23 -DCMAKE_CXX_STANDARD=23 "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
}
spaces() { library "with spaces" -DCMAKE_BUILD_TYPE=Release && user "with spaces"; }
clang() { library clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=clang++ && user clang -DCMAKE_CXX_COMPILER=clang++; }
shared() {
  library shared -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON
  user shared
  readelf -d "$work"/shared/prefix/lib/libtemper_engine.so | grep 'SONAME.*\[libtemper_engine.so.[0-9]*\.[0-9]*\]'
  # Nothing leaves the libraries but Temper's names.
  nm -DC --defined-only "$work"/shared/prefix/lib/libtemper_*.so >"$work/shared/names"
  if grep -v temper "$work/shared/names" | grep ' [A-Zu] '; then false; fi
  # Linked after the libraries, and with a linker that drops what is not needed before it.
  local flags
  flags=$(PKG_CONFIG_PATH=$work/shared/prefix/lib/pkgconfig pkg-config --cflags --libs temper)
  # shellcheck disable=SC2086
  c++ -Wl,--as-needed "$consumer/check.cpp" $flags -o "$work/shared/as-needed"
  LD_LIBRARY_PATH=$work/shared/prefix/lib trains "$work/shared/as-needed"
}
absolute() {  # install folders as Nix and Guix have them; CMake refuses those inside the source folder
  local out flags
  out=$(mktemp -d)
  library absolute -DCMAKE_BUILD_TYPE=Release "-DCMAKE_INSTALL_LIBDIR=$out/lib" "-DCMAKE_INSTALL_INCLUDEDIR=$out/include"
  cmake --install "$work/absolute/build"
  flags=$(PKG_CONFIG_PATH=$out/lib/pkgconfig pkg-config --cflags --libs temper)
  # shellcheck disable=SC2086
  c++ "$consumer/check.cpp" -Wl,--as-needed $flags -o "$work/absolute/check"
  rm -r "$out"
  trains "$work/absolute/check"
}
multi() {  # several configurations in one build
  cmake -S "$root" -B "$work/multi/build" -G "Ninja Multi-Config" -DTEMPER_PROGRAMS=OFF
  cmake --build "$work/multi/build" --config Release --target test_core test_structure temper_models
  "$work/multi/build/tests/Release/test_structure"
}
exporting() {  # a parent project that installs a library of its own
  mkdir -p "$work/exporting/source"
  cat >"$work/exporting/source/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(parent LANGUAGES CXX)
set(TEMPER_INSTALL ON)
add_subdirectory($root temper)
add_library(parent parent.cpp)
target_link_libraries(parent PUBLIC temper::framework)
install(TARGETS parent EXPORT parent)
install(EXPORT parent FILE parent-targets.cmake NAMESPACE parent:: DESTINATION lib/cmake/parent)
END
  echo '#include <temper/temper.hpp>' >"$work/exporting/source/parent.cpp"
  cmake -S "$work/exporting/source" -B "$work/exporting/build" -G Ninja -DCMAKE_BUILD_TYPE=Release
  cmake --build "$work/exporting/build"
  cmake --install "$work/exporting/build" --prefix "$work/exporting/prefix"
  [[ -e $work/exporting/prefix/lib/cmake/parent/parent-targets.cmake ]]
}
not_root() {  # the sources belong to another user, who may write only to the build folder
  mkdir -p "$work/not_root"
  chown nobody "$work/not_root"
  runuser -u nobody -- env HOME="$work/not_root" cmake -S "$root" -B "$work/not_root/build" -G Ninja -DTEMPER_TESTS=OFF \
    -DTEMPER_PROGRAMS=OFF -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER_LAUNCHER=
  runuser -u nobody -- cmake --build "$work/not_root/build" --target temper_engine
}
debian() {  # packages of this system's release of Debian, installed where there is nothing but Debian; root, debootstrap, network
  cmake -S "$root" -B "$work/debian/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DTEMPER_TESTS=OFF \
    -DTEMPER_WERROR=ON
  cmake --build "$work/debian/build"
  rm -f "$work"/debian/packages/*.deb
  cpack --config "$work/debian/build/CPackConfig.cmake" -B "$work/debian/packages"
  local bare=${TEMPER_ROOTS:-/var/tmp/temper-roots}/bare release
  # shellcheck source=/dev/null
  release=$(source /etc/os-release && echo "$VERSION_CODENAME")
  if [[ ! -e $bare/.complete ]]; then
    rm -rf --one-file-system "$bare"
    debootstrap --variant=minbase "$release" "$bare"
    touch "$bare/.complete"
  fi
  cp -L /etc/resolv.conf /etc/hosts "$bare/etc"
  rm -rf "$bare/temper"
  mkdir -p "$bare/temper"
  cp -r "$work"/debian/packages/*.deb "$consumer" "$bare/temper"
  # shellcheck disable=SC2016
  unshare --mount bash -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive bash -exc "$2"
  ' debian "$bare" '
    apt-get -q update
    apt-get -q -y purge temper-models libtemper-dev g++ cmake lintian || true
    apt-get -q -y autoremove
    apt-get -q -y install /temper/temper-models_*.deb
    cd /tmp && rm -rf runs && OMP_NUM_THREADS=1 temper-cnn --steps 20 | tee cnn.txt
    grep "test accuracy" cnn.txt
    apt-get -q -y install --no-install-recommends lintian man-db g++ cmake ninja-build pkgconf
    lintian --fail-on error /temper/*.deb
    apt-get -q -y install /temper/libtemper-dev_*.deb
    cmake -S /temper/consumer -B /temper/build -G Ninja && cmake --build /temper/build
    OMP_NUM_THREADS=1 /temper/build/check
    g++ /temper/consumer/check.cpp $(pkg-config --cflags --libs temper) -o /temper/check && OMP_NUM_THREADS=1 /temper/check'
}
conan() {  # needs Conan 2, of PyPI
  env "CONAN_HOME=$work/conan" conan profile detect --exist-ok
  env "CONAN_HOME=$work/conan" conan create "$root/packaging/conan" | tee /dev/stderr | grep '^loss .* -> '
}
vcpkg() {
  cmake "-DWORK=$work/vcpkg" -P "$root/tests/packaging/vcpkg.cmake"
  cmake -S "$consumer" -B "$work/vcpkg/user" -G Ninja "-DCMAKE_PREFIX_PATH=$work/vcpkg/temper"
  cmake --build "$work/vcpkg/user"
  trains "$work/vcpkg/user/check"
}

all=(debug relwithdebinfo lto cxx23 spaces clang shared absolute multi exporting not_root debian conan vcpkg)
if [[ ${1-} == --list ]]; then
  printf '%s\n' "${all[@]}"
  exit
fi
(($#)) || set -- "${all[@]}"
need_packages "${build_packages[@]}" doctest-dev pkgconf
failed=()
for name in "$@"; do
  [[ " ${all[*]} " == *" $name "* ]] || die "there is no '$name'; there are: ${all[*]}"
done
for name in "$@"; do
  mkdir -p "$work"
  log=$work/$name.log
  # In a process of its own, in which each failing command ends the function.
  if bash -euo pipefail -c "$(declare -p work root consumer); $(declare -f); $name" >"$log" 2>&1; then
    say "$name: passed"
  else
    say "$name: FAILED, see $log"
    failed+=("$name")
  fi
done
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
