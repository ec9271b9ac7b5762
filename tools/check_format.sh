#!/bin/sh
# clang-format over every C++ source: reports what differs, or with --fix rewrites it. The version is the one Debian 12
# installs (14); another one may wrap lines differently.
set -eu
cd "$(dirname "$0")/.."
mode="--dry-run -Werror"
[ "${1:-}" = --fix ] && mode=-i
git ls-files -z --cached --others --exclude-standard '*.h' '*.cpp' | xargs -0 clang-format $mode
