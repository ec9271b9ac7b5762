#!/bin/sh
# Fetches the arm64 packages of tools/packages.txt and unpacks them into a folder. Usage: tools/arm64_sysroot.sh FOLDER
# apt works in the folder alone, on the system's list of sources: nothing of another architecture is installed, since
# that would bind the versions of this machine's own libraries to those of the mirror. Needs no root; idempotent.
set -eu
packages=$(sed -n 's/^arm64://p' "$(dirname "$0")/packages.txt")
mkdir -p "$1"
cd "$1"
if [ "$(cat packages 2>/dev/null)" = "$packages" ]; then
  echo "[setup] arm64 libraries: all present" >&2
  exit
fi

apt() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root \
    -o Dir::State="$PWD/apt" -o Dir::State::status="$PWD/apt/status" -o Dir::Cache="$PWD/apt" "$@" >&2
}

rm -rf apt usr lib packages ./*.deb
mkdir -p apt/lists/partial apt/archives/partial
: >apt/status
apt update
apt download $packages
for package in ./*.deb; do dpkg-deb --extract "$package" .; done
rm -rf apt ./*.deb
echo "$packages" >packages
