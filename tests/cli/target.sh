#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netzip compare --target: another machine, which is this one behind an sshd of our own on a free port, with its own keys and
# configuration in the test's folder; and an arm64 machine, which is this one with the worker under qemu-user.
. "$(dirname "$0")/lib.sh"
export OMP_WAIT_POLICY=PASSIVE
unset NETZIP_SSH NETZIP_WORKERS XDG_CACHE_HOME

stop_sshd() {
    [ -z "${sshd_pid:-}" ] || kill "$sshd_pid" 2>/dev/null
    [ -z "${made_run:-}" ] || rmdir /run/sshd 2>/dev/null
}
trap 'stop_sshd; finish_tests' EXIT

nz compare none.onnx --target 'ssh://-oProxyCommand=x'
status_is "a machine whose name could be an option is wrong usage" 2
nz compare none.onnx --target 'ssh://h;reboot'
status_is "so is one with a shell's characters" 2
nz compare none.onnx --target-data here
status_is "--target-data without --target is wrong usage" 2
has "it says what it needs" "$T/err" "--target-data needs --target"

# ---- models and data ----
data="synthetic:shapes,count=48"
for seed in 1 2; do
    nz train --arch resnet8 --data "$data" --epochs 1 --batch 16 --threads 1 --seed $seed --out "$T/net$seed.onnx"
done
status_is "two small networks" 0
nz data make "$data" "$T/shapes"
images="imagefolder:$T/shapes,limit=16"
measure="--metrics top1,disk_bytes --timeout 120"
# shellcheck disable=SC2086
nz compare "$T/net1.onnx" "$T/net2.onnx" --data "$images" $measure --out "$T/here"
status_is "run here" 0

# The value of a key of model number N in results.json, by the order in which the keys stand there.
top1_of() { # RESULTS
    awk '/"top1": \{/ { on = 1 } on && /"value":/ { gsub(/[^0-9.]/, ""); print; on = 0 }' "$1" | tr '\n' ' '
}
here=$(top1_of "$T/here/results.json")
differences_of() { # RESULTS, rounded to three digits
    awk '/"max_abs_diff": \{/ { on = 1 } on && /"value":/ { gsub(/[^0-9.e-]/, "", $2); printf "%.3g ", $2; on = 0 }' "$1"
}

# ---- the worker's bundle for this architecture ----
machine=$(uname -m)
mkdir -p "$T/workers"
"$NETZIP_SOURCE/cross/bundle.sh" "$NETZIP_BUILD/netzip-worker" "$T/workers/$machine" \
    "/usr/lib/$(gcc -print-multiarch)" "/lib/$(gcc -print-multiarch)" /lib64 /lib \
    "$(dirname "$(gcc -print-file-name=libasan.so)")" >"$T/bundle" 2>&1 || bundle=missing

# ---- an sshd of our own ----
port= reason=
start_sshd() {
    sshd=$(command -v sshd || ls /usr/sbin/sshd 2>/dev/null) || return 1
    command -v ssh >/dev/null && command -v ssh-keygen >/dev/null || return 1
    if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then # root's sshd wants this empty folder; it goes with the test
        mkdir /run/sshd && made_run=1
    fi
    for name in host id other; do ssh-keygen -q -t ed25519 -N '' -f "$T/$name" || return 1; done
    cp "$T/id.pub" "$T/authorized_keys"
    for port in 22622 32622 42622 52622; do
        cat >"$T/sshd_config" <<C
Port $port
ListenAddress 127.0.0.1
HostKey $T/host
PidFile none
AuthorizedKeysFile $T/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AcceptEnv XDG_CACHE_HOME
MaxSessions 20
C
        "$sshd" -D -e -f "$T/sshd_config" >"$T/sshd.log" 2>&1 &
        sshd_pid=$!
        for try in 1 2 3 4 5 6 7 8 9 10; do
            sleep 0.1
            grep -q 'Server listening' "$T/sshd.log" && return 0
            kill -0 $sshd_pid 2>/dev/null || break
        done
        kill $sshd_pid 2>/dev/null
        sshd_pid=
    done
    reason=$(tail -1 "$T/sshd.log")
    return 1
}
client() { # NAME KEY CACHE: a client that logs in by KEY and keeps its files there in CACHE
    cat >"$T/$1.config" <<C
Host *
  IdentityFile $T/$2
  IdentitiesOnly yes
  UserKnownHostsFile $T/known
  StrictHostKeyChecking accept-new
  SetEnv XDG_CACHE_HOME=$3
C
    printf '#!/bin/sh\nexec ssh -F %s "$@"\n' "$T/$1.config" >"$T/$1"
    chmod 755 "$T/$1"
}
# Whether no process that carries the test's folder in its command line is left there.
nothing_left() {
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        pgrep -f "$T/cache" >/dev/null || pgrep -f "$T/ssh.config" >/dev/null || return 0
        sleep 0.3
    done
    pgrep -af "$T" >&2
    return 1
}

