#!/usr/bin/env bash
# Runs the commands of docs/operations.md that need real servers (the blocks marked `sh servers`): a shard on MariaDB is backed up under
# load, loses its data, and is restored to the last commit by its binary logs; then once more without them. Takes some two minutes.
# Needs mariadb-backup. RIALTO names the program (target/debug/rialto). Usage: tests/runbooks.sh
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/operations.md
rialto=$(realpath "${RIALTO:-target/debug/rialto}")
work=$(mktemp -d)
servers=$work/servers
export RIALTO_SERVERS_BINLOG=1 RUST_LOG=warn

wrong() { echo "tests/runbooks: $*" >&2; exit 1; }
ended() {
    stop_all
    scripts/servers down --dir "$servers" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap ended EXIT

tool=runbooks
# shellcheck source-path=SCRIPTDIR/.. source=scripts/lib/install.sh
. scripts/lib/install.sh
has mariadb-backup || install_package mariadb-backup mariadb-backup mariadb
[ -x "$rialto" ] || wrong "no $rialto: run cargo build"

# --- The page

# blocks: one line for each block marked `sh servers`: its number in its section, and the section.
blocks() {
    awk '/^```/ { if (fence) fence = 0; else { fence = 1; if ($0 == "```sh servers") print ++count[name], name }; next }
        !fence && /^##+ / { sub(/^#+ /, ""); name = $0 }' "$page"
}

# block NUMBER SECTION: prints one.
block() {
    awk -v number="$1" -v wanted="$2" '
        /^```/ { if (fence) fence = 0; else { fence = 1; hit = $0 == "```sh servers" && name == wanted && ++count == number }; next }
        fence && hit
        !fence && /^##+ / { sub(/^#+ /, ""); name = $0 }' "$page"
}

# follow NUMBER SECTION: runs a block as an operator's shell would.
follow() {
    local text
    text=$(block "$@")
    [ -n "$text" ] || wrong "no block $1 in the section $2"
    echo "--- $2"
    bash -euo pipefail -c "$text" || wrong "$2: the commands fail"
    echo "$*" >>"$work/followed"
}

# --- Servers, PSP and node

address() { cat "$servers/$1.address"; }

start_psp() {
    "$rialto" psp-simulator --listen 127.0.0.1:0 --data-dir "$work/psp" >"$work/psp.out" 2>>"$work/psp.log" &
    psp=$!
    RIALTO__PSP__URL=$(address_in "$work/psp.out")
    export RIALTO__PSP__URL
}

start_node() {
    "$rialto" serve --listen 127.0.0.1:0 --data-dir "$work/data" >"$work/node.out" 2>>"$work/node.log" &
    node=$!
    NODE=$(address_in "$work/node.out")
    export NODE
}

# address_in FILE: where a process says that it serves, once it does.
address_in() {
    local deadline=$((SECONDS + 60))
    until grep -q 'http://' "$1" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || { cat "$work"/*.log >&2; wrong "it does not serve: $1"; }
        sleep 0.1
    done
    sed -n 's,.*\(http://[0-9.:]*\).*,\1,p' "$1"
}

stop_node() {
    [ -n "${node:-}" ] || return 0
    kill -TERM "$node" 2>/dev/null || true
    wait "$node" 2>/dev/null || true
    node=
}

stop_all() {
    stop_node
    [ -z "${load:-}" ] || kill "$load" 2>/dev/null || true
    [ -z "${psp:-}" ] || kill "$psp" 2>/dev/null || true
    wait 2>/dev/null || true
}

# call PATH BODY: what the node answers; again if it has too much to do, which is nobody's fault here.
call() { curl -fsS --retry 60 --retry-delay 1 "$NODE/payments/$1" -H 'Content-Type: application/json' -d "$2"; }

# pay: a payment of shard 1 that is captured; its id is noted.
pay() {
    local id body
    body="{\"merchantId\":\"MERCHANT-1\",\"amount\":1000,\"currency\":\"KRW\",\"idempotencyKey\":\"$RANDOM-$RANDOM-$SECONDS\"}"
    id=$(call authorize "$body" | grep -o 'pay_[0-9A-Z]*' | head -1)
    call "capture/$id" '{"merchantId":"MERCHANT-1"}' >/dev/null
    echo "$id" >>"$work/acknowledged"
}

# settled: waits until the audit is clean with nothing in flight.
settled() {
    local deadline=$((SECONDS + 90))
    until "$rialto" audit --settled --data-dir "$work/data" >"$work/audit" 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { cat "$work/audit" >&2; wrong "the audit does not come clean"; }
        sleep 0.5
    done
    tail -1 "$work/audit"
}

# all_there: what was acknowledged is captured, and booked once.
all_there() {
    local id found
    while read -r id; do
        found=$(curl -fsS "$NODE/payments/$id?expand=ledger")
        [[ $found == *'"status":"CAPTURED"'* ]] || wrong "$id was acknowledged: $found"
        [ "$(grep -o '"debitAccount"' <<<"$found" | wc -l)" = 1 ] || wrong "$id is not booked once: $found"
    done <"$work/acknowledged"
    echo "$(wc -l <"$work/acknowledged") acknowledged payments are there, booked once"
}

# lose_shard: the disk of shard 1 is gone, with every process of Rialto stopped.
lose_shard() {
    stop_node
    scripts/servers kill mariadb-1 --dir "$servers"
    rm -rf "$BINLOGS" && cp -a "$servers/mariadb-1.binlogs" "$BINLOGS"
    rm -rf "$SHARD_DIR" && mkdir "$SHARD_DIR"
}

# Kafka's own commands, by the names that its distribution gives them.
kafka_commands() {
    local name class
    mkdir "$work/bin"
    while read -r name class; do
        # shellcheck disable=SC2016  # the command expands it
        printf '#!/bin/sh\nexec java -Xmx128m -cp "%s/*" %s "$@" 2>/dev/null\n' \
            "${XDG_CACHE_HOME:-$HOME/.cache}/rialto/kafka-3.9.1" "$class" >"$work/bin/$name.sh"
    done <<'NAMES'
kafka-topics org.apache.kafka.tools.TopicCommand
kafka-configs kafka.admin.ConfigCommand
kafka-consumer-groups org.apache.kafka.tools.consumer.group.ConsumerGroupCommand
NAMES
    chmod +x "$work/bin"/*
}

echo "servers, a PSP and a node"
scripts/servers up --dir "$servers"
eval "$(scripts/servers env --dir "$servers")"
export RIALTO__TELEMETRY__OBSERVE_EVERY_MS=500 RIALTO__REQUESTS__GRACE_MS=1000 RIALTO__REQUESTS__POLL_MS=200
kafka_commands
PATH=$work/bin:$(dirname "$rialto"):$PATH
mkdir "$work/backups" "$work/data"
SHARD_HOST=$(address mariadb-1 | cut -d: -f1) SHARD_PORT=$(address mariadb-1 | cut -d: -f2)
KAFKA=$(address kafka) REDIS=redis://$(address redis)
export SHARD_HOST SHARD_PORT KAFKA REDIS PATH MARIADB_PASSWORD=rialto TOPIC=payment.captured BACKUPS=$work/backups
export SHARD_DIR=$servers/mariadb-1 BINLOGS=$work/binlogs START_SERVER="scripts/servers up mariadb-1 --dir $servers"
# What a block does in another directory, START_SERVER does from here.
START_SERVER="cd $PWD && $START_SERVER"
start_psp
start_node
for _ in {1..5}; do pay; done

while read -r number section; do
    case $section in *' a shard on MariaDB') ;; *) follow "$number" "$section" ;; esac
done < <(blocks)

echo "a backup under load"
BEFORE_THE_BACKUP=$(date -u +%Y-%m-%dT%H:%M:%SZ)
export BEFORE_THE_BACKUP
"$rialto" load --url "$NODE" --scenario full-flow --rate 20 --duration 8s --think 100ms >"$work/load.out" 2>&1 &
load=$!
sleep 2
for _ in {1..5}; do pay; done
follow 1 "Back up a shard on MariaDB"
for _ in {1..10}; do pay; done
wait "$load" || { cat "$work/load.out" >&2; wrong "the load failed"; }
load=

echo "the shard is lost, and restored to its last commit"
lose_shard
follow 1 "Restore a shard on MariaDB"
start_node
settled
all_there

echo "delivered again: nothing doubles"
stop_node
follow 2 "Restore a shard on MariaDB"
start_node
settled
all_there

echo "without binary logs: the shard is as old as its backup, and what is missing is named"
lose_shard
mariadb-backup --copy-back --target-dir="$BACKUPS/shard" --datadir="$SHARD_DIR" 2>/dev/null
bash -c "$START_SERVER"
follow 2 "Restore a shard on MariaDB" >"$work/replay.out" 2>&1
start_node
# What is repeated at the PSP is told anew, and booked.
deadline=$((SECONDS + 90))
for rule in ledger.balanced ledger.balances ledger.payments payment.amounts; do
    until "$rialto" audit --data-dir "$work/data" --examples 1000000 >"$work/audit" 2>&1 || grep -q "^ok *$rule" "$work/audit"; do
        [ "$SECONDS" -lt "$deadline" ] || { cat "$work/audit" >&2; wrong "$rule is broken"; }
        sleep 0.5
    done
done
lost=$(tail -1 "$work/acknowledged")
grep -q "$lost: known to the psp, and no such payment" "$work/audit" || { cat "$work/audit" >&2; wrong "$lost is not named"; }

while read -r line; do
    grep -qxF "$line" "$work/followed" || wrong "nobody has run block $line"
done < <(blocks)
echo "all commands of the runbooks for servers hold"
