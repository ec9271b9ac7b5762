#!/usr/bin/env python3
"""What quantising and narrower activations do to a model's predictions: every format on one text, as a Markdown table.

Each row is `xlstm perplexity --compare` against the model as it is with float32 activations; the formats are made by `xlstm
convert` and `xlstm quantize` in a temporary directory. The mixed recipes measure on a text that the model writes itself.

  bench/quality.py [--engine build/bin/xlstm] [--model models/bard-8m] [--text tests/data/text/val.txt]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMATS = (
    [(dtype, ["convert", "--dtype", dtype]) for dtype in ("float32", "bfloat16", "float16")]
    + [(f"int{bits} g{group}", ["quantize", "--bits", str(bits), "--group-size", str(group)])
       for bits in (8, 4) for group in (32, 64, 128)]
    + [(f"int{bits} g64, --scales mlx", ["quantize", "--bits", str(bits), "--scales", "mlx"]) for bits in (8, 4)]
    + [("int4 g64, --keep head,embeddings", ["quantize", "--keep", "head,embeddings"])]
    + [(f"mixed g64, --target-bits {target}", ["quantize", "--target-bits", str(target)]) for target in (5, 6)])
ACTIVATIONS = {"float32": ("bfloat16",), "bfloat16": ("bfloat16",), "int8 g64": ("float32", "bfloat16", "int8"),
               "int4 g64": ("float32", "bfloat16", "int16"), "mixed g64, --target-bits 5": ("float32",)}


def run(engine, *arguments):
    done = subprocess.run([engine, *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"quality: 'xlstm {' '.join(map(str, arguments))}' ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def row(name, activations, size, found):
    other = found["compared"]
    print(f"| {name} | {activations} | {size / 1e6:.2f} | {other['perplexity']:.4f} | {other['perplexity_change_percent']:+.3f} "
          f"| {other['mean_kl']:.2e} | {other['max_kl']:.2e} | {100 * other['top1_agreement']:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default=str(ROOT / "build/bin/xlstm"), help="our program")
    parser.add_argument("--model", default=str(ROOT / "models/bard-8m"))
    parser.add_argument("--text", default=str(ROOT / "tests/data/text/val.txt"))
    arguments = parser.parse_args()
    print("| format | activations | MB | perplexity | change % | mean KL | max KL | top-1 agreement % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as directory:
        for number, (name, command) in enumerate(FORMATS):
            model = pathlib.Path(directory) / str(number)
            size = run(arguments.engine, *command, "--model", arguments.model, "--output", model)["bytes"]
            compare = ["perplexity", "--model", arguments.model, "--file", arguments.text, "--compare", model]
            default = run(arguments.engine, "info", "--model", model)["activation_dtype"]
            row(name, default, size, run(arguments.engine, *compare))
            for activations in ACTIVATIONS.get(name, ()):
                row(name, activations, size, run(arguments.engine, *compare, "--activation-dtype", activations))


if __name__ == "__main__":
    main()