sshd_tests() {
    target=ssh://127.0.0.1:$port
    client ssh id "$T/cache"
    client stranger other "$T/cache"
    client readonly id /proc/self
    export NETZIP_SSH="$T/ssh" NETZIP_WORKERS="$T/workers"
    # shellcheck disable=SC2086
    nz compare "$T/net1.onnx" "$T/net2.onnx" --data "$images" $measure --target "$target" --out "$T/there"
    status_is "run there" 0
    has "the results name the machine" "$T/there/results.json" "\"target\": \"$target\""
    nz doctor --quick --target "$target"
    status_is "the doctor of the other machine" 0
    has "it tells what that machine can measure" "$T/out" "instructions"
    is "the accuracy of a copy of the data is the same" "$(top1_of "$T/there/results.json")" "$here"
    good "nothing is left running there" nothing_left
    is "the folder of temporary files is gone" "$(ls -d "$T"/cache/netzip/run-* 2>/dev/null)" ""
    (cd "$T/cache" && find . -type f -exec ls -i {} + | sort) >"$T/files1"
    # shellcheck disable=SC2086
    nz compare "$T/net1.onnx" "$T/net2.onnx" --data "$images" $measure --target "local,$target" --out "$T/both"
    status_is "two machines in one run" 0
    (cd "$T/cache" && find . -type f -exec ls -i {} + | sort) >"$T/files2"
    same "the second run copies nothing" "$T/files1" "$T/files2"
    has "ids name the machine" "$T/both/results.json" '"id": "net2/native/t1/b1@127.0.0.1"'
    has "a baseline is one of the same machine" "$T/both/results.json" '"baseline": "net1/native/t1/b1@127.0.0.1"'
    is "all four have their accuracy" "$(top1_of "$T/both/results.json")" "$here$here"
    # shellcheck disable=SC2086
    nz compare "$T/net1.onnx" --data "$images" --metrics top1 --target "$target" --target-data here --out "$T/mixed"
    status_is "accuracy here, asked for" 0
    has "it says where" "$T/out" "accuracy was computed on this machine"
    nz compare "$T/net1.onnx" --data "$images" --metrics top1 --target "$target" --target-data "$T/shapes" --out "$T/mixed"
    status_is "accuracy there, from data that lies there" 0
    has "it says where" "$T/out" "accuracy was computed on 127.0.0.1"
    nz compare "$T/net1.onnx" --data "$images" --metrics top1 --target "$target" --target-data "$T" --out "$T/mixed"
    has "a folder there that holds other data is refused" "$T/out" "the data on the other machine is not the same"

    NETZIP_SSH="$T/stranger" nz compare "$T/net1.onnx" --metrics latency_ms --target "$target"
    status_is "a refused login ends the run" 4
    has "it says what lets one in" "$T/err" "ssh-copy-id"
    is "in one line" "$(wc -l <"$T/err")" 1
    NETZIP_SSH="$T/readonly" nz compare "$T/net1.onnx" --metrics latency_ms --target "$target"
    status_is "a folder there that cannot be written ends the run" 4
    has "it says which" "$T/err" "/proc/self/netzip"
    NETZIP_WORKERS=/nonexistent nz compare "$T/net1.onnx" --metrics latency_ms --target "$target"
    status_is "without a bundle there is no run" 4
    has "the command that builds one is named" "$T/err" "./run build worker --arch $machine"
    nz compare "$T/net1.onnx" --metrics latency_ms --budget 0.2 --target "ssh://127.0.0.1:1,$target"
    status_is "one machine that cannot be reached is a failure" 1
    has "it is told" "$T/err" "port 1: Connection refused"
    has "the other one is measured" "$T/out" " ms"
    cut_tests
}

