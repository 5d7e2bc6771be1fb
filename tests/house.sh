#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The rules of docs/architecture.md that a script can check.
. "$NETZIP_SOURCE/tests/cli/lib.sh"
cd "$NETZIP_SOURCE" || exit 1
find include src cli tests -name '*.[ch]' | sort >"$T/files"

long=$(xargs wc -l <"$T/files" | awk '$2 != "total" && $1 > 800 { print $2 " has " $1 " lines" }')
is "no file has more than 800 lines" "$long" ""

# A function of this style ends at a line that is a lone brace, and began at the last line that ends in one.
# shellcheck disable=SC2046
functions=$(awk 'FNR == 1 { start = 0 }
    /^[a-zA-Z].*\{$/ && !/^(typedef|struct|enum|union|extern|static const)/ { start = FNR; head = $0 }
    /^}$/ && start { if (FNR - start - 1 > 80) print FILENAME ":" start " has " FNR - start - 1 " lines"; start = 0 }' $(cat "$T/files"))
is "no function has more than 80 lines" "$functions" ""

is "nothing is left for later" "$(xargs grep -nE 'TO''DO|FIX''ME|XX''X[^X]' <"$T/files" | grep -v 'XXXXXX')" ""
bare=$(awk 'FNR == 1 { before = "" } /^NZ_API/ && before !~ /\*\// { print FILENAME ":" FNR } NF { before = $0 }' include/netzip/*.h)
is "every public function has its comment right above it" "$bare" ""

is "every source file names its licence" "$(xargs grep -L 'SPDX-License-Identifier: Apache-2.0' <"$T/files")" ""
is "only src/kernel/onednn2*.c and their header include dnnl.h" \
    "$(grep -rlE '#include .dnnl' include src cli | grep -v '^src/kernel/onednn2[a-z0-9_]*\.[ch]$' | tr '\n' ' ')" ""
is "the library neither prints nor exits" \
    "$(grep -nE '\b(printf|puts|putchar|perror|exit|abort)\(' -r src --include=*.[ch] | grep -vE '(sn|vsn|f)printf|_exit\(' | head -5)" ""

# A room uses only rooms below it: from the roof to the ground.
rooms='experiment report compare measure compress train import detect metric data runtime pass op kernel onnx graph core'
above=
for room in $rooms; do
    above="$above $room"
    [ -d src/$room ] || continue
    wrong=
    for other in $above; do
        [ $other = $room ] && continue
        wrong="$wrong$(grep -nE "#include \"($other/|netzip/$other\.h)" -r src/$room | sed 's/^/ /')"
    done
    is "src/$room uses only rooms below it" "$wrong" ""
done
