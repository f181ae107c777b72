# Builds for arm64 on another machine, with Debian's cross compiler, its packages of architecture arm64, and QEMU for what
# the build runs: cmake --preset arm64. tests/platforms/run.sh arm64 installs and does all of it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
