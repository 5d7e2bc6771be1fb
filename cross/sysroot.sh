#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks Debian's libraries for another architecture into a folder. Nothing is installed and no privilege is needed: apt works
# with lists and a cache of its own, from the sources and keys of this system.
# usage: cross/sysroot.sh DEBIAN-ARCHITECTURE FOLDER PACKAGE...
set -eu
architecture=$1 folder=$2
shift 2
part=$folder.part
rm -rf "$part"
mkdir -p "$part/apt/state/lists/partial" "$part/apt/cache/archives/partial" "$part/debs" "$part/root"
part=$(cd "$part" && pwd)
: >"$part/apt/status"
cat >"$part/apt/conf" <<T
#clear APT::Architectures;
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "";
Dir::State "$part/apt/state";
Dir::State::status "$part/apt/status";
Dir::Cache "$part/apt/cache";
Acquire::Languages "none";
T
APT_CONFIG=$part/apt/conf
export APT_CONFIG
apt-get update -q >&2
(cd "$part/debs" && apt-get download -q "$@" >&2)
for deb in "$part"/debs/*.deb; do dpkg-deb -x "$deb" "$part/root"; done
rm -rf "$folder"
mv "$part/root" "$folder"
rm -rf "$part"
