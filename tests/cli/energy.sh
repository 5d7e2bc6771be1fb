#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip energy: energy and power of an external meter's log.
. "$(dirname "$0")/lib.sh"
L=${NETZIP_DATA:-$HOME/.cache/netzip-data}/power-logs

printf 'time,voltage,current\n100,5,1\n101,5,2\n102,5,3\n103,5,2\n104,5,1\n' >"$T/log.csv"
nz energy "$T/log.csv"
status_is "a log is integrated" 0
good "energy by trapezoids" grep -qE 'Energy +energy_j +40\.[0-9]* J' "$T/out"
has "the columns that were used are told" "$T/out" "time 1 (time), volts 2 (voltage), amps 3 (current)"
is "nothing is said on standard error" "$(cat "$T/err")" ""

nz energy "$T/log.csv" --start 101 --end 103 --json
status_is "a window, as JSON" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "energy is a value object" "$T/flat" '"energy_j":{"value":25.0,"unit":"J","category":"energy","better":"lower","source":"measured","n":2}'
has "mean power" "$T/flat" '"power_w":{"value":12.5,"unit":"W",'
has "largest power" "$T/flat" '"power_max_w":{"value":15.0,"unit":"W",'
has "seconds" "$T/flat" '"seconds":{"value":2.0,"unit":"s",'
has "samples" "$T/flat" '"samples":{"value":2,'
has "interval" "$T/flat" '"interval_s":{"value":1.0,'
has "gaps" "$T/flat" '"gaps":{"value":0,'
has "it is consistent" "$T/flat" '"marked":false'

printf '0;1000\n1;1000\n9;3000\n10;3000\n' >"$T/gap.csv"
nz energy "$T/gap.csv" --columns time=1,watts=2:mW
status_is "columns by number, with a unit" 0
has "a gap is told" "$T/out" "1 gap, 8.000 s in all"
has "and marks the figures" "$T/out" "MARKED"

nz energy "$T/gap.csv"
status_is "a log whose columns nobody knows is an input error" 3
has "what mends it is said" "$T/err" "--columns time=1,"
is "in one line" "$(wc -l <"$T/err")" 1
is "and nothing is printed" "$(cat "$T/out")" ""
nz energy "$T/log.csv" --start 09:00:00
status_is "a window outside of the log is a usage error" 2
has "what the log covers is said" "$T/err" "the log covers 00:01:40.000 to 00:01:44.000"
nz energy "$T/log.csv" --columns volts=7
status_is "a column that is not there is a usage error" 2
printf 'time,w\n1,1\n2,one\n' >"$T/bad.csv"
nz energy "$T/bad.csv"
status_is "a broken row is an input error" 3
has "its line is named" "$T/err" "bad.csv:3: 'one'"
nz energy "$T/none.csv"
status_is "a missing log is an input error" 3
nz energy
status_is "a log is needed" 2

# ---- idle power, the step, the plot ----
awk 'BEGIN { print "time,watts"; for (i = 0; i < 600; i++) printf "%.1f,%d\n", 1700000000 + i / 10, (i < 100 || i >= 500 ? 2 : 6) }' >"$T/step.csv"
nz energy "$T/step.csv" --start 1700000010 --end 1700000050 --json
status_is "power beside the window" 0
tr -d ' \n' <"$T/out" >"$T/flat"
has "before it" "$T/flat" '"idle_power_before_w":{"value":2.0'
good "behind it" grep -qE '"idle_power_after_w":\{"value":(2\.0|1\.99999)' "$T/flat"
has "joules less idle" "$T/flat" '"energy_net_j":{"value":159.'
nz energy "$T/log.csv" --json
tr -d ' \n' <"$T/out" >"$T/flat"
has "a log that is all window has none" "$T/flat" '"energy_net_j":{"value":null'
nz energy "$T/step.csv" --marker step --plot "$T/p.svg" --plot "$T/p.png"
status_is "the step of power gives the window" 0
has "it is told how clear" "$T/out" "marker   power rises by 3.98 W and falls by 3.98 W, "
has "where it begins" "$T/out" "window   2023-11-14 22:13:29.950 UTC to 2023-11-14 22:14:09.950 UTC"
has "the plot is an SVG" "$T/p.svg" "<svg"
has "that names the log" "$T/p.svg" "Power in step.csv"
is "and a PNG" "$(head -c 4 "$T/p.png" | tail -c 3)" "PNG"
nz energy "$T/log.csv" --marker step
status_is "a log without a clear step is refused" 2
nz energy "$T/step.csv" --marker pin
status_is "a marker that is none is wrong usage" 2
nz energy "$T/step.csv" --plot "$T/p.pdf"
status_is "a plot of another form is wrong usage" 2

if [ ! -r "$L/pytorch_fp32.csv" ]; then
    skip "a Raspberry Pi's meter" "$L is absent"
    exit 0
fi
nz energy "$L/pytorch_fp32.csv" --start 06:07:37 --end 10:30:21
status_is "a Raspberry Pi's meter" 0
has "its energy" "$T/out" "66312.5 J"
has "its samples" "$T/out" "157637"
