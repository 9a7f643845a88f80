#!/usr/bin/env python3
"""Tests deploy/nginx/nginx.conf with nginx itself between a client and two stand-ins for ingest nodes: what reaches a node, and above
all that no payment is sent twice. Usage: tests/balancer.py"""

import http.client
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONFIGURATION = pathlib.Path(__file__).parent.parent / "deploy/nginx/nginx.conf"
CAPTURE = "/payments/capture/pay_1"


class Node(ThreadingHTTPServer):
    """Answers 200 and keeps what it was asked; `hangs_up` makes it read a request and close without an answer."""

    def __init__(self):
        self.asked, self.hangs_up, self.status = [], False, 200
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers))
        if self.server.hangs_up:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Balancer(unittest.TestCase):
    def setUp(self):
        self.nodes = [Node(), Node()]
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        text = CONFIGURATION.read_text().replace("/tmp/", folder.name + "/").replace("listen 8080", f"listen 127.0.0.1:{self.port}")
        text = re.sub(r"ingest-(\d):8080", lambda node: "127.0.0.1:%d" % self.nodes[int(node[1]) - 1].server_port, text)
        file = pathlib.Path(folder.name, "nginx.conf")
        file.write_text(text)
        self.nginx = subprocess.Popen(["nginx", "-c", file, "-g", "daemon off;"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                self.assertIsNone(self.nginx.poll(), "nginx ended")
                self.assertLess(time.monotonic(), deadline, "nginx does not listen")
                time.sleep(0.02)

    def stop(self):
        self.nginx.terminate()
        self.nginx.wait()
        for node in self.nodes:
            node.stop()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def asked(self):
        return [request for node in self.nodes for request in node.asked]

    def test_a_node_that_is_gone_costs_no_request(self):
        self.nodes[0].stop()
        for _ in range(10):
            self.assertEqual(self.ask("POST", CAPTURE, b"{}")[0], 200)
        self.assertEqual(len(self.nodes[1].asked), 10)

    def test_a_post_that_a_node_took_goes_to_no_other(self):
        for node in self.nodes:
            node.hangs_up = True
        status, headers, body = self.ask("POST", CAPTURE, b"{}")
        self.assertEqual(status, 502)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertEqual(json.loads(body)["status"], 502)
        self.assertEqual(len(self.asked()), 1)

    def test_a_post_on_a_connection_in_use_goes_to_no_other(self):
        for _ in range(4):
            self.ask("POST", CAPTURE, b"{}")
        for node in self.nodes:
            node.hangs_up = True
        self.assertEqual(self.ask("POST", CAPTURE, b"{}")[0], 502)
        self.assertEqual(len(self.asked()), 5)

    def test_a_get_goes_to_the_other_node(self):
        self.nodes[0].hangs_up = True
        for _ in range(4):
            self.assertEqual(self.ask("GET", "/payments/pay_1")[0], 200)

    def test_a_503_is_the_nodes_answer_and_takes_no_node_out(self):
        for node in self.nodes:
            node.status = 503
        for _ in range(10):
            self.assertEqual(self.ask("POST", CAPTURE, b"{}")[0], 503)
        self.assertEqual(len(self.asked()), 10)

    def test_a_request_has_its_callers_name_or_a_new_one(self):
        self.ask("POST", CAPTURE, b"{}", **{"X-Request-Id": "mine", "traceparent": "00-1-2-01"})
        self.ask("POST", CAPTURE, b"{}")
        names = sorted((request[2]["X-Request-Id"] for request in self.asked()), key=len)
        self.assertEqual(names[0], "mine")
        self.assertRegex(names[1], "^[0-9a-f]{32}$")
        self.assertIn("00-1-2-01", [request[2]["traceparent"] for request in self.asked()])

    def test_only_what_merchants_use_passes(self):
        for path in ["/payments", "/api/payments/pay_1", "/docs/", "/problems/not_found", "/openapi.json", "/readyz"]:
            self.assertEqual(self.ask("GET", path)[0], 200, path)
        passed = len(self.asked())
        for path in ["/admin/faults", "/api/admin/faults", "/metrics", "/healthz", "/", "/payments/../admin/faults", "/paymentsx", "//admin/actors"]:
            status, headers, _ = self.ask("GET", path)
            self.assertEqual((status, headers["Content-Type"]), (404, "application/problem+json"), path)
        self.assertEqual(len(self.asked()), passed)

    def test_a_body_beyond_64_kib_is_refused_unread(self):
        self.assertEqual(self.ask("POST", CAPTURE, b" " * 65536)[0], 200)
        self.assertEqual(self.ask("POST", CAPTURE, b" " * 65537)[0], 413)
        self.assertEqual(len(self.asked()), 1)


if __name__ == "__main__":
    unittest.main()
