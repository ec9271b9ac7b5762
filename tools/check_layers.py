#!/usr/bin/env python3
"""Architecture is a test: which folder may include which. Usage: check_layers.py [ROOT]. Exit status 1 names every breach.

A folder of xlstm/ includes only folders of lower rank, never a sibling of its own rank. Programs see only the facade.
`state` stands one above `checkpoint` because a state file is a safetensors file and is written by checkpoint/'s writer.
"""
import pathlib
import re
import sys

LAYERS = [
    ["base"],
    ["tokenizer", "text", "kernels", "sampling", "config"],
    ["checkpoint"],
    ["state", "model"],
    ["backend", "quantize"],
    ["generation", "calibration"],
    ["scheduler"],
    ["engine"],
]
RANK = {folder: rank for rank, row in enumerate(LAYERS) for folder in row}
PROGRAMS = ["apps", "examples", "python"]
PROGRAMS_SEE = ["engine", "calibration", "quantize", "base"]
# Third-party headers that one folder alone may include: everything else stays free of them.
ONLY_IN = {"mlx": "xlstm/backend/mlx", "hwy": "xlstm/kernels/cpu", "nanobind": "python/src", "boost": "apps/server/http"}
SOURCES = {".h", ".cpp", ".inc", ".cu", ".metal"}


def includes(path):
    """Yields (line number, path as written) of each include."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        if found:
            yield number, found[1]


def breach(root, path, target):
    """Why `path` may not include `target`, or None."""
    parts = path.relative_to(root).parts
    first, *rest = target.split("/")
    if ".." in target.split("/") or (path.parent / target).is_file():
        return f'includes read "xlstm/<folder>/<file>.h", not "{target}"'
    if first in ONLY_IN and not path.is_relative_to(root / ONLY_IN[first]):
        return f"<{first}/...> belongs to {ONLY_IN[first]} alone"
    if first != "xlstm":
        return None
    if len(rest) < 2 or rest[0] not in RANK:
        return f'"{target}" is in no folder with a rank'
    if parts[0] in PROGRAMS:
        return None if rest[0] in PROGRAMS_SEE else f"{parts[0]}/ may include {', '.join(PROGRAMS_SEE)} but not {rest[0]}"
    mine = parts[1]
    if mine not in RANK:
        return f"xlstm/{mine} has no rank"
    if rest[0] == mine or RANK[rest[0]] < RANK[mine]:
        return None
    return f"{mine} (rank {RANK[mine]}) may not include {rest[0]} (rank {RANK[rest[0]]})"


def breaches(root):
    for top in ["xlstm", *PROGRAMS]:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in SOURCES or not path.is_file():
                continue
            for number, target in includes(path):
                why = breach(root, path, target)
                if why:
                    yield f"{path.relative_to(root)}:{number}: {why}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    if not (root / "xlstm").is_dir():
        sys.exit(f"{root}: expected a folder xlstm/ but found none")
    sys.exit("\n".join(breaches(root)) or 0)


if __name__ == "__main__":
    main()
