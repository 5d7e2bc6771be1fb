#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-format would change nothing.
. "$NETZIP_SOURCE/tests/cli/lib.sh"
cd "$NETZIP_SOURCE" || exit 1

# Other versions lay out a few constructs differently; the one of Debian 12 decides.
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$version" != 14 ]; then
    skip "the sources are formatted" "clang-format 14 is absent"
    exit 0
fi
for folder in include src cli tests bench; do
    [ -d $folder ] || continue
    find $folder -name '*.[ch]' | sort >"$T/files"
    [ -s "$T/files" ] || continue
    # shellcheck disable=SC2046
    changed=$(clang-format --style=file --dry-run $(cat "$T/files") 2>&1 | sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning:.*/\1/p' | sort -u)
    is "$folder/ is formatted" "$(echo clang-format -i $changed)" "clang-format -i"
done
