#!/usr/bin/env python3
"""xlstm.cpp beside llama.cpp (a Llama of equal size) and, on request, PyTorch + `xlstm` (float32), 1.42 G parameters, one run.

Every round measures each pair one after the other, so that a neighbour's load meets both; a ratio is the median of the rounds'
own. bench/peers/llama_cpp.sh installs llama.cpp and its models; --with-pytorch needs bench/peers/.venv (see run.sh) and 8 GB.

  bench/peers/compare.py [--dtypes bfloat16,int8,int4] [--rounds 5] [--json]
  bench/peers/.venv/bin/python bench/peers/compare.py --with-pytorch
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPE = "1.3b"
LLAMA_TYPES = {"bfloat16": "bf16", "int8": "q8_0", "int4": "q4_0"}  # as many bits a weight as our dtypes


def integers(text):
    return [int(part) for part in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "build/bin/xlstm", help="our program")
    parser.add_argument("--llama", type=pathlib.Path, default=ROOT / "bench/peers/.llama", help="what llama_cpp.sh installed")
    parser.add_argument("--dtypes", type=lambda text: text.split(","), default=list(LLAMA_TYPES), help="of our weights")
    parser.add_argument("--prompt-tokens", type=integers, default=[256, 512])
    parser.add_argument("--decode-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2, help="inside a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--with-pytorch", action="store_true", help="also PyTorch + xlstm")
    parser.add_argument("--json", action="store_true", help="JSON on stdout, the table on stderr")
    arguments = parser.parse_args()
    unknown = [dtype for dtype in arguments.dtypes if dtype not in LLAMA_TYPES]
    if unknown:
        sys.exit(f"compare: --dtypes: expected some of {', '.join(LLAMA_TYPES)} but got {', '.join(unknown)}")
    return arguments


class Refused(Exception):
    """A program ended with an error; its last line says why."""


def run_json(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Refused(f"'{' '.join(map(str, command))}' ended with {done.returncode}: {lines[-1]}")
    return json.loads(done.stdout)


class Engine:
    """Our program with random weights of one dtype."""

    def __init__(self, arguments, dtype):
        prompts = ",".join(map(str, arguments.prompt_tokens))
        self.name = f"xlstm.cpp {dtype}"
        self.command = [arguments.engine, "bench", "--synthetic", SHAPE, "--dtype", dtype, "--sweep", f"prompt={prompts}",
                        "--decode-tokens", arguments.decode_tokens, "--repeats", arguments.repeats, "--threads",
                        arguments.threads, "--json"]
        self.about = {}

    def measure(self):
        """phase -> (median, best) tokens a second."""
        rows = run_json(self.command)
        self.about = {key: rows[0][key] for key in ("commit", "cpu_target", "activation_dtype", "state_dtype")}
        figures = {f"prefill {row['prompt_tokens']}": (row["prefill_tokens_per_second"], row["prefill_best_tokens_per_second"])
                   for row in rows}
        figures["decode"] = (statistics.median(row["decode_tokens_per_second"] for row in rows),
                             max(row["decode_best_tokens_per_second"] for row in rows))
        return figures


class LlamaCpp:
    """llama-bench on the file that write_gguf.py wrote; decoding begins with an empty context."""

    def __init__(self, arguments, dtype):
        kind = LLAMA_TYPES[dtype]
        self.name = f"llama.cpp {kind}"
        program, model = arguments.llama / "llama-bench", arguments.llama / f"{SHAPE}-{kind}.gguf"
        for path in (program, model):
            if not path.is_file():
                sys.exit(f"compare: expected {path}; bench/peers/llama_cpp.sh installs it")
        self.command = [program, "-m", model, "-t", arguments.threads, "-p", ",".join(map(str, arguments.prompt_tokens)),
                        "-n", arguments.decode_tokens, "-r", arguments.repeats, "-o", "json"]

    def measure(self):
        figures = {}
        for row in run_json(self.command):
            phase = f"prefill {row['n_prompt']}" if row["n_prompt"] else "decode"
            figures[phase] = (statistics.median(row["samples_ts"]), max(row["samples_ts"]))
        return figures


class PyTorch:
    """The reference package with random weights; that it computes the right thing is checked by pytorch_xlstm.py."""

    name = "PyTorch float32"

    def __init__(self, arguments):
        import pytorch_xlstm
        torch, _, xLSTMLarge, xLSTMLargeConfig = pytorch_xlstm.import_peer()
        torch.set_num_threads(arguments.threads)
        self.inference_mode, self.arguments = torch.inference_mode, arguments
        self.peer = pytorch_xlstm.Peer(xLSTMLarge(xLSTMLargeConfig(
            embedding_dim=2048, num_heads=4, num_blocks=24, vocab_size=50304, mode="inference", return_last_states=True,
            chunkwise_kernel="chunkwise--native_autograd", sequence_kernel="native_sequence__native", step_kernel="native",
            inference_state_dtype="float32")).eval(), torch)

    def measure(self):
        figures = {}
        with self.inference_mode():
            for prompt in self.arguments.prompt_tokens:
                rates, steps = [], []
                for _ in range(self.arguments.repeats):
                    token, state, seconds = self.peer.prefill(list(range(prompt)))
                    rates.append(prompt / seconds)
                    steps.append(self.arguments.decode_tokens / self.peer.decode(token, state, self.arguments.decode_tokens)[1])
                figures[f"prefill {prompt}"] = (statistics.median(rates), max(rates))
                figures["decode"] = (statistics.median(steps), max(steps))
        return figures


def make_pairs(arguments):
    """(ours, peer) to be measured side by side; a dtype that this build of ours does not have is left out, aloud."""
    pairs = []
    for dtype in arguments.dtypes:
        try:
            run_json([arguments.engine, "bench", "--synthetic", "step64", "--dtype", dtype, "--prompt-tokens", 0,
                      "--decode-tokens", 1, "--repeats", 1, "--json"])
        except Refused as refused:
            print(f"compare: {dtype} is left out, this xlstm does not have it: {refused}", file=sys.stderr)
            continue
        pairs.append((Engine(arguments, dtype), LlamaCpp(arguments, dtype)))
    if not pairs:
        sys.exit("compare: nothing is left to compare")
    if arguments.with_pytorch:
        pairs.append((pairs[0][0], PyTorch(arguments)))
    return pairs


def measure_rounds(pairs, rounds):
    """Of each pair the figures of every round; who begins changes from round to round."""
    measured = [[] for _ in pairs]
    for number in range(rounds):
        for results, (ours, peer) in zip(measured, pairs):
            first, second = (ours, peer) if number % 2 == 0 else (peer, ours)
            figures = {first: first.measure()}
            figures[second] = second.measure()
            results.append((figures[ours], figures[peer]))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return measured


def summarize(ours, peer, results, phase):
    ratios = [mine[phase][0] / theirs[phase][0] for mine, theirs in results]
    row = {"phase": phase, "ours": ours.name, "peer": peer.name, "ratio": statistics.median(ratios),
           "ratio_of_each_round": [round(ratio, 3) for ratio in ratios]}
    for side, name in enumerate(("ours", "peer")):
        row[name + "_tokens_per_second"] = statistics.median(result[side][phase][0] for result in results)
        row[name + "_best_tokens_per_second"] = max(result[side][phase][1] for result in results)
    row["ratio_of_bests"] = row["ours_best_tokens_per_second"] / row["peer_best_tokens_per_second"]
    return row


def print_table(rows, out):
    print(f"{'tokens / s':12}{'ours':20}{'median':>9}{'best':>9}   {'peer':18}{'median':>9}{'best':>9}{'ratio':>9}{'of bests':>10}"
          "   ratio of each round", file=out)
    for row in rows:
        print(f"{row['phase']:12}{row['ours']:20}{row['ours_tokens_per_second']:9.2f}{row['ours_best_tokens_per_second']:9.2f}   "
              f"{row['peer']:18}{row['peer_tokens_per_second']:9.2f}{row['peer_best_tokens_per_second']:9.2f}"
              f"{row['ratio']:8.2f}x{row['ratio_of_bests']:9.2f}x   "
              + " ".join(f"{ratio:.2f}" for ratio in row["ratio_of_each_round"]), file=out)


def main():
    arguments = parse_arguments()
    if not arguments.engine.is_file():
        sys.exit(f"compare: expected our program at {arguments.engine}; run 'make build' first or give --engine")
    pairs = make_pairs(arguments)
    try:
        measured = measure_rounds(pairs, arguments.rounds)
    except Refused as refused:
        sys.exit(f"compare: {refused}")
    phases = ["decode"] + [f"prefill {prompt}" for prompt in arguments.prompt_tokens]
    rows = [summarize(*pair, results, phase) for phase in phases for pair, results in zip(pairs, measured)]
    print_table(rows, sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "rounds": arguments.rounds, "decode_tokens": arguments.decode_tokens,
                          "engines": {ours.name: ours.about for ours, _ in pairs}, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
