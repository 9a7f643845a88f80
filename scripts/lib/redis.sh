# shellcheck shell=bash
# Redis for scripts/servers. $dir, $name, $host and $port are those of the server in hand.

redis_install() {
    has redis-server || install_package redis-server redis redis
    has redis-server || fail "there is still no redis-server"
    has redis-cli || fail "there is a redis-server but no redis-cli"
}

redis_start() {
    mkdir -p "$dir/$name"
    # noeviction: of Rialto's keys the leases expire soonest, so volatile-ttl would throw away those first, and an evicted lease
    # lets two hosts believe they hold it. A full Redis refuses writes instead, and Rialto treats it as one that is gone.
    # No protected mode: it refuses whoever comes from another address than loopback, as the second host does.
    # No change of title: `pid_of` knows the process by its command line.
    in_background redis-server --bind "$host" --port "$port" --dir "$dir/$name" --save '' --appendonly no \
        --maxmemory 256mb --maxmemory-policy noeviction --protected-mode no --set-proc-title no
}

redis_answers() {
    [ "$(timeout 5 redis-cli -h "$host" -p "$port" PING)" = PONG ]
}
