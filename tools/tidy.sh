#!/bin/sh
# clang-tidy (.clang-tidy) over the library and the programs. Usage: tools/tidy.sh BUILD_FOLDER [FILE...]
set -eu
cd "$(dirname "$0")/.."
build=$1
shift
[ $# -gt 0 ] || set -- $(find xlstm apps -name '*.cpp' ! -path '*no_mlx*')
[ -f "$build/compile_commands.json" ] || { echo "tidy: expected $build/compile_commands.json; run 'make build' first" >&2; exit 1; }
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build"
