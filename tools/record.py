#!/usr/bin/env python3
"""Runs a command and keeps what it printed, with command, commit, date and machine, in bench/results/.

Usage: tools/record.py NAME COMMAND... The file is bench/results/<date>-<commit>-NAME.txt. Exit status: the command's.
"""
import datetime
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT_LINES = (100, 300)  # from the beginning, from the end


def commit():
    """Short hash of HEAD, with "-dirty" when tracked files differ from it; "unknown" outside a checkout."""
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def shortened(lines):
    first, last = KEPT_LINES
    if len(lines) <= first + last:
        return lines
    return lines[:first] + [f"... {len(lines) - first - last} lines left out ..."] + lines[-last:]


def run(command):
    """Output lines as they come, both streams together, echoed on the way; then the exit status."""
    lines = []
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line.replace(str(ROOT), ".").rstrip())
    return lines, process.wait()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    name, command = sys.argv[1], sys.argv[2:]
    version = commit()
    start = datetime.datetime.now(datetime.timezone.utc)
    begin = time.monotonic()
    lines, status = run(command)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    head = [f"command: {shlex.join(command)}", f"commit: {version}", f"date: {start:%Y-%m-%dT%H:%M:%SZ}",
            f"machine: {cpu()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB",
            f"seconds: {time.monotonic() - begin:.1f}", f"exit status: {status}", ""]
    path = ROOT / "bench/results" / f"{start:%Y-%m-%dT%H%M%S}-{version}-{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(head + shortened(lines)) + "\n")
    print(f"[record] {path.relative_to(ROOT)}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
