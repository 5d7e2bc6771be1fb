#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `meson install` puts in place can be built against, shared and static.
. "$NETZIP_SOURCE/tests/cli/lib.sh"
[ "$NETZIP_SANITIZE" = none ] || exit 0 # a build for sanitizers is not for installing; the plain one is tested
good "meson install succeeds" meson install -C "$NETZIP_BUILD" --no-rebuild --destdir "$T/root"
description=$(find "$T/root" -name netzip.pc)
is "one pkg-config file is installed" "$(echo "$description" | grep -c netzip.pc)" 1
is "the program is installed" "$("$(find "$T/root" -path '*bin/netzip')" --version)" "$("$NETZIP" --version)"
is "the manual page is installed" "$(find "$T/root" -name netzip.1 | grep -c man1)" 1
is "only headers are installed with the headers" "$(find "$T/root" -path '*include/netzip/*' ! -name '*.h')" ""

cat >"$T/use.c" <<'C'
#include <netzip/status.h>
#include <stdio.h>
int main(void) { return puts(nz_status_name(NZ_E_FORMAT)) < 0; }
C
# The installation stands in a folder of its own: pkg-config is told by the prefix variable.
prefix=$T/root$(sed -n 's/^prefix=//p' "$description")
flags() { PKG_CONFIG_PATH=$(dirname "$description") pkg-config --define-variable=prefix="$prefix" "$@" netzip; }
# shellcheck disable=SC2046
good "a program builds against the shared library" ${CC:-cc} "$T/use.c" -o "$T/shared" $(flags --cflags --libs)
library=$(find "$T/root" -name libnetzip.so)
is "and runs" "$(LD_LIBRARY_PATH=$(dirname "$library") "$T/shared")" format
# shellcheck disable=SC2046
good "a program builds against the static library" \
    ${CC:-cc} "$T/use.c" -o "$T/static" $(flags --cflags) "$(find "$T/root" -name libnetzip.a)" \
    $(flags --static --libs | sed 's/-lnetzip//')
is "and runs alone" "$("$T/static")" format
