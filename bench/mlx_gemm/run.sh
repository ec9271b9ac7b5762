#!/bin/sh
# What OpenBLAS in front of libmlx gains: MLX's float32 matmul with the wheel's own BLAS and with OpenBLAS, in turn.
# Usage: bench/mlx_gemm/run.sh [BUILD_DIR], default build, configured with -DXLSTM_BENCH=ON -DXLSTM_MLX=ON.
set -eu
bin=${1:-build}/bin
wheel=$("$bin/mlx_gemm_wheel")
openblas=$("$bin/mlx_gemm_openblas")
printf '%s\n%s\n' "$wheel" "$openblas" | awk '
  { shape = $1 " x " $2 " x " $3 }
  !(shape in best) { best[shape] = $4; median[shape] = $5; print; next }
  { print; gains[++shapes] = sprintf("%s: %.1f times as fast (median: %.1f)", shape, $4 / best[shape], $5 / median[shape]) }
  END { for (i = 1; i <= shapes; ++i) print gains[i] }'
