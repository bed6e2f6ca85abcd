#!/usr/bin/env bash
# A Docker engine of our own for the tests: started by hand, everything in one folder, nothing left afterwards.
#
#   tests/docker/engine.sh start FOLDER     then: export DOCKER_HOST=unix://FOLDER/docker.sock
#   tests/docker/engine.sh stop FOLDER
#
# Needs root, and dockerd and iptables on PATH (Debian: apt-get install --no-install-recommends docker.io iptables).
set -euo pipefail

action=${1:?start or stop} folder=$(realpath -m "${2:?a folder}")

start() {
    mkdir -p "$folder"
    # dockerd changes the packet filter and routing of the machine. What was there is put back by `stop`.
    iptables-save >"$folder/iptables.before"
    cat /proc/sys/net/ipv4/ip_forward >"$folder/ip_forward.before"
    setsid dockerd -H "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
        --pidfile "$folder/dockerd.pid" >"$folder/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 300); do
        if docker -H "unix://$folder/docker.sock" version >/dev/null 2>&1; then
            echo "engine $(docker -H "unix://$folder/docker.sock" version --format '{{.Server.Version}}') answers"
            return
        fi
        sleep 0.1
    done
    tail -5 "$folder/dockerd.log" >&2
    exit 1
}

stop() {
    pid=$(cat "$folder/dockerd.pid" 2>/dev/null || true)
    if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    umount "$folder"/exec/netns/* 2>/dev/null || true
    ip link delete docker0 2>/dev/null || true
    if [ -f "$folder/iptables.before" ]; then
        for table in filter nat; do
            # A table that was not there before is in no saved file: empty it.
            grep -q "^\*$table" "$folder/iptables.before" || {
                iptables -t $table -F && iptables -t $table -X
                [ $table = nat ] || iptables -P FORWARD ACCEPT
            }
        done
        iptables-restore <"$folder/iptables.before"
        cat "$folder/ip_forward.before" >/proc/sys/net/ipv4/ip_forward
        rm "$folder/iptables.before" "$folder/ip_forward.before"
    fi
    echo "engine stopped"
}

"$action"
