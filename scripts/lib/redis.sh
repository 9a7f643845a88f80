# shellcheck shell=bash
# Redis for scripts/servers. $dir, $name, $host and $port are those of the server in hand.

redis_install() {
    has redis-server || install_package redis-server redis redis
    has redis-server || fail "there is still no redis-server"
    has redis-cli || fail "there is a redis-server but no redis-cli"
}

redis_start() {
    mkdir -p "$dir/$name"
    # allkeys-lru: what nobody has asked for goes first, which is old answers; leases and limits are touched every few seconds.
    # Of Rialto's keys those expire soonest, so volatile-ttl would throw them away first. noeviction takes nothing once it is full.
    # No protected mode: it refuses whoever comes from another address than loopback, as the second host does.
    # No change of title: `pid_of` knows the process by its command line.
    in_background redis-server --bind "$host" --port "$port" --dir "$dir/$name" --save '' --appendonly no \
        --maxmemory 256mb --maxmemory-policy allkeys-lru --protected-mode no --set-proc-title no
}

redis_answers() {
    [ "$(timeout 5 redis-cli -h "$host" -p "$port" PING)" = PONG ]
}
