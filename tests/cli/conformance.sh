#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip conformance: statuses, reasons and exit status on cases made for it, and on ONNX's own where they are at hand.
. "$(dirname "$0")/lib.sh"
C=$NETZIP_SOURCE/tests/cli/conformance

nz conformance "$C/passes"
status_is "a case that passes" 0
is "the summary counts it" "$(cat "$T/out")" "1 passed, 0 failed, 0 unsupported of 1 cases"

nz conformance "$C/unknown"
status_is "an unsupported case is no failure" 0
has "it is named" "$T/out" "unsupported  unknown: "
has "with the operator" "$T/out" "NoSuchOperator"

nz conformance "$C" --runtime reference
status_is "a failed case sets the exit status" 1
has "all cases below a folder run" "$T/out" "1 passed, 4 failed, 1 unsupported of 6 cases"
has "a wrong number is shown beside the right one" "$T/out" "failed       differs: output 'y': 1 of 2 elements differ, first at 1: 2 instead of 2.00999999"
has "a wrong shape too" "$T/out" "failed       shape: output 'y' is float 2, expected float 1x2"
has "a broken model is a failed case, not the end" "$T/out" "failed       broken: "
has "so is a case without data" "$T/out" "failed       empty: "
lacks "passed cases are listed on request alone" "$T/out" "passed       passes"
nz conformance "$C" --all
has "namely by --all" "$T/out" "passed       passes"

nz conformance "$C" --json
status_is "JSON: the same exit status" 1
is "JSON is one document" "$(head -c 1 "$T/out")$(tail -n 1 "$T/out")" "{}"
has "JSON counts" "$T/out" '"passed": 1'
has "JSON names the status" "$T/out" '"status": "unsupported"'

nz conformance "$T/nowhere"
status_is "a folder that does not exist" 3
has "is named" "$T/err" "nowhere"
mkdir "$T/hollow"
nz conformance "$T/hollow"
status_is "a folder without cases" 3
nz conformance "$C/passes" --runtime nothing
status_is "an unknown runtime" 2
nz conformance
status_is "no folder" 2

D=${NETZIP_DATA:-$HOME/.cache/netzip-data}/onnx-node-tests
if [ -d "$D/test_abs" ]; then
    nz conformance "$D/test_reshape_negative_dim" "$D/test_abs"
    has "inputs that planning needs are given to it" "$T/out" "2 passed, 0 failed"
    nz conformance "$D/test_sequence_insert_at_back"
    has "sequences are unsupported by name" "$T/out" "0 passed, 0 failed, 1 unsupported"
else
    skip "ONNX's own cases" "$D is absent"
fi
