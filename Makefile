# Rust may have been installed by scripts/setup a moment ago.
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help setup run test test-servers test-runbooks lab lab-quick bench

help:
	@echo "make run    install what is missing, build, and serve on http://127.0.0.1:8080 with its data in ./data"
	@echo "make test   install what is missing, then check Cargo.lock, deployment files, formatting and lints, and run all tests, also on real servers"
	@echo "make test-servers  test scripts/servers, which runs MariaDB, Redis and Kafka without containers"
	@echo "make test-runbooks  run the commands of docs/operations.md that need real servers: a shard is backed up, lost and restored"
	@echo "make lab    measure Rialto on real servers against a plain handler and the databases' own limit; make lab-quick is one short round"
	@echo "make bench  measure single parts: actors, guards, group commit"
	@echo "make setup  only install what is missing: C compiler, curl, pkg-config, Rust"

setup:
	@scripts/setup

run: setup
	@echo "run: building the release, then serving on http://127.0.0.1:8080 with its data in ./data (Ctrl-C stops it)"
	@cargo run --release --locked -- serve --listen 127.0.0.1:8080 --data-dir ./data

test: setup
	@echo "test: is Cargo.lock current?"
	@cargo metadata --locked --format-version 1 >/dev/null
	scripts/check-deploy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	scripts/test

test-servers:
	tests/servers.sh

test-runbooks: setup
	cargo build --locked
	tests/runbooks.sh

lab: setup
	scripts/lab

lab-quick: setup
	scripts/lab quick

bench: setup
	scripts/bench
