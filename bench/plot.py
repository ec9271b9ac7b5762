#!/usr/bin/env python3
"""Draws what `xlstm bench --csv FILE` wrote, as a PNG.

A sweep becomes throughput against batch and against prompt, one line for each value of the rest; positions become the latency
of a step and the resident memory against position. matplotlib goes into a folder of its own, on request:

  python3 -m venv bench/.venv && bench/.venv/bin/pip install matplotlib
  bench/.venv/bin/python bench/plot.py sweep.csv [sweep.png]
"""
import argparse
import csv
import pathlib
import sys


def import_pyplot():
    try:
        import matplotlib
    except ImportError as error:
        sys.exit(f"plot: {error}; install it with: python3 -m venv bench/.venv && bench/.venv/bin/pip install matplotlib")
    matplotlib.use("Agg")  # no display
    from matplotlib import pyplot
    return pyplot


def read_rows(path):
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        sys.exit(f"plot: {path}: {error.strerror}")
    if not rows:
        sys.exit(f"plot: {path}: expected a line of names and rows but found none")
    return rows


def lines_of(rows, x, y, others):
    """label -> points (x, median, best) in order of x, for rows where y was measured."""
    lines = {}
    for row in rows:
        if float(row[y + "_tokens_per_second"]) == 0:
            continue
        label = ", ".join(f"{name.removesuffix('_tokens')} {row[name]}" for name in others)
        lines.setdefault(label, []).append((int(row[x]), float(row[y + "_tokens_per_second"]),
                                            float(row[y + "_best_tokens_per_second"])))
    return {label: sorted(points) for label, points in lines.items()}


def varying(rows, names):
    return [name for name in names if len({row[name] for row in rows}) > 1]


def draw_throughput(axes, rows, x, phase, others):
    """Median as a line, best as a faint one above it."""
    for label, points in lines_of(rows, x, phase, others).items():
        at, median, best = zip(*points)
        line, = axes.plot(at, median, marker="o", label=label or None)
        axes.plot(at, best, color=line.get_color(), alpha=0.3)
    axes.set(xlabel=x.removesuffix("_tokens"), ylabel=f"{phase}, tokens / s", xscale="log")
    axes.set_xticks(sorted({int(row[x]) for row in rows}), labels=sorted({int(row[x]) for row in rows}))
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")


def draw_sweep(pyplot, rows):
    axes_of = varying(rows, ["batch", "prompt_tokens", "threads", "decode_tokens"])
    panels = []
    for x in (name for name in ("batch", "prompt_tokens") if name in axes_of):
        panels += [(x, phase) for phase in ("decode", "prefill") if any(float(row[phase + "_tokens_per_second"]) for row in rows)]
    panels = [(x, phase) for x, phase in panels if (x, phase) != ("prompt_tokens", "decode")]  # a state is as large as ever
    if not panels:
        sys.exit("plot: expected a sweep over batch or prompt")
    figure, all_axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4), squeeze=False)
    for axes, (x, phase) in zip(all_axes[0], panels):
        draw_throughput(axes, rows, x, phase, [name for name in axes_of if name != x])
    return figure


def draw_positions(pyplot, rows):
    figure, (latency, memory) = pyplot.subplots(1, 2, figsize=(10, 4))
    at = [int(row["position"]) for row in rows]
    for name, label in (("step_median_seconds", "median"), ("step_best_seconds", "best")):
        latency.plot(at, [float(row[name]) * 1e6 for row in rows], marker="o", label=label)
    memory.plot(at, [int(row["rss_bytes"]) / 2**20 for row in rows], marker="o")
    latency.set(xlabel="position", ylabel="decode step, us", xscale="log")
    memory.set(xlabel="position", ylabel="resident memory, MiB", xscale="log")
    for axes in (latency, memory):
        axes.set_ylim(0, 1.2 * axes.dataLim.ymax)
    latency.legend(fontsize="small")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=pathlib.Path, help="what --csv wrote for --sweep or --positions")
    parser.add_argument("png", type=pathlib.Path, nargs="?", help="beside the CSV if not given")
    arguments = parser.parse_args()
    rows = read_rows(arguments.csv)
    pyplot = import_pyplot()
    if "position" in rows[0]:
        figure = draw_positions(pyplot, rows)
    elif "prefill_tokens_per_second" in rows[0]:
        figure = draw_sweep(pyplot, rows)
    else:
        sys.exit(f"plot: {arguments.csv}: expected the rows of --sweep or --positions")
    first = rows[0]
    figure.suptitle(f"{first['model']}, {first['dtype']}, {first['cpu_target']}, {first['backend']}", fontsize="medium")
    figure.tight_layout()
    png = arguments.png or arguments.csv.with_suffix(".png")
    figure.savefig(png, dpi=120)
    print(png)


if __name__ == "__main__":
    main()
