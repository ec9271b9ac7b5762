#!/usr/bin/env python3
"""xlstm.cpp beside the reference implementation (PyTorch + the `xlstm` package, float32, native kernels), one model, one run.

Each round measures both, one after the other, so that a neighbour's load meets both. Before anything is timed the peer must
give the reference's greedy ids, so that it is known to compute the right thing. Prints a table, and JSON with --json.

  bench/peers/.venv/bin/python bench/peers/pytorch_xlstm.py [--model DIR] [--rounds N] [--json]
"""
import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/bard-8m", help="a Hugging Face xLSTM directory")
    parser.add_argument("--reference", type=pathlib.Path, default=ROOT / "tests/data/reference/bard-8m.safetensors",
                        help="golden greedy ids of that model")
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "build/bin/xlstm", help="our program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--decode-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true", help="JSON on stdout, the table on stderr")
    return parser.parse_args()


def import_peer():
    try:
        import safetensors.torch
        import torch
        from xlstm.xlstm_large.model import xLSTMLarge, xLSTMLargeConfig
    except ImportError as error:
        sys.exit(f"pytorch_xlstm: {error}; 'make bench-peers' installs the peer into bench/peers/.venv")
    return torch, safetensors.torch.load_file, xLSTMLarge, xLSTMLargeConfig


def load_peer(directory, load_file, xLSTMLarge, xLSTMLargeConfig):
    """The package's model, float32, with the weights of a Hugging Face directory (only the embedding's name differs)."""
    given = json.loads((directory / "config.json").read_text())
    given.update(mode="inference", return_last_states=True, chunkwise_kernel="chunkwise--native_autograd",
                 sequence_kernel="native_sequence__native", step_kernel="native", inference_state_dtype="float32")
    fields = {field.name for field in dataclasses.fields(xLSTMLargeConfig)}
    model = xLSTMLarge(xLSTMLargeConfig(**{key: value for key, value in given.items() if key in fields}))
    tensors = {}
    for shard in sorted(directory.glob("*.safetensors")):
        tensors.update(load_file(shard))
    tensors["embedding.weight"] = tensors.pop("backbone.embeddings.weight")
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model.eval()


class Peer:
    def __init__(self, model, torch):
        self.model = model
        self.torch = torch

    def prefill(self, ids):
        """The next id, the state, and the seconds it took. The package computes the logits of every position."""
        prompt = self.torch.tensor([ids])
        begin = time.perf_counter()
        logits, state = self.model(prompt)
        token = int(logits[0, -1].argmax())
        return token, state, time.perf_counter() - begin

    def decode(self, token, state, count):
        """Greedy ids that follow `token`, and the seconds `count` steps took."""
        ids = []
        begin = time.perf_counter()
        for _ in range(count):
            logits, state = self.model(self.torch.tensor([[token]]), state)
            token = int(logits[0, -1].argmax())
            ids.append(token)
        return ids, time.perf_counter() - begin

    def check(self, reference):
        """Stops the run unless the peer's greedy ids are the reference's."""
        for name in ("p7", "p65", "p777"):
            expected = reference[name + ".greedy"].tolist()
            token, state, _ = self.prefill(reference[name + ".tokens"].tolist())
            got = [token] + self.decode(token, state, len(expected) - 1)[0]
            if got != expected:
                sys.exit(f"pytorch_xlstm: {name}: expected greedy ids {expected} but the peer gave {got}")

    def measure(self, prompt, decode_tokens):
        self.decode(*self.prefill(prompt)[:2], 4)  # warm-up, outside the clock
        runs = [self.prefill(prompt) for _ in range(3)]
        token, state, _ = runs[-1]
        _, decode_seconds = self.decode(token, state, decode_tokens)
        return {"prefill": len(prompt) / statistics.median(seconds for _, _, seconds in runs),
                "decode": decode_tokens / decode_seconds}


def measure_engine(arguments):
    command = [arguments.engine, "bench", "--model", arguments.model, "--prompt-tokens", str(arguments.prompt_tokens),
               "--decode-tokens", str(arguments.decode_tokens), "--batch", "1", "--threads", str(arguments.threads), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"pytorch_xlstm: '{' '.join(map(str, command))}' ended with {done.returncode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    return {phase: report[phase + "_tokens_per_second"] for phase in ("prefill", "decode")}


def summarize(rounds, phase):
    """Medians over the rounds; the ratio is the median of each round's own, since a round's two halves share their neighbours."""
    pairs = [(engine[phase], peer[phase]) for engine, peer in rounds]
    return {"engine_tokens_per_second": statistics.median(engine for engine, _ in pairs),
            "peer_tokens_per_second": statistics.median(peer for _, peer in pairs),
            "ratio": statistics.median(engine / peer for engine, peer in pairs),
            "ratio_of_each_round": [round(engine / peer, 3) for engine, peer in pairs]}


def print_table(report, out):
    print(f"{'':10}{'xlstm.cpp':>14}{'peer':>14}{'ratio':>9}   of each round", file=out)
    for phase in ("prefill", "decode"):
        row = report[phase]
        print(f"{phase:10}{row['engine_tokens_per_second']:10.1f} t/s{row['peer_tokens_per_second']:10.1f} t/s"
              f"{row['ratio']:8.2f}x   {' '.join(f'{ratio:.2f}' for ratio in row['ratio_of_each_round'])}", file=out)


def main():
    arguments = parse_arguments()
    if not arguments.engine.is_file():
        sys.exit(f"pytorch_xlstm: expected our program at {arguments.engine}; run 'make build' first or give --engine")
    torch, load_file, xLSTMLarge, xLSTMLargeConfig = import_peer()
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        peer = Peer(load_peer(arguments.model, load_file, xLSTMLarge, xLSTMLargeConfig), torch)
        reference = load_file(arguments.reference)
        peer.check(reference)
        ids = reference["p777.tokens"].tolist()
        prompt = (ids * (arguments.prompt_tokens // len(ids) + 1))[:arguments.prompt_tokens]
        rounds = []
        for number in range(arguments.rounds):
            rounds.append((measure_engine(arguments), peer.measure(prompt, arguments.decode_tokens)))
            print(f"round {number + 1} of {arguments.rounds}: xlstm.cpp {rounds[-1][0]}, peer {rounds[-1][1]}", file=sys.stderr)
    report = {"model": arguments.model.name, "threads": arguments.threads, "rounds": arguments.rounds,
              "prompt_tokens": arguments.prompt_tokens, "decode_tokens": arguments.decode_tokens,
              "peer": {name: importlib.metadata.version(name) for name in ("torch", "xlstm", "mlstm_kernels")},
              "prefill": summarize(rounds, "prefill"), "decode": summarize(rounds, "decode")}
    print_table(report, sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
