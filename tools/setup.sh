#!/bin/sh
# Installs what the build needs and is missing: Debian packages (tools/packages.txt) and the wheels of .venv
# (tools/requirements.txt). Usage: tools/setup.sh [GROUP...], default "build". MLX=OFF leaves .venv out.
# Idempotent: what is there is looked at, not remembered, so a second run takes a fraction of a second.
set -u
cd "$(dirname "$0")/.."

say() { echo "[setup] $*" >&2; }
die() { say "FAILED: $*"; exit 1; }

# Runs "$2..." with its output shown; "$1" says what the step is for.
step() {
  what=$1; shift
  say "$what: $*"
  "$@" >&2 || die "$what: '$*' ended with status $? (its messages are above)"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else say "installing packages needs root, and there is no sudo"; return 1
  fi
}

packages_of() {
  for group in "$@"; do sed -n "s/^$group://p" tools/packages.txt; done | tr -s ' \n' '\n' | sed '/^$/d'
}

missing_packages() {
  for package in "$@"; do echo "$package"; done | sort -u >"$scratch/wanted"
  dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^.i //p' | sort -u >"$scratch/present"
  comm -23 "$scratch/wanted" "$scratch/present"
}

install_packages() {
  for group in "$@"; do
    grep -q "^$group:" tools/packages.txt || die "no group '$group' in tools/packages.txt"
  done
  missing=$(missing_packages $(packages_of "$@") | tr '\n' ' ')
  if [ -z "$missing" ]; then
    say "Debian packages ($*): all present"
    return
  fi
  step "package lists" as_root apt-get -o DPkg::Lock::Timeout=300 update -q
  step "Debian packages" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends $missing
}

# A Python that the system owns, so that .venv outlives any version manager's shims.
find_python() {
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  return 1
}

wheels_present() {
  [ -x .venv/bin/python3 ] || return 1
  for requirement in $(sed '/^#/d; s/==.*/#&/; :name; s/-\(.*#\)/_\1/; t name; s/#==/-/' tools/requirements.txt); do
    set -- .venv/lib/python3*/site-packages/"$requirement".dist-info/RECORD
    [ -e "$1" ] || return 1
  done
}

install_wheels() {
  pins=$(sed '/^#/d' tools/requirements.txt | paste -sd ' ')
  if wheels_present; then
    say ".venv: $pins present"
    return
  fi
  python=$(find_python) || die "no Python of version 3.10 or later with its venv module (looked for /usr/bin/python3, python3)"
  [ -x .venv/bin/python3 ] && .venv/bin/python3 -m pip --version >/dev/null 2>&1 ||
    step "virtual environment" "$python" -m venv --clear .venv
  step "wheels" .venv/bin/python3 -m pip install --disable-pip-version-check -r tools/requirements.txt
  wheels_present || die "wheels: pip succeeded, but .venv does not hold $pins"
}

[ "$(uname -s)" = Linux ] || die "$(uname -s) is not supported by this script: it installs with apt-get on Debian 12 or later"
command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
  die "no apt-get here: install the equivalents of $(packages_of build | tr '\n' ' ')and call the CMake presets yourself"
scratch=$(mktemp -d) || die "no temporary directory"
trap 'rm -rf "$scratch"' EXIT

[ $# -gt 0 ] || set -- build
install_packages "$@"
if [ "${MLX:-ON}" = OFF ]; then
  say ".venv: left out (MLX=OFF)"
else
  install_wheels
fi
