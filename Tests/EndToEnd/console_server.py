"""A server that says to a console what a test wants it to say, at any time."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def sample(**figures):
    return {"at": "2026-11-30T10:00:00.123Z", "publishes": 1234, "deliveries": 56789, "bytes_in": 2048, "bytes_out": 1 << 20,
            "connections": 12, "subscriptions": 30, "topics": 3, "drops": 0, "memory": 64 << 20, "memory_limit": 1 << 30,
            "cpu": 0.37, "loops": [{"busy": 0.12, "connections": 6}, {"busy": 0.5, "connections": 6}], "nodes": []} | figures


def topic(name, **figures):
    return {"name": name, "messages_per_s": 10, "bytes_per_s": 100, "subscribers": 1, "messages": 1000, "history": 100,
            "bytes": 4096, "durability": "memory"} | figures


def subscriber(name, client, lag=0, dropped=0, reason=None):
    row = {"topic": name, "client_id": client, "connection": 7, "address": "127.0.0.1:5", "transport": "websocket",
           "policy": "drop-oldest", "queue": 100, "delivered": 5, "dropped": dropped,
           "lag": {"messages": lag, "bytes": 10 * lag, "ms": 20 * lag}, "throttled_ms": 0, "held_ms": 0}
    return row | ({"last_drop": {"at": "2026-11-30T10:00:00Z", "reason": reason, "messages": dropped}} if reason else {})


class ConsoleServer:
    def __init__(self):
        self.sample, self.topics, self.subscribers = sample(), [topic("orders")], [subscriber("orders", "slow", 5)]
        # What a path is answered with instead.
        self.answers = {}
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                outer.asked.append((url.path, query))
                status, body = outer.answer(url.path, query)
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path, query):
        if path in self.answers:
            return self.answers[path]
        if path == "/console/sample":
            series = {"publishes": [0, 5, 10, None, 20], "deliveries": [1, 2, 3, 4, 5], "bytes_in": [1], "bytes_out": [1]}
            return 200, {"history": {"from": "2026-11-30T09:59:55Z", "step_ms": 1000, "series": series}, "sample": self.sample}
        if path == "/console/topics":
            found = [each for each in self.topics if query.get("search", "") in each["name"]]
            first = int(query["offset"])
            return 200, {"total": len(self.topics), "matching": len(found),
                         "rows": found[first:first + int(query["limit"])], "tokens": []}
        if path == "/subscribers":
            return 200, {"subscribers": self.subscribers, "gone": []}
        return 404, problem(404, "NOT_FOUND", f"There is nothing at {path}")[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def problem(status, code, detail):
    return status, {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code}
