#!/usr/bin/env python3
"""Makes the data that tests/blackbox/upgrade.rs opens with the program of today: what a version has written, and what it answered.

    tests/data/make_fixture.py PROGRAM OUT                   a data directory, as OUT/data.tar.gz
    tests/data/make_fixture.py PROGRAM OUT --servers DIR     dumps of two MariaDB databases, as OUT/shard-N.sql

DIR is one of scripts/servers, up. OUT/answers.json has what is looked up, and what is replayed under its key. What would end with time is
moved to the year 2100 where it is stored; nothing else is changed by hand.
"""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

YEAR_2100_MS = 4_102_444_800_000
# Keys and authorizations, as far away as the configuration allows.
LONG_MS = str(366 * 86_400_000)


def call(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json", "X-Operator": "kim"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until(condition):
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.05)


class Story:
    """Payments in every state, with the answers that their callers got."""

    def __init__(self, url):
        self.url, self.replays, self.ids, self.next = url, [], [], 0

    def keyed(self, path, **body):
        self.next += 1
        body = {"merchantId": f"MERCHANT-{1 + self.next % 2}", "idempotencyKey": f"key-{self.next}", **body}
        status, text = call(self.url, path, body)
        self.replays.append({"path": path, "body": body, "status": status, "answer": text})
        return status, json.loads(text), body["merchantId"]

    def authorized(self, amount, **more):
        status, payment, merchant = self.keyed("/payments/authorize", amount=amount, currency="KRW", **more)
        payment = payment.get("payment", payment)
        if "paymentId" in payment:
            self.ids.append(payment["paymentId"])
        return payment.get("paymentId"), merchant

    def change(self, what, of, **body):
        return self.keyed(f"/payments/{what}/{of[0]}", **{"merchantId": of[1], **body})

    def settled(self, of, status):
        until(lambda: json.loads(call(self.url, f"/payments/{of[0]}")[1])["status"] == status)

    def tell(self):
        self.authorized(1_000, description="order 7, \"quoted\" and 한글", metadata={"order": "7", "shop": "서울"})
        self.change("capture", self.authorized(2_000))
        part = self.authorized(3_000)
        self.change("capture", part, amount=1_200)
        self.settled(part, "CAPTURED")
        self.change("refund", part, amount=200, reason="torn")
        self.settled(part, "PARTIALLY_REFUNDED")
        self.change("refund", part, amount=5_000)
        whole = self.authorized(4_000, captureMode="automatic")
        self.settled(whole, "CAPTURED")
        self.change("refund", whole)
        self.settled(whole, "REFUNDED")
        void = self.authorized(1_500)
        self.change("void", void)
        self.settled(void, "VOIDED")
        self.change("capture", void)
        self.authorized(4_002)
        self.authorized(4_003)
        refused = self.authorized(5_003)
        self.change("capture", refused)
        self.settled(refused, "CAPTURE_FAILED")
        until(lambda: json.loads(call(self.url, "/admin/dead-letters")[1])["data"])
        letter = json.loads(call(self.url, "/admin/dead-letters")[1])["data"][0]["id"]
        call(self.url, "/admin/dead-letters/discard", {"ids": [letter], "reason": "known", "dryRun": False})
        until(self.at_rest)

    def at_rest(self):
        """The unknown one is resolved, and everything booked."""
        entries = {"CAPTURED": 1, "PARTIALLY_REFUNDED": 2, "REFUNDED": 2}
        found = [self.look_up(id) for id in self.ids]
        is_known = all(payment["status"] not in ("UNKNOWN", "CAPTURE_REQUESTED") for payment in found)
        return is_known and all(len(payment["ledger"]) == entries.get(payment["status"], 0) for payment in found)

    def look_up(self, id):
        return json.loads(call(self.url, f"/payments/{id}?expand=refunds,ledger")[1])

    def answers(self):
        timelines = {id: json.loads(call(self.url, f"/payments/{id}/timeline")[1]) for id in self.ids}
        admin = {path: json.loads(call(self.url, path)[1]) for path in ("/admin/actions", "/admin/dead-letters")}
        payments = {id: self.look_up(id) for id in self.ids}
        return {"payments": payments, "timelines": timelines, "replays": self.replays, "admin": admin}


def address(servers, name):
    return (pathlib.Path(servers) / f"{name}.address").read_text().strip()


def main():
    program, out = sys.argv[1], pathlib.Path(sys.argv[2])
    servers = sys.argv[4] if len(sys.argv) > 4 else None
    out.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp())
    settings = {
        "PSP__SIMULATOR__MAGIC_AMOUNTS": "true",
        "RESOLVER__AFTER_MS": "5001",
        "PAYMENT__CAPTURE_WINDOW_MS": LONG_MS,
        "IDEMPOTENCY__KEPT_MS": LONG_MS,
    }
    name = f"fixture_{os.getpid()}"
    hosts = [address(servers, f"mariadb-{n}") for n in (1, 2)] if servers else []
    if servers:
        for host in hosts:
            client(host, f"CREATE DATABASE {name}")
        urls = ",".join(f'"mysql://rialto:rialto@{host}/{name}"' for host in hosts)
        settings |= {"SHARD__DATABASES": f"[{urls}]", "REDIS__URL": f"redis://{address(servers, 'redis')}/"}
        settings |= {"REDIS__KEY_PREFIX": f"{name}:", "KAFKA__BROKERS": address(servers, "kafka")}
        settings |= {"KAFKA__TOPIC_PREFIX": f"{name}."}
    else:
        settings["SHARD__COUNT"] = "2"
    environment = os.environ | {f"RIALTO__{key}": value for key, value in settings.items()} | {"RUST_LOG": "error"}
    command = [program, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(work / "data")]
    node = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    url = next(line for line in node.stdout if "serving on" in line).split()[3]
    story = Story(url)
    story.tell()
    (out / "answers.json").write_text(json.dumps(story.answers(), ensure_ascii=False, indent=1) + "\n")
    node.terminate()
    assert node.wait() == 0
    move_ends = [
        f"UPDATE idempotency_key SET expires_at = {YEAR_2100_MS}",
        f"UPDATE payment SET due_at = {YEAR_2100_MS} WHERE due_at IS NOT NULL",
    ]
    if servers:
        for n, host in enumerate(hosts, 1):
            for statement in move_ends:
                client(host, statement, name)
            dump = subprocess.check_output(["mariadb-dump", *login(host), "--hex-blob", "--skip-dump-date", "--skip-comments", name])
            (out / f"shard-{n}.sql").write_bytes(dump)
            client(host, f"DROP DATABASE {name}")
    else:
        for file in work.glob("data/shard-*.db"):
            with sqlite3.connect(file) as database:
                for statement in move_ends:
                    database.execute(statement)
            database.execute("VACUUM")
            database.close()
        subprocess.check_call(["tar", "-czf", str(out.resolve() / "data.tar.gz"), "-C", str(work), "data"])


def login(host):
    address, port = host.split(":")
    return [f"--host={address}", f"--port={port}", "--user=rialto", "--password=rialto"]


def client(host, statement, database=""):
    subprocess.check_call(["mariadb", *login(host), *([database] if database else []), "-e", statement])


main()
