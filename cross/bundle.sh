#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a folder that runs on a bare machine: a program, every shared library that it needs, libc's own with their loader.
# usage: cross/bundle.sh PROGRAM FOLDER LIBRARY-FOLDER...
set -eu
program=$1 folder=$2
shift 2
readelf=${READELF:-readelf}
strip=${STRIP:-strip}

needed() { # FILE
    LC_ALL=C $readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
}

find_library() { # NAME
    for place in $places; do
        if [ -f "$place/$1" ]; then
            printf %s "$place/$1"
            return
        fi
    done
    echo "bundle: the library $1 is in none of: $places" >&2
    exit 1
}

places=$*
part=$folder.part
rm -rf "$part"
mkdir -p "$part"
cp "$program" "$part/netzip-worker"
loader=$(LC_ALL=C $readelf -l "$program" | sed -n 's/.*program interpreter: \(.*\)\]$/\1/p')
waiting="${loader##*/} $(needed "$program" | tr '\n' ' ')"
while [ -n "${waiting# }" ]; do
    next=
    for name in $waiting; do
        [ ! -e "$part/$name" ] || continue
        file=$(find_library "$name")
        cp -L "$file" "$part/$name"
        next="$next $(needed "$file" | tr '\n' ' ')"
    done
    waiting=$(echo $next)
done
chmod 755 "$part"/*
$strip "$part/netzip-worker"
rm -rf "$folder"
mv "$part" "$folder"
