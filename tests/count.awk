# SPDX-License-Identifier: Apache-2.0
# Counts the cases in Meson's test logs (TAP). A case that ran in two builds counts once, by its worst outcome.
function outcome(name, value) {
    nth = ++seen[FILENAME, test, name]
    key = test SUBSEP name SUBSEP nth
    if (!(key in worst)) { order[++keys] = key; title[key] = test ": " name }
    if (worst[key] < value) worst[key] = value
    if (value == SKIPPED) why[key] = reason
}
function close_block() {
    # A crash, a timeout or a sanitizer's report may come without any case that failed.
    if (test != "" && !bad && result != "exit status 0" && result != "exit status 77") outcome("the program itself (" result ")", FAILED)
}
BEGIN { SKIPPED = 1; PASSED = 2; FAILED = 3 }
/^=+ [0-9]+\/[0-9]+ =+$/ { close_block(); test = ""; result = ""; bad = 0; reason = ""; out = 0; next }
/^test: / && test == "" { test = $2; next }
/^result: / && result == "" { result = $0; sub(/^result: +/, "", result); next }
/^-+ stdout -+$/ { out = 1; next }
/^-+ stderr -+$/ { out = 0; next }
!out { next }
/^# skipped: / { reason = $0; sub(/^# skipped: /, "", reason); next }
# cmocka before 1.1.6 writes a skipped case as "not ok".
/^(not )?ok [0-9]+ # SKIP/ { name = $0; sub(/^(not )?ok [0-9]+ # SKIP */, "", name); outcome(name, SKIPPED); reason = ""; next }
/^ok [0-9]+/ { name = $0; sub(/^ok [0-9]+( - )?/, "", name); outcome(name, PASSED); next }
/^not ok [0-9]+/ { name = $0; sub(/^not ok [0-9]+( - )?/, "", name); outcome(name, FAILED); bad = 1; next }
END {
    close_block()
    for (i = 1; i <= keys; i++) {
        value = worst[order[i]]
        count[value]++
        if (value == SKIPPED) printf "skipped  %s%s\n", title[order[i]], why[order[i]] == "" ? "" : " (" why[order[i]] ")"
    }
    for (i = 1; i <= keys; i++) if (worst[order[i]] == FAILED) printf "FAILED   %s\n", title[order[i]]
    printf "%d passed, %d failed%s\n", count[PASSED], count[FAILED], count[SKIPPED] ? ", " count[SKIPPED] " skipped" : ""
    exit count[FAILED] > 0 || keys == 0
}
