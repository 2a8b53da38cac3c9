"""Many topics on a cluster: how fast they are made, what memory they take, how long a node takes to start with them."""

import socket
import threading
import time

from .servers import Apus, Failed, memory

CONNECTIONS = 16
# Requests that a connection has on their way.
WINDOW = 32


def make(port, names, limit):
    """Makes topics over one connection; returns how many before the time was up."""
    end, made = time.monotonic() + limit, 0
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        lines = connection.makefile("rb")
        for start in range(0, len(names), WINDOW):
            if time.monotonic() > end:
                break
            part = names[start:start + WINDOW]
            connection.sendall("".join(f"PUT /topics/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{{}}"
                                       for name in part).encode())
            for _ in part:
                made += _answer(lines)
    return made


def _answer(lines):
    status = lines.readline().split()
    if len(status) < 2 or status[1] not in (b"200", b"201"):
        raise Failed(f"a topic was refused: {b' '.join(status).decode()}")
    size = 0
    while (line := lines.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    lines.read(size)
    return 1


def scale(program, nats, topics, limit):
    """Makes topics at one node, for `limit` seconds at most; then starts another node."""
    with Apus(program, nats, "scale", ("--max-topics", str(2 * topics))) as node:
        before, nats_before = memory(node.pid), sum(memory(pid) for pid in nats.pids)
        names = [f"scale.{number:06}" for number in range(topics)]
        begin, made, problems = time.monotonic(), [], []

        def work(index):
            try:
                made.append(make(node.port, names[index::CONNECTIONS], limit))
            except (Failed, OSError) as error:
                problems.append(error)

        workers = [threading.Thread(target=work, args=(index,)) for index in range(CONNECTIONS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if problems:
            raise Failed(str(problems[0]))
        seconds, count = time.monotonic() - begin, sum(made)
        figures = {
            "topics": count,
            "made_per_second": count / seconds,
            "node_bytes_per_topic": (memory(node.pid) - before) / count,
            "nats_bytes_per_topic_of_three": (sum(memory(pid) for pid in nats.pids) - nats_before) / count,
        }
        begin = time.monotonic()
        with Apus(program, nats, "scale", ("--max-topics", str(2 * topics))) as other:
            figures["start_seconds"] = time.monotonic() - begin
            figures["start_bytes_per_topic"] = (memory(other.pid) - before) / count
            if not other.has_topics(names[:1]):
                raise Failed("the new node does not have the first topic")
        return figures
