#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every public header compiles alone, as C11, C17 and C++, without warnings; the shared library exports what they declare.
. "$NETZIP_SOURCE/tests/cli/lib.sh"
folder=$NETZIP_SOURCE/include
compiler=${CC:-cc}

for header in "$folder"/netzip/*.h; do
    name=netzip/${header##*/}
    for standard in c11 c17; do
        echo "#include <$name>" >"$T/alone.c"
        good "$name alone as $standard" \
            "$compiler" -std=$standard -Wall -Wextra -Wpedantic -Werror -I "$folder" -fsyntax-only "$T/alone.c"
    done
    command -v g++ >/dev/null 2>&1 || continue
    echo "#include <$name>" >"$T/alone.cc"
    good "$name alone as c++17" g++ -std=c++17 -Wall -Wextra -Werror -I "$folder" -fsyntax-only "$T/alone.cc"
done
command -v g++ >/dev/null 2>&1 || skip "the headers alone as c++17" "g++ is absent"

library=$NETZIP_LIBRARY
if ! command -v nm >/dev/null 2>&1; then
    skip "the shared library exports nz_ names alone" "nm is absent"
else
    nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u >"$T/exported"
    is "the shared library exports nz_ names alone" \
        "$(grep -v '^nz_' "$T/exported" | grep -Ev '^(__|_init|_fini|_asan|_ubsan)' | tr '\n' ' ')" ""
    # A declaration with NZ_API and no definition would only show at the link of someone else's program.
    cat "$folder"/netzip/*.h | tr '\n' ' ' | grep -o 'NZ_API[^;]*;' | grep -o 'nz_[a-z0-9_]*(' | tr -d '(' | sort -u >"$T/declared"
    is "what the headers declare is exported" "$(comm -23 "$T/declared" "$T/exported" | tr '\n' ' ')" ""
    is "what is exported is declared in a header" "$(comm -13 "$T/declared" "$T/exported" | grep '^nz_' | tr '\n' ' ')" ""
fi
