#!/bin/sh
# Speed of the models beside the machine's own ceilings, measured in the same run. Each result is kept in bench/results/.
# Usage: bench/run.sh [BUILD_DIR], default build, configured with -DXLSTM_BENCH=ON.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
speed() { # NAME FLAG...: xlstm bench, kept as NAME
  name=$1
  shift
  tools/record.py "$name" "$build/bin/xlstm" bench "$@" --prompt-tokens 512 --decode-tokens 64 --batch 1 --json
}
speed bard-8m --model models/bard-8m
speed 165m-bfloat16 --synthetic 165m --dtype bfloat16
for dtype in bfloat16 int8 int4; do
  speed "1.3b-$dtype" --synthetic 1.3b --dtype "$dtype"
done
tools/record.py step64 "$build/bin/xlstm" bench --synthetic step64 --prompt-tokens 0 --decode-tokens 1000
tools/record.py profile-1.3b-bfloat16 "$build/bin/xlstm" bench --synthetic 1.3b --prompt-tokens 256 --profile
for dtype in bfloat16 int8 int4; do
  for flag in '' --no-batch-invariant; do
    # shellcheck disable=SC2086 # no flag is no word
    tools/record.py "batch$flag-1.3b-$dtype" "$build/bin/xlstm" bench --synthetic 1.3b --dtype "$dtype" --prompt-tokens 0 \
      --decode-tokens 8 --repeats 3 $flag --sweep batch=1,2,4,8,16,32
  done
done
for model in models/bard-8m 1.3b:int4; do
  tools/record.py "state-$(basename "${model%:*}")" "$build/bin/state_bench" "$model" tests/data/text/val.txt 1000
done
tools/record.py positions "$build/bin/xlstm" bench --positions 1000,10000,100000,1000000
tools/record.py weights-1.3b-bfloat16 bench/weights.py --engine "$build/bin/xlstm"
tools/record.py requests-1.3b-int4 "$build/bin/xlstm" bench --synthetic 1.3b --dtype int4 --requests 16 --decode-tokens 32
tools/record.py requests-bard-8m "$build/bin/xlstm" bench --requests 16 --decode-tokens 64 --long-prompt 100000
tools/record.py state-7b "$build/bin/state_bench" 7b:int4 tests/data/text/val.txt 200
tools/record.py masks-bard-8m "$build/bin/step_bench" models/bard-8m
tools/record.py masks-1.3b-int4 "$build/bin/step_bench" 1.3b:int4
tools/record.py speculative-bard-8m "$build/bin/speculative_bench" models/bard-8m 48 tests/data/text/val.txt
for target in $("$build/bin/xlstm" info --json | python3 -c 'import json, sys; print(*json.load(sys.stdin)["cpu_targets"])'); do
  XLSTM_CPU_TARGET=$target tools/record.py "kernels-$target" "$build/bin/kernels_bench" --benchmark_min_time=0.2
done
if [ -x "$build/bin/mlx_gemm_openblas" ]; then # built with the MLX backends
  tools/record.py backends bench/backends.py --engine "$build/bin/xlstm"
  tools/record.py mlx-gemm bench/mlx_gemm/run.sh "$build"
fi
