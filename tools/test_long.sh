#!/bin/sh
# The tests that "make test" has no time for: every test under the sanitizers, without MLX and on aarch64, long fuzzing, soak.
# Every part runs even if one before it failed; its output is kept in bench/results/. FUZZ_SECONDS: time of each fuzz target;
# SOAK_SECONDS: of each soak test (1800).
# Usage: tools/test_long.sh [PART...], default: no-mlx asan-ubsan tsan neon fuzz soak
set -u
cd "$(dirname "$0")/.."
jobs=$(nproc)
failed=

# Configures, builds and runs every test of a preset, the long ones included.
test_preset() {
  cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs" && ctest --preset "$1" -j "$jobs" --no-label-summary
}

# Runs each fuzz target from its kept corpus; what it finds goes to build-fuzz/ (a crash belongs into tests/fuzz afterwards).
fuzz() {
  cmake --preset fuzz && cmake --build --preset fuzz -j "$jobs" || return 1
  targets=$(find build-fuzz/bin -name 'fuzz_*' -type f -perm -u+x | sort)
  [ -n "$targets" ] || { echo "test_long: expected fuzz targets in build-fuzz/bin, found none"; return 1; }
  status=0
  for target in $targets; do
    name=$(basename "$target")
    mkdir -p "build-fuzz/corpus/$name" build-fuzz/crashes
    echo "== $name"
    "$target" -max_total_time="${FUZZ_SECONDS:-300}" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -verbosity=0 -artifact_prefix="build-fuzz/crashes/$name-" "build-fuzz/corpus/$name" tests/fuzz/corpus || status=1
  done
  return $status
}

soak() {
  cmake --preset release && cmake --build --preset release -j "$jobs" && SOAK_SECONDS=${SOAK_SECONDS:-1800} ctest --preset release -L long -j "$jobs" --no-label-summary
}

part() {
  case $1 in
    no-mlx | asan-ubsan | tsan) test_preset "$1" ;;
    neon) tools/test_neon.sh ;;
    fuzz) fuzz ;;
    soak) soak ;;
    *) echo "test_long: no part '$1': expected no-mlx, asan-ubsan, tsan, neon, fuzz or soak" && return 2 ;;
  esac
}

if [ "${1:-}" = --part ]; then  # the way record.py calls back
  part "$2"
  exit
fi
[ $# -gt 0 ] || set -- no-mlx asan-ubsan tsan neon fuzz soak
for name in "$@"; do
  tools/record.py "test-long-$name" tools/test_long.sh --part "$name" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "test_long: failed:$failed" >&2; exit 1; }
echo "test_long: all parts passed: $*"
