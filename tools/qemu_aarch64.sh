#!/bin/sh
# Runs an aarch64 program: qemu_aarch64.sh PROGRAM ARGUMENT... QEMU_CPU picks the CPU, by default one with everything.
# The program takes this script for its own name: a death test starts its program again, which qemu cannot do for it, and
# so comes back here, with flags alone.
case ${1:-} in
  -* | "") ;;
  *) export XLSTM_EMULATED="$1"; shift ;;
esac
export QEMU_CPU="${QEMU_CPU:-max}"
exec qemu-aarch64 -L /usr/aarch64-linux-gnu -0 "$0" "${XLSTM_EMULATED:?expected a program}" "$@"
