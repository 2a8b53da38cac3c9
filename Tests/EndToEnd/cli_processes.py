"""`apus pub` and `apus sub` as processes, and a way to a server that can be cut, and led to another server."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

from apus_e2e import TIMEOUT, apus, client_environment, eventually


class Cutter:
    """A TCP proxy in front of a server that can cut all connections that go through it."""

    def __init__(self, server):
        self.lead_to(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open, self._lock = [], threading.Lock()
        scheme = server.url.partition(":")[0]
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted = 0
        # What the next connections get in place of an answer, before they are closed.
        self.stumps = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, server):
        """Has later connections go to this server."""
        self._target = ("127.0.0.1", server.port)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.stumps:
                self._stump(client, self.stumps.pop(0))
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open += [client, server]
                self.accepted += 1
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pipe, args=(source, sink), daemon=True).start()

    @staticmethod
    def _stump(client, answer):
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            client.sendall(answer)

    @staticmethod
    def _pipe(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        # The end of one direction, and what came before it, is the other side's to see.
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        with self._lock:
            for end in self._open:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
            self._open = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        self.cut()


class Sub:
    """`apus sub …` with its output in a file, ended by SIGINT at the end of the block with exit code 0."""

    def __init__(self, directory, *arguments, url):
        self.output, self._said = directory / "events.ndjson", directory.parent / f"{directory.name}.stderr"
        self._arguments = [os.environ["APUS_BIN"], "sub", *arguments, "--url", url]

    def __enter__(self):
        with open(self.output, "ab") as output, open(self._said, "wb") as said:
            self.process = subprocess.Popen(self._arguments, env=client_environment(), stdout=output, stderr=said)
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        else:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(TIMEOUT)
        assert kind is not None or self.process.returncode == 0, self.stderr

    @property
    def stderr(self):
        return self._said.read_text()

    def says(self, text):
        """Waits until it has said so on standard error."""
        eventually(lambda: text in self.stderr, f"said '{text}'")

    def events(self, count):
        eventually(lambda: len(self.output.read_text().splitlines()) >= count, f"{count} lines printed")
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def payloads(self, count):
        return [event["message"]["payload"] for event in self.events(count)]


def cli(server, *arguments, **options):
    result = apus(*arguments, "--url", server.url, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def publish(server, topic, numbers):
    cli(server, "pub", topic, "-", stdin="".join(f"{number}\n" for number in numbers))


def subscribed(server, topic, count=1):
    eventually(lambda: server.subscribers(topic) == count, "subscribed")
