"""Just enough of a NATS client to ask JetStream for snapshots of streams, and to give it some back."""

import base64
import json
import socket

from apus_e2e import TIMEOUT

INBOX = "_INBOX.backup"
# What a server sends before it waits to hear that something of it has come.
CHUNK = 128 << 10


class JetStream:
    def __init__(self, server):
        self._socket = socket.create_connection((server.place.host, server.place.port), TIMEOUT)
        self._stream = self._socket.makefile("rb")
        self._stream.readline()
        self._write(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n')
        self._write(f"SUB {INBOX}.> 1\r\n".encode())

    def close(self):
        self._socket.close()

    def _write(self, data):
        self._socket.sendall(data)

    def publish(self, subject, body=b"", reply=""):
        self._write(f"PUB {subject} {reply} {len(body)}\r\n".encode() + body + b"\r\n")

    def next(self):
        """The next message: where it was sent to, where an answer goes, its headers and its body."""
        while True:
            words = self._stream.readline().split()
            if words[0] == b"PING":
                self._write(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                reply = words[3].decode() if len(words) == (6 if head else 5) else ""
                data = self._stream.read(int(words[-1]) + 2)[:-2]
                return words[1].decode(), reply, data[:head], data[head:]

    def request(self, subject, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.publish(subject, body, f"{INBOX}.answer")
        while True:
            to, _, _, answer = self.next()
            if to == f"{INBOX}.answer":
                return json.loads(answer) if answer else {}

    def api(self, subject, value):
        answer = self.request(f"$JS.API.{subject}", value)
        assert "error" not in answer, answer
        return answer

    def streams(self):
        return self.api("STREAM.NAMES", {})["streams"]

    def snapshot(self, name):
        """All of a stream, as `nats stream backup` has it: what is needed to make it again, and its data."""
        asked = {"deliver_subject": f"{INBOX}.data", "no_consumers": True, "chunk_size": CHUNK}
        told = self.api(f"STREAM.SNAPSHOT.{name}", asked)
        data = b""
        while True:
            to, reply, _, chunk = self.next()
            if to != f"{INBOX}.data":
                continue
            if not chunk:
                return {"config": told["config"], "state": told["state"], "data": base64.b64encode(data).decode()}
            data += chunk
            if reply:
                self.publish(reply)

    def restore(self, backup):
        name = backup["config"]["name"]
        to = self.api(f"STREAM.RESTORE.{name}", {"config": backup["config"], "state": backup["state"]})["deliver_subject"]
        data = base64.b64decode(backup["data"])
        for start in range(0, len(data), CHUNK):
            self.request(to, data[start:start + CHUNK])
        answer = self.request(to, b"")
        assert "error" not in answer, answer
