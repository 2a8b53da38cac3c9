"""`Benchmarks/compare --durable`: what acknowledged messages cost that outlive the server, on Apus and on others.

    Benchmarks/compare --durable                               everything, five times: about a quarter of an hour
    Benchmarks/compare --durable --reps 1 --loads single       a look
    Benchmarks/compare --durable --write docs/durability.md    and the tables between the two marks in a document
    Benchmarks/compare --durable --report FILE…                the tables of results that were kept; measures nothing

All servers run with their defaults on all cores, and keep their data in folders of the same file system.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from . import disk, durable_tables, facts, install, tables
from .durable_servers import all_of_them
from .measure import Cores, busy_neighbours, generate
from .others import QUIET, Others, wait_until_quiet
from .server import Failed, Server

PREFIX = "load"
# What a run may take besides warm-up and measuring: connecting, and waiting for what is on its way.
SPARE = 90


@dataclass(frozen=True)
class Load:
    name: str
    publishers: int = 1
    topics: int = 1
    subscribers: int = 0
    # Closed loop: messages on their way for each publisher. Open loop: publishes a second of all together.
    window: int = 0
    rate: int = 0
    payload: int = 128
    # Whether calls of fdatasync are counted.
    counts_flushes: bool = False
    # Whether others are measured, too: with subscribers, they deliver what they have not kept yet.
    has_peers: bool = True


LOADS = {
    load.name: load
    for load in (
        Load("pubs50", publishers=50, window=32),
        Load("single", window=1),
        Load("fanout", subscribers=100, window=64, has_peers=False),
        Load("topics1000", publishers=10, topics=1000, rate=1000, counts_flushes=True),
    )
}


def command(program, contestant, load, server, seconds):
    options = {
        "protocol": contestant.protocol,
        "port": server.port,
        "prefix": PREFIX,
        "topics": load.topics,
        "pubs": load.publishers,
        "subs": load.subscribers,
        "size": load.payload,
        "warmup": seconds.warmup,
        "duration": seconds.duration,
    }
    options |= {"rate": load.rate} if load.rate else {"window": load.window}
    words = [f"--{name}={value}" for name, value in options.items()]
    return [str(program), *words, *(f"--pid={pid}" for pid in server.pids)]


def read(text, kept):
    """The figures of what the generator printed; `kept` is how many messages the server says it has."""
    found = json.loads(text)
    if found["refusals"]:
        raise Failed(f"{found['refusals']} publishes were refused")
    if found["answers"] != found["sent"]:
        raise Failed(f"{found['sent'] - found['answers']} publishes were not acknowledged")
    if found["deliveries"] != found["expected"]:
        raise Failed(f"{found['deliveries']} deliveries in place of {found['expected']}")
    if kept != found["answers"]:
        raise Failed(f"{found['answers']} were acknowledged, and the server says it has {kept}")
    answers, deliveries = found["counted_answers"], found["counted_deliveries"]
    if not answers:
        raise Failed("nothing was acknowledged in the time that counts")
    seconds, cpu = found["measured_ns"] / 1e9, found["server_cpu_ns"] / 1000
    return {
        "acked_per_s": answers / seconds,
        "cpu_us_per_publish": cpu / answers,
        "cpu_us_per_delivery": cpu / deliveries if deliveries else None,
        "server_cpu_percent": cpu / seconds / 1e4,
        "generator_cpu_percent": found["generator_cpu_ns"] / seconds / 1e7,
        "p50_us": found["p50_us"],
        "p99_us": found["p99_us"],
        "max_us": found["max_us"],
        "out_of_order": found["out_of_order"],
    }


def commits(before, after, counts, acked_per_s):
    """What the server counts of its commits, and how often the disk was told to flush."""
    names = ("commits", "committed_messages", "committed_bytes")
    commits, messages, size = (after[name] - before[name] for name in names)
    if not commits or not messages:
        raise Failed("the server committed nothing")
    return {
        "messages_per_commit": messages / commits,
        "bytes_per_commit": size / commits,
        "bytes_per_s": acked_per_s * size / messages,
        "flushes_per_commit": sum(counts) / commits if counts else None,
    }


def run_in_peace(contestant, load, program, options, log):
    """One run; again, for as long as there is patience, if others disturbed it. The least disturbed one counts."""
    deadline = time.monotonic() + options.patience
    best = None
    while best is None or (best["others_percent"] > QUIET and time.monotonic() < deadline):
        wait_until_quiet(options.neighbours, deadline)
        figures = run_once(contestant, load, program, options, log)
        if "failed" in figures:
            return figures
        if best is None or figures["others_percent"] < best["others_percent"]:
            best = figures
    return best


def run_once(contestant, load, program, options, log):
    """The figures of one run, or `failed` with the reason."""
    try:
        return _measure(contestant, load, program, options, log)
    except Failed as error:
        return {"failed": str(error)}
    except (OSError, ValueError, LookupError) as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def _measure(contestant, load, program, options, log):
    cores = Cores(None, None)
    counts = []
    with Server(contestant, cores, log, options.folder) as server:
        contestant.prepare(server.port, PREFIX, load.topics)
        words = command(program, contestant, load, server, options)
        before = contestant.figures(server.port)
        limit = options.warmup + options.duration + SPARE
        with Others([*server.pids, *options.neighbours]) as others:
            if load.counts_flushes:
                with disk.flushes(server.pids) as counts:
                    output, _ = generate(words, server, cores, limit)
            else:
                output, _ = generate(words, server, cores, limit)
        after = contestant.figures(server.port)
        figures = read(output, contestant.kept(server.port, PREFIX, load.topics))
    figures["others_percent"] = others.percent
    if counts:
        figures["flushes_per_publish"] = sum(counts) / json.loads(output)["answers"]
    if after:
        figures |= commits(before, after, counts, figures["acked_per_s"])
    if after and contestant.flushes:
        # At once, so that what disturbs the disk disturbs both.
        with Others(options.neighbours) as others:
            figures |= disk.floor(int(figures["bytes_per_commit"]), options.folder, options.duration)
        figures["others_percent"] = max(figures["others_percent"], others.percent)
    return figures


def run_all(contestants, loads, program, options, results, log):
    rows = []
    for repetition in range(options.reps):
        for load in loads:
            # Another order each time, so that nobody always comes after the same one.
            turn = repetition % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                if contestant.protocol != "apus" and not load.has_peers:
                    continue
                row = {"server": contestant.name, "workload": load.name, "repetition": repetition}
                row |= run_in_peace(contestant, load, program, options, log)
                rows.append(row)
                print(json.dumps(row), file=results, flush=True)
                _report(row, options.reps)
    return rows


def _report(row, repetitions):
    if "failed" in row:
        what = f"FAILED: {row['failed']}"
    else:
        latencies = f"p50 {row['p50_us']:,} µs, p99 {row['p99_us']:,} µs"
        what = f"{row['acked_per_s']:,.0f} acked/s, {latencies}, {row['cpu_us_per_publish']:.3g} µs a publish"
        what += f", others {row['others_percent']:.0f} %"
    head = f"[{row['repetition'] + 1}/{repetitions}] {row['workload']:10} {row['server']:18}"
    print(f"{head} {what}", file=sys.stderr, flush=True)


def arguments(words, shared):
    parser = argparse.ArgumentParser(
        prog="compare --durable", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    names = [one.name for one in all_of_them(None)]
    add("--servers", type=shared.choice(names, "server"), default=names, help=f"of {','.join(names)}; all else")
    add("--loads", type=shared.choice(LOADS, "load"), default=list(LOADS), help=f"of {','.join(LOADS)}")
    add("--reps", type=shared.positive(int), default=5, help="how often everything is measured (5)")
    add("--duration", type=shared.positive(float), default=3, help="seconds that count, of each run and floor (3)")
    add("--warmup", type=shared.positive(float), default=1, help="seconds before those (1)")
    add("--folder", type=Path, help="on the disk that is measured; the cache else")
    add("--patience", type=float, default=0, help="seconds that each run may wait for a quiet machine (0)")
    add("--beside", type=int, choices=range(9), default=0, metavar="N", help="N processes that keep cores busy (0)")
    add("--nice", type=int, default=0, help="niceness of all of it; below 0 needs root")
    add("--apus", type=Path, help="the server's program; is built else")
    add("--results", type=Path, help="file that the runs are appended to, one JSON object a line")
    add("--output", type=Path, help="file for the tables; beside the results else")
    add("--write", type=Path, help="document that gets the tables between its two marks")
    add("--report", type=Path, nargs="+", help="measure nothing, take these results")
    return parser.parse_args(words)


def run(options, shared):
    """Measures; returns the rows, the facts and the file of results."""
    apus = shared.program(options.apus, "apus", facts.ROOT)
    contestants = [one for one in all_of_them(apus) if one.name in options.servers]
    for contestant in contestants:
        if contestant.protocol != "apus":
            install.install(contestant.peer)
    program = install.load_generator()
    options.folder = (options.folder or install.cache()).resolve()
    path = options.results or install.cache() / time.strftime("results/durable-%Y-%m-%d-%H%M%S.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    known = facts.gather(contestants, SimpleNamespace(name="ack-load"), options)
    known |= {"file_system": facts.file_system(options.folder), "load_before": os.getloadavg()[0]}
    loads = [LOADS[name] for name in options.loads]
    beside, log_path = busy_neighbours(options.beside), install.cache() / "servers.log"
    with path.open("a") as results, log_path.open("ab") as log, beside as options.neighbours:
        try:
            rows = run_all(contestants, loads, program, options, results, log)
        finally:
            # So that there can be a report of what was measured, if it is interrupted.
            known |= {"load_after": os.getloadavg()[0], "time": time.strftime("%H:%M")}
            print(json.dumps({"facts": known}), file=results, flush=True)
    return rows, known, path


def main(words, shared):
    """`shared` has functions of `compare`."""
    options = arguments(words, shared)
    if options.write and tables.insert(options.write.read_text(), "", durable_tables.MARKS) is None:
        sys.exit(f"compare: {options.write} has no lines {' and '.join(durable_tables.MARKS)}")
    if options.report:
        rows, known = shared.kept(options.report)
        output = options.output
    else:
        if options.nice:
            shared.make_nice(options.nice)
        rows, known, path = run(options, shared)
        output = options.output or path.with_suffix(".md")
        print(f"\nResults in {path}", file=sys.stderr)
    text = durable_tables.summary(durable_tables.Results(rows, known))
    if output:
        output.write_text(text + "\n")
    print(text)
    if options.write:
        options.write.write_text(tables.insert(options.write.read_text(), text, durable_tables.MARKS))
    return 0
