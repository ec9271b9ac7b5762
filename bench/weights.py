#!/usr/bin/env python3
"""Decoding from a mapped file, from a copy of it in huge pages, and with weights made in memory, in turn, on one network.

Every round measures all three, one after the other, so that a neighbour's load meets them all; a ratio is the median of the rounds'
own. The file is dropped from the page cache first: how it was written would otherwise decide in which pages it lies there.

  bench/weights.py [--engine build/bin/xlstm] [--synthetic 1.3b] [--dtype bfloat16] [--rounds 3]
"""
import argparse
import os
import pathlib
import statistics
import sys
import tempfile

from backends import ROOT, bench

WAYS = ("memory", "map", "copy")


def drop_from_page_cache(directory):
    for path in directory.glob("*.safetensors"):
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def measure(arguments, model, way):
    source = ("--synthetic", arguments.synthetic, "--dtype", arguments.dtype) if way == "memory" else ("--model", model, "--weights", way)
    return bench(arguments.engine, *source, "--prompt-tokens", "0", "--decode-tokens", "16", "--repeats", "3")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default=str(ROOT / "build/bin/xlstm"), help="our program")
    parser.add_argument("--synthetic", default="1.3b", help="shape of the random weights")
    parser.add_argument("--dtype", default="bfloat16", help="of the random weights")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        model = str(pathlib.Path(directory) / arguments.synthetic)
        bench(arguments.engine, "--synthetic", arguments.synthetic, "--dtype", arguments.dtype, "--write", model, "--prompt-tokens", "0",
              "--decode-tokens", "1", "--repeats", "1")
        drop_from_page_cache(pathlib.Path(model))
        measure(arguments, model, "map")  # reads the file
        rounds = []
        for number in range(arguments.rounds):
            order = WAYS[number % 3:] + WAYS[:number % 3]
            rounds.append({way: measure(arguments, model, way) for way in order})
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
    print(f"decode of {arguments.synthetic} {arguments.dtype}, medians of {arguments.rounds} rounds; target {rounds[0]['map']['cpu_target']}")
    print(f"{'weights':8}{'tok/s':>8}{'of memory':>11}{'of read bandwidth':>19}{'peak RSS':>12}   ratios of each round")
    for way in WAYS:
        ratios = [one[way]["decode_tokens_per_second"] / one["memory"]["decode_tokens_per_second"] for one in rounds]
        median = {key: statistics.median(one[way][key] for one in rounds)
                  for key in ("decode_tokens_per_second", "decode_bandwidth_fraction", "peak_rss_bytes")}
        print(f"{way:8}{median['decode_tokens_per_second']:8.2f}{statistics.median(ratios):11.3f}"
              f"{median['decode_bandwidth_fraction']:19.2f}{median['peak_rss_bytes'] / 1e9:9.2f} GB   "
              + " ".join(f"{ratio:.3f}" for ratio in ratios))


if __name__ == "__main__":
    main()