# Starts a comparison of two models in the background and waits until both are being timed: $running.
start_long() {
    "$NETZIP" compare "$T/net1.onnx" "$T/net2.onnx" --metrics latency_ms --budget 4 --width 0.001 --target "$target" \
        --timeout 60 >"$T/out" 2>"$T/err" </dev/null &
    running=$!
    for try in $(seq 100); do
        [ "$(pgrep -P $running -f ControlMaster=no | wc -l)" -ge 3 ] && break
        sleep 0.1
    done
    sleep 1
}
cut_tests() {
    start_long
    kill "$(pgrep -n -P $running -f ControlMaster=no)"
    status=0
    wait $running || status=$?
    status_is "a connection that is cut fails its model" 1
    has "in one clear line" "$T/err" "the connection to 127.0.0.1 broke"
    is "and no other" "$(grep -c ' ms ' "$T/out")" 1
    start_long
    kill -9 $running
    wait $running 2>/dev/null
    good "no process remains there when the parent is killed" nothing_left
    is "nor its temporary files" "$(ls -d "$T"/cache/netzip/run-* 2>/dev/null)" ""
}

if [ -n "${bundle:-}" ]; then
    skip "another machine by sshd" "the worker's bundle cannot be made: $(tail -1 "$T/bundle")"
elif ! command -v pgrep >/dev/null; then
    skip "another machine by sshd" "pgrep is missing"
elif start_sshd; then
    sshd_tests
else
    skip "another machine by sshd" "no sshd can be started here: ${reason:-openssh-server is missing}"
fi

# ---- arm64 under qemu-user ----
arm64_tests() {
    mkdir -p "$T/fake" "$T/arm"
    printf '#!/bin/sh\necho aarch64\n' >"$T/fake/uname"
    # The worker's loader is what is started: it, and so all else, runs under qemu.
    cat >"$T/qemu" <<'C'
#!/bin/sh
for last; do :; done
PATH=$FAKE:$PATH HOME=$FAKE_HOME
export PATH HOME
unset XDG_CACHE_HOME
exec sh -c "$(printf '%s\n' "$last" | sed 's#"$d"/[^ ]*ld-linux-aarch64[^ ]*#qemu-aarch64 &#')"
C
    chmod 755 "$T/fake/uname" "$T/qemu"
    export FAKE="$T/fake" FAKE_HOME="$T/arm" NETZIP_SSH="$T/qemu" NETZIP_WORKERS="$NETZIP_SOURCE/build/worker"
    # An integer model as well: its kernels are others there. Outputs are compared by their largest difference to the baseline's.
    nz compress "$T/net1.onnx" --method ptq --data "$data" --out "$T/int8.onnx"
    status_is "an integer model for it" 0
    nz compare "$T/net1.onnx" "$T/net2.onnx" "$T/int8.onnx" --data "$images" --metrics top1,max_abs_diff --out "$T/here3"
    nz compare "$T/net1.onnx" "$T/net2.onnx" "$T/int8.onnx" --data "$images" --metrics top1,max_abs_diff --timeout 120 \
        --target ssh://pi --out "$T/pi"
    status_is "run by the arm64 worker" 0
    is "its predictions are as good as here" "$(top1_of "$T/pi/results.json")" "$(top1_of "$T/here3/results.json")"
    is "and its outputs are the same, to a thousandth" "$(differences_of "$T/pi/results.json")" "$(differences_of "$T/here3/results.json")"
    has "its architecture is in the results" "$T/pi/results.json" '"architecture": "aarch64"'
    nz compare "$T/net1.onnx" --metrics latency_ms,ram_bytes --budget 0.1 --timeout 120 --target ssh://pi
    status_is "timed there" 0
    has "with a latency" "$T/out" " ms"
}
# Only a bundle that is as new as its sources says something about them.
newer=$(find "$NETZIP_SOURCE/src" "$NETZIP_SOURCE/include" "$NETZIP_SOURCE/cli/worker_main.c" -name '*.[ch]' \
    -newer "$NETZIP_SOURCE/build/worker/aarch64/netzip-worker" 2>/dev/null | head -1)
if ! command -v qemu-aarch64 >/dev/null; then
    skip "the arm64 worker under qemu-user" "qemu-aarch64 is missing (Debian: qemu-user)"
elif [ ! -x "$NETZIP_SOURCE/build/worker/aarch64/netzip-worker" ] || [ -n "$newer" ]; then
    skip "the arm64 worker under qemu-user" "it is not built from these sources (./run build worker --arch arm64)"
else
    arm64_tests
fi
