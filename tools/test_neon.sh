#!/bin/sh
# Builds library and tests for aarch64 and runs them under qemu: every test on a CPU with all instruction sets, then those
# that meet the CPU's kernels on CPUs with fewer. Speed, and the weaker order of memory of real cores, are not tested so.
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)

tools/arm64_sysroot.sh build-neon/sysroot
cmake --preset neon
cmake --build --preset neon -j "$jobs"

# All that bard-8m is tested for takes an hour of emulation; its states alone have been through every part of it.
QEMU_CPU=max ctest --preset neon -j "$jobs" --no-label-summary -E '_models.*/bard_8m'
QEMU_CPU=max ctest --preset neon --no-label-summary -R '_models.*StatesAfter.*/bard_8m'
for cpu in neoverse-n1 cortex-a72; do  # dotprod, nothing
  for program in unit_base unit_kernels unit_backend; do
    echo "== $program on $cpu"
    QEMU_CPU=$cpu tools/qemu_aarch64.sh build-neon/bin/$program --gtest_brief=1
  done
done
