#!/bin/sh
# Installs the peers into bench/peers/.venv (several GB; only on request), runs the comparisons and keeps the results.
# Usage: bench/peers/run.sh [BUILD_DIR], default build, configured with -DXLSTM_BENCH=ON. COMPARE: flags for compare.py, as
# --with-pytorch (8 GB of memory and a minute and a half a round more).
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build}
venv=bench/peers/.venv
if ! "$venv/bin/python" -c 'import tokenizers, torch, xlstm' 2>/dev/null; then
  echo "[peers] installing bench/peers/requirements.txt into $venv" >&2
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --disable-pip-version-check -q -r bench/peers/requirements.txt
fi
bench/peers/llama_cpp.sh
tools/record.py peers-compare "$venv/bin/python" bench/peers/compare.py --engine "$build/bin/xlstm" --json ${COMPARE:-}
tools/record.py peers-pytorch "$venv/bin/python" bench/peers/pytorch_xlstm.py --engine "$build/bin/xlstm" --json
tools/record.py peers-tokenizers "$venv/bin/python" bench/tokenizer/compare.py "$build/bin/encode_bench" models/bard-8m/tokenizer.json
