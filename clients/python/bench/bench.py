"""How many messages a second the Python client takes and publishes, on one core.

    APUS_BIN=../../.build/release/apus python bench/bench.py

The server has another core, where there is one. Figures are for each second that the client's core computed
(`process_time`), and for each second that passed; on a machine that does other things, only the first mean something.
Each is the median of `--reps` runs.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import apus

ORDER = {"order": "ORD-123", "customer": "ann", "amount": 99.5, "items": [1, 2, 3], "paid": True}


def text_of(size):
    """A payload whose JSON has about so many bytes."""
    short = len(json.dumps(ORDER))
    return ORDER if size <= short else {**ORDER, "text": "x" * (size - short - 12)}


class Stopwatch:
    def __enter__(self):
        self.began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.passed, self.computed = time.perf_counter() - self.began[0], time.process_time() - self.began[1]

    def rates(self, count):
        return count / self.computed, count / self.passed


async def published(client, payload, count):
    """With up to 256 messages on their way."""
    with Stopwatch() as watch:
        for number in range(count):
            outcome = client.enqueue("bench", payload)
            if number % 128 == 127:
                await outcome
        await client.flush()
    return watch.rates(count)


async def published_in_batches(client, payload, count):
    with Stopwatch() as watch:
        for _ in range(count // 100):
            await client.publish_batch("bench", [payload] * 100)
    return watch.rates(count)


async def published_one_by_one(client, payload, count):
    with Stopwatch() as watch:
        for _ in range(count // 10):
            await client.publish("bench", payload)
    return watch.rates(count // 10)


async def received(client, payload, count):
    """A replay: what the server can send at once."""
    await client.topics.purge("bench")
    for _ in range(count // 100):
        await client.publish_batch("bench", [payload] * 100)
    left = count
    async with client.subscribe("bench", since="all") as subscription:
        with Stopwatch() as watch:
            async for _ in subscription:
                left -= 1
                if not left:
                    break
    return watch.rates(count)


async def measure(url, arguments):
    table = []
    async with apus.Client(url) as client:
        await client.topics.create("bench", history=2 * arguments.count)
        for name, work, size in (
            ("received, 100 B", received, 100),
            ("received, 1 KiB", received, 1024),
            ("published, 100 B, 128 to 256 on their way", published, 100),
            ("published, 1 KiB, 128 to 256 on their way", published, 1024),
            ("published, 100 B, in batches of 100", published_in_batches, 100),
            ("published, 100 B, each awaited", published_one_by_one, 100),
        ):
            rates = [await work(client, text_of(size), arguments.count) for _ in range(arguments.reps)]
            table.append((name, *(statistics.median(rate) for rate in zip(*rates, strict=True))))
    return table


def main():
    parser = argparse.ArgumentParser(description="Measures the Python client of Apus.")
    parser.add_argument("--count", type=int, default=50_000, help="messages of a run")
    parser.add_argument("--reps", type=int, default=5)
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    server = subprocess.Popen(
        [os.environ["APUS_BIN"], "serve", "--port", "0", "--threads", "1"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]}),
    )  # fmt: skip
    os.sched_setaffinity(0, {cores[0]})
    try:
        line = next(line for line in server.stderr if " listening " in line)
        table = asyncio.run(measure(line.split("address=")[1].split()[0], arguments))
    finally:
        server.terminate()
        server.communicate()
    print(f"Python {platform.python_version()}, {len(cores)} cores, load {os.getloadavg()[0]:.0f}\n")
    print("| messages a second | of computing | of time |\n|---|---:|---:|")
    for name, computed, passed in table:
        print(f"| {name} | {computed:,.0f} | {passed:,.0f} |")


if __name__ == "__main__":
    sys.exit(main())
