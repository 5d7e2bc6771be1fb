#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands for the workers and the station of a race (race.c): every time is known beforehand, and what was asked of whom stands in
# $RACE_LOG. How a model behaves follows from its path: /steady takes 1 ms always, /wild 1.0 to 2.6 ms, block by block, /slow
# 1 ms but 40 ms on the wall, /quick 1 us, /long 3 s, /dies ends in its third block, /empty answers without times, /refuses does not load.
[ "$1" = worker ] || exit 9
shift
now=1000000000 arguments=$*
log() { echo "$*" >>"$RACE_LOG"; }
say() { echo "{\"ok\":true$1}" >&3; }
conditions='"mhz":2000.0,"temperature_c":60.0,"load1":0.5'
watched="\"watch\":{\"seconds\":0.1,\"busy\":6,\"idle\":14,\"steal\":0,\"throttled\":1,\"held_back_s\":0.25,\"energy_reason\":\"no sensor\",\"begin\":{$conditions},\"end\":{$conditions}}"
while read -r line <&3; do
    path=${line#*\"path\":\"/} path=${path%%\"*}
    batch=${line#*\"batch\":} batch=${batch%%[,\}]*}
    case $line in
    *'"do":"station"'*)
        say ',"about":{"hardware":{"hostname":"made-up","cpus":2,"cpus_usable":2},"clock":{"name":"c","resolution_ns":1.0,"overhead_ns":25.0},"power":null,"power_reason":"no sensor"}'
        ;;
    *'"do":"watch"'*) say ',"now_ns":1' ;;
    *'"do":"watched"'*) say ",$watched" ;;
    *'"do":"quiet"'*)
        log "quiet${line##*seconds\":}"
        say ",$watched"
        ;;
    *'"do":"load"'*)
        log "load $path $batch $arguments"
        if [ "$path" = refuses ]; then
            echo '{"ok":false,"status":"unsupported","error":"node x"}' >&3
        else
            # /fickle chooses another kernel each time
            kernel=$([ "$path" = fickle ] && grep -c '^load fickle' "$RACE_LOG")
            say ",\"layers\":[{\"kernel\":\"k$kernel\"}],\"load_s\":0.01,\"batch\":$batch,\"process\":{\"cpus\":\"0-1\",\"nice\":0}"
        fi
        ;;
    *'"do":"warm"'*)
        log "warm $path"
        each=1000000
        [ "$path" != quick ] || each=1000
        if [ "$path" = long ]; then
            each=3000000000 least=${line#*\"least_runs\":}
            log "least ${least%%[,\}]*}"
        fi
        say ",\"runs\":30,\"seconds\":0.01,\"steady\":true,\"values\":20,\"ns\":$each.0"
        ;;
    *'"do":"time"'*)
        log "time $path"
        n=$(grep -cx "time $path" "$RACE_LOG") # over all processes of the model
        now=$((now + 1000000000)) ns=1000000
        [ "$path" != dies ] || [ $n -lt 3 ] || exit 7
        [ "$path" != wild ] || ns=$((1000000 + (n * 7919 + n * n * 13) % 1009 * 1600))
        if [ "$path" = quick ]; then
            ns=1000 bunch=${line#*\"bunch\":}
            log "bunch ${bunch%%[,\}]*}"
        fi
        [ "$path" != slow ] || sleep 0.04
        refill=${line#*\"refill_s\":}
        [ "$path" != long ] || log "refill ${refill%%[,\}]*}"
        list=$ns,$ns,$ns,$((ns * 2))
        [ "$path" != empty ] || list=
        say ",\"ns\":[$list],\"timed\":8,\"runs\":8,\"sum_ns\":$((ns * 8)).0,\"mean_ns\":$ns.0,\"from_ns\":$now,\"to_ns\":$((now + ns * 8)),\"unix_s\":1000000000.0,\"seconds\":0.01,\"cpu_ns\":8000000,\"whole_cpu_ns\":9000000"
        ;;
    *)
        log "${line#*\"do\":}"
        say ''
        ;;
    esac
done
