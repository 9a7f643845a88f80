# Functions of scripts that measure a node of the release build: source it in the repository's root, after the build.
# shellcheck shell=sh
command -v python3 >/dev/null || { echo "$0: python3 is missing" >&2; exit 1; }
cargo build --release --locked --quiet
program=target/release/rialto
work=$(mktemp -d)
server=
# What the node is run under, such as taskset.
under=
# More options for it, such as --new-psp.
options=
stop() { if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; fi; }
trap 'stop; rm -rf "$work"' EXIT INT TERM

# shellcheck disable=SC2120  # Most give settings.
# start [SETTING=VALUE...]: a fresh node on a free port; sets $url.
start() {
    stop
    rm -rf "$work/data"
    # shellcheck disable=SC2086  # Several words, or none.
    env RUST_LOG=warn "$@" ${under:-} "$program" serve --listen 127.0.0.1:0 --data-dir "$work/data" ${options:-} >"$work/out" 2>"$work/log" &
    server=$!
    until url=$(sed -n 's/^rialto: serving on \([^ ]*\).*/\1/p' "$work/out") && [ -n "$url" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.01
    done
}
# memory: the node's resident set, in KiB.
memory() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$server/status"; }
# load ARGS...: one run into $work/load.json
load() { "$program" load --url "$url" --json "$work/load.json" "$@" >"$work/load.out" 2>&1 || { cat "$work/load.out" >&2; exit 1; }; }
field() { python3 -c 'import json,sys; v=json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."): v=v[int(k)] if k.isdigit() else v[k]
print(v)' "$work/load.json" "$1"; }
