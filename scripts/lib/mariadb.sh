# shellcheck shell=bash
# MariaDB for scripts/servers. $dir, $name, $host and $port are those of the server in hand.

mariadb_install() {
    has mariadbd || install_package mariadb-server mariadb-server mariadb
    has mariadbd || fail "there is still no mariadbd"
    has mariadb || install_package mariadb-client mariadb mariadb
    has mariadb-install-db || fail "there is a mariadbd but no mariadb-install-db"
}

mariadb_start() {
    # The machine's own configuration is for the machine's own server. Without --user root may not run one.
    local options=(--no-defaults --user="$(id -un)" --innodb-log-file-size=256M)
    if [ ! -d "$dir/$name" ]; then
        # Made aside and moved: an installation that was cut off never passes for a database.
        rm -rf "$dir/$name.new"
        mariadb-install-db "${options[@]}" --datadir="$dir/$name.new" --auth-root-authentication-method=normal \
            --skip-test-db >"$dir/$name.log" 2>&1 ||
            fail "mariadb-install-db failed, see $dir/$name.log"
        mv "$dir/$name.new" "$dir/$name"
    fi
    # Run at every start and before the first connection is taken. All rights, since tests create databases of their own; and a
    # user without rights on the server, for whom read_only holds.
    cat >"$dir/$name.sql" <<'SQL'
CREATE DATABASE IF NOT EXISTS rialto CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS rialto_control CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'rialto'@'%' IDENTIFIED BY 'rialto';
GRANT ALL ON *.* TO 'rialto'@'%';
CREATE USER IF NOT EXISTS 'node'@'%' IDENTIFIED BY 'node';
GRANT ALL ON rialto.* TO 'node'@'%';
GRANT ALL ON rialto_control.* TO 'node'@'%';
SQL
    # Beside the data, since it must outlive them.
    local log=(--skip-log-bin)
    if [ -n "${RIALTO_SERVERS_BINLOG:-}" ]; then
        mkdir -p "$dir/$name.binlogs"
        log=(--log-bin="$dir/$name.binlogs/binlog" --sync-binlog=1 --binlog-format=ROW --log-bin-trust-function-creators=1)
    fi
    # The socket's path is relative to the data directory: an absolute one may be longer than the kernel takes.
    in_background mariadbd "${options[@]}" --datadir="$dir/$name" --init-file="$dir/$name.sql" --bind-address="$host" \
        --port="$port" --socket=socket --skip-name-resolve "${log[@]}" --performance-schema=OFF --character-set-server=utf8mb4 \
        --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size="${RIALTO_SERVERS_BUFFER_POOL:-256M}" --max-connections=200
}

mariadb_answers() {
    timeout 5 mariadb --no-defaults --protocol=tcp --host="$host" --port="$port" --user=rialto --password=rialto \
        --connect-timeout=3 --batch --execute='SELECT 1' rialto
}
