#!/usr/bin/env python3
"""The CPU engine on its own and as one primitive on an MLX stream (`--backend mlx-cpu`), in turn, on one checkpoint.

Every round measures both, one after the other, so that a neighbour's load meets both; a ratio is the median of the rounds' own.

  bench/backends.py [--engine build/bin/xlstm] [--synthetic 1.3b] [--rounds 5]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def bench(engine, *flags):
    done = subprocess.run([engine, "bench", *flags, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"backends: 'xlstm bench {' '.join(flags)}' ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default=str(ROOT / "build/bin/xlstm"), help="our program")
    parser.add_argument("--synthetic", default="1.3b", help="shape of the random weights, bfloat16")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        model = str(pathlib.Path(directory) / arguments.synthetic)
        bench(arguments.engine, "--synthetic", arguments.synthetic, "--write", model, "--prompt-tokens", "0",
              "--decode-tokens", "1", "--repeats", "1")
        rounds = []
        for number in range(arguments.rounds):
            backends = ("cpu", "mlx-cpu") if number % 2 == 0 else ("mlx-cpu", "cpu")
            rounds.append({backend: bench(arguments.engine, "--model", model, "--backend", backend, "--prompt-tokens", "256",
                                          "--decode-tokens", "16", "--repeats", "3") for backend in backends})
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
    print(f"{arguments.synthetic} bfloat16{'cpu':>10}{'mlx-cpu':>14}{'ratio':>8}   of each round")
    for phase in ("prefill", "decode"):
        key = phase + "_tokens_per_second"
        pairs = [(one["cpu"][key], one["mlx-cpu"][key]) for one in rounds]
        ratios = [second / first for first, second in pairs]
        print(f"{phase:13}{statistics.median(first for first, _ in pairs):8.2f} t/s"
              f"{statistics.median(second for _, second in pairs):8.2f} t/s{statistics.median(ratios):8.3f}   "
              + " ".join(f"{ratio:.3f}" for ratio in ratios))


if __name__ == "__main__":
    main()
