#!/usr/bin/env python3
"""What very many topics cost the console and the server: `APUS_BIN=… Benchmarks/console-topics.py`.

Most topics are quiet, some get messages at a steady rate. A page in Chromium without a window shows the topics: how long
each of a person's steps takes until the page shows what it asked for, the longest time between two frames meanwhile, and
the longest task of the page by the processor's clock. Then the bytes of the page's stream, and the server's CPU time with
and without it. Needs what the end-to-end tests need. `--help` has the numbers that can be changed.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Tests/EndToEnd")]

from chromium import Page  # noqa: E402
from console import Publisher, Server, measure, read_everything  # noqa: E402

WATCH = """window.watched = { gap: 0, tasks: [] };
(() => {
    let before = performance.now();
    const frame = now => { watched.gap = Math.max(watched.gap, now - before); before = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    new PerformanceObserver(list => watched.tasks.push(...list.getEntries().map(each => Math.round(each.duration))))
        .observe({ type: "longtask" });
})()"""
# Does the step, and waits frame by frame for what it leads to. `first` and `busy` are of the rows in sight.
STEP = """(async () => {
    const rows = () => [...document.querySelectorAll(".rows-space .row")]
        .filter(row => { const { top, bottom } = row.getBoundingClientRect(); const box =
            document.querySelector(".rows-scroll").getBoundingClientRect();
            return bottom > box.top + 1 && top < box.bottom - 1; })
        .sort((a, b) => a.dataset.index - b.dataset.index);
    const names = () => rows().map(row => row.querySelector("a").textContent);
    const list = document.querySelector(".rows-scroll");
    watched.gap = 0; watched.tasks = [];
    const start = performance.now();
    await (async () => { %s })();
    for (;;) {
        const done = (() => { try { return %s; } catch { return false; } })();
        if (done) break;
        if (performance.now() - start > 30000) throw new Error("not in time: " + names().slice(0, 5) + " "
            + document.querySelector("#view").innerText.slice(0, 200));
        await new Promise(next => requestAnimationFrame(next));
    }
    const took = performance.now() - start;
    await new Promise(next => setTimeout(next, 300));
    return { took, gap: watched.gap, tasks: watched.tasks };
})()"""
HASH = "location.hash = %s"
NAMED = "names().length > 5 && !names().includes('…')"


def name_of(number):
    return f"shop{number % 40:02}.region{number // 40 % 50:02}.device{number:06}.state"


def make_topics(server, count):
    """Creates them over one connection, without waiting for each answer."""
    connection, names = server.connect(), [name_of(number) for number in range(count)]
    for first in range(0, count, 100):
        part = names[first:first + 100]
        connection.sendall(b"".join(
            b"POST /topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body) for body in (json.dumps({"name": name}).encode() for name in part)))
        answers = b""
        while answers.count(b"HTTP/1.1 ") < len(part) or not answers.endswith(b"}"):
            answers += connection.recv(1 << 16)
        assert answers.count(b"HTTP/1.1 201") == len(part), answers[:500]
    connection.close()
    return names


def steps(count, busy):
    last, middle = name_of(0), count // 2
    return [
        ("open", HASH % "'#/topics'", f"{NAMED} && document.querySelector('#view').innerText.includes('{count:,} topics')"),
        ("last row", "list.scrollTop = list.scrollHeight", f"{NAMED} && rows().at(-1).dataset.index == {count - 1}"),
        ("middle row", f"list.scrollTop = list.scrollHeight / 2", f"{NAMED} && Math.abs(rows()[0].dataset.index - {middle})"
         " < 50"),
        ("search", HASH % "'#/topics?search=device0123'", f"{NAMED} && names().every(name => name.includes('device0123'))"),
        ("search without a match", HASH % "'#/topics?search=nothing'",
         "document.querySelector('#view').innerText.includes('No topic matches')"),
        ("by rate", HASH % "'#/topics?sort=rate&order=desc'",
         f"{NAMED} && rows().every(row => row.children[1].classList.contains('busy'))"),
        ("by rate, middle", "list.scrollTop = list.scrollHeight / 2",
         f"{NAMED} && Math.abs(rows()[0].dataset.index - {middle}) < 50"),
        ("by rate, last row", "list.scrollTop = list.scrollHeight", f"{NAMED} && rows().at(-1).dataset.index == {count - 1}"),
        ("tree", HASH % "'#/topics?tree=1'", "document.querySelectorAll('.tokens a').length === 40"),
        ("tree, one token", HASH % "'#/topics?tree=1&prefix=shop07.'",
         "document.querySelectorAll('.tokens a').length === 50 && document.querySelector('.crumbs').innerText.includes('07')"),
        ("tree, wide", HASH % "'#/topics?tree=1&prefix=shop07.region11.&sort=rate&order=desc'",
         "document.querySelector('.crumbs').innerText.includes('region11')"
         " && document.querySelector('.tokens b').innerText.startsWith('device')"),
    ]


async def look(port, options):
    figures = {}
    async with Page.open(f"http://127.0.0.1:{port}/") as page:
        await page.ask("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
        await page.evaluate(WATCH)
        for _ in range(options.reps):
            for name, action, done in steps(options.topics, options.busy):
                figures.setdefault(name, []).append(await page.evaluate(STEP % (action, done)))
                await asyncio.sleep(0.5)
            await page.evaluate(HASH % "'#/overview'")
        # Thirty places in a row, as with the wheel of a mouse.
        await page.evaluate(HASH % "'#/topics'")
        await asyncio.sleep(1)
        figures["30 jumps"] = [await page.evaluate(STEP % (
            "for (let turn = 1; turn <= 30; turn++) { list.scrollTop = list.scrollHeight / 31 * turn;"
            " await new Promise(next => setTimeout(next, 150)); }", NAMED))]
        await page.evaluate(HASH % "'#/topics?sort=rate&order=desc'")
        await asyncio.sleep(2)
        figures["10 s by rate"] = [await page.evaluate(STEP % ("await new Promise(next => setTimeout(next, 10000))", NAMED))]
        for complaint in page.complaints:
            print("complaint:", json.dumps(complaint)[:300])
    for name, each in figures.items():
        took, gap = (statistics.median(one[key] for one in each) for key in ("took", "gap"))
        tasks = [task for one in each for task in one["tasks"]]
        print(f"{name:24} {took:7.0f} ms   longest frame {gap:5.0f} ms   (worst {max(one['gap'] for one in each):.0f})"
              f"   long tasks {sorted(tasks)[-3:]}", flush=True)


def stream(server, options, query):
    counts, with_one, without = {}, [], []
    for _ in range(options.reps):
        without.append(measure(server, options.publisher, options.seconds))
        console = server.connect()
        console.sendall(f"GET /console/stream?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        read_everything(console, counts, "console")
        time.sleep(2)
        before = counts["console"]
        with_one.append(measure(server, options.publisher, options.seconds))
        counts["measured"] = counts.get("measured", 0) + counts["console"] - before
        console.close()
        time.sleep(2)
    first, second = (statistics.median(share for share, _ in each) for each in (without, with_one))
    print(f"{query}: without {first:.2f} %, with {second:.2f} %: {second - first:.2f} % of a core,"
          f" {counts['measured'] / options.reps / options.seconds / 1024:.1f} KiB/s,"
          f" {statistics.median(rate for _, rate in with_one):.0f} messages/s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topics", type=int, default=100_000)
    parser.add_argument("--busy", type=int, default=2000, help="topics that get messages")
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement of the stream")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--parts", default="page,stream", help="what to measure")
    options = parser.parse_args()
    with Server("--threads", "1", "--max-topics", str(options.topics)) as server:
        start = time.monotonic()
        names = make_topics(server, options.topics)
        print(f"{options.topics} topics made in {time.monotonic() - start:.1f} s", flush=True)
        step = options.topics // options.busy
        options.publisher = Publisher(server.websocket(), names[::step][:options.busy], options.rate)
        read_everything(options.publisher._connection, {}, "acks")
        options.publisher.start()
        time.sleep(3)
        if "page" in options.parts:
            asyncio.run(look(server.port, options))
        if "stream" in options.parts:
            for query in ("view=topics&limit=200", "view=topics&sort=rate&order=desc&limit=200",
                          "view=topics&sort=rate&order=desc&limit=200&offset=50000"):
                stream(server, options, query)


if __name__ == "__main__":
    main()
