#!/usr/bin/env bash
# Tests scripts/servers with the servers themselves: ready when said so, settings that work, data kept over a stop and a kill, the
# same ports after it, single servers, and two copies that leave each other alone. Takes about a minute. Usage: tests/servers.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'for copy in one two; do scripts/servers down --dir "$work/$copy" >/dev/null; done; rm -rf "$work"' EXIT

servers() { scripts/servers "$@" --dir "$work/$copy"; }
wrong() { echo "tests/servers: $*" >&2; exit 1; }
equal() { [ "$1" = "$2" ] || wrong "$3: expected '$1', got '$2'"; }
refused() { ! "$@" >/dev/null 2>&1 || wrong "should have failed: $*"; }
address() { cat "$work/$copy/$1.address"; }
pid() { cat "$work/$copy/$1.pid"; }
sql() {
    local at
    at=$(address "$1")
    mariadb --no-defaults -h "${at%:*}" -P "${at#*:}" -u rialto -prialto --batch --skip-column-names -e "$2" "${3:-rialto}"
}
redis() { local at; at=$(address redis); redis-cli -h "${at%:*}" -p "${at#*:}" "$@"; }
kafka() { java -Xmx128m -cp "${XDG_CACHE_HOME:-$HOME/.cache}/rialto/kafka-3.9.1/*" "$@" 2>/dev/null; }
topics() { kafka org.apache.kafka.tools.TopicCommand --bootstrap-server "$(address kafka)" "$@"; }

copy=one
echo "up: everything answers, and the settings name it"
refused servers status
servers up
servers status
eval "$(servers env)"
equal "[\"mysql://rialto:rialto@$(address mariadb-1)/rialto\",\"mysql://rialto:rialto@$(address mariadb-2)/rialto\"]" \
    "$RIALTO__SHARD__DATABASES" "databases"
equal "mysql://rialto:rialto@$(address mariadb-1)/rialto_control" "$RIALTO__CONTROL__DATABASE" "the control store"
equal 0 "$(sql mariadb-1 'SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()' rialto_control)" "its tables"
equal "redis://$(address redis)/" "$RIALTO__REDIS__URL" "Redis"
equal "$(address kafka)" "$RIALTO__KAFKA__BROKERS" "Kafka"
for shard in mariadb-1 mariadb-2; do
    sql $shard "CREATE TABLE kept (shard VARCHAR(9)); INSERT INTO kept VALUES ('$shard'); CREATE DATABASE another"
    equal "1 1 utf8mb4" "$(sql $shard 'SELECT @@innodb_flush_log_at_trx_commit, @@skip_name_resolve, @@character_set_database' | tr '\t' ' ')" \
        "settings of $shard"
done
equal allkeys-lru "$(redis CONFIG GET maxmemory-policy | tail -1)" "eviction"
redis SET lease held >/dev/null
topics --create --topic kept --partitions 3 >/dev/null

echo "up again: starts nothing"
before=$(cat "$work"/one/*.pid)
servers up >/dev/null
equal "$before" "$(cat "$work"/one/*.pid)" "processes"

refused servers up redis --bind 127.0.0.2

echo "a second copy, by fixed ports: neither sees the other"
copy=two
servers up mariadb-1 redis --ports-from 19700 >/dev/null
equal 127.0.0.1:19700 "$(address mariadb-1)" "fixed port"
equal "" "$(redis GET lease)" "the other copy's key"
refused sql mariadb-1 "SELECT * FROM kept"
servers status mariadb-1 redis >/dev/null
refused servers status
servers down
copy=one
servers status >/dev/null

echo "kill, then up: same port, same data"
ports=$(cat "$work"/one/*.address)
servers kill mariadb-2 kafka
refused servers status mariadb-2
servers status mariadb-1 redis >/dev/null
servers up mariadb-2 kafka >/dev/null
equal "$ports" "$(cat "$work"/one/*.address)" "ports"
equal mariadb-2 "$(sql mariadb-2 'SELECT shard FROM kept')" "row after the kill"
equal kept "$(topics --list)" "topic after the kill"

echo "down, then up: data kept, except those of Redis"
servers down
refused servers status redis
servers up >/dev/null
equal "$ports" "$(cat "$work"/one/*.address)" "ports"
equal mariadb-1 "$(sql mariadb-1 'SELECT shard FROM kept')" "row after the stop"
equal kept "$(topics --list)" "topic after the stop"
equal "" "$(redis GET lease)" "key after the stop"

echo "a pid file that names somebody else's process: not ours"
servers down redis
sleep 600 &
bystander=$!
echo $bystander >"$work/one/redis.pid"
refused servers status redis
servers down redis
kill -0 $bystander || wrong "the bystander was stopped"
kill $bystander

echo "a server that cannot be had: the others are up, and the last line names it"
servers down kafka
mv "$work/one/kafka.address" "$work/one/kafka.address.old"
echo 192.0.2.1:9092 >"$work/one/kafka.address" # an address of documentation (RFC 5737), nobody's
refused servers up
last=$(servers up 2>&1 | tail -1) || true
equal "servers: could not be had: kafka; tests that need them have not run" "$last" "last line"
servers status mariadb-1 mariadb-2 redis >/dev/null
mv "$work/one/kafka.address.old" "$work/one/kafka.address"
servers up kafka >/dev/null

echo "all of scripts/servers holds"
