"""The tables of `compare --durable`: medians of the runs, and what was aimed at beside what was measured."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from .others import QUIET
from .tables import BOUND, DISTURBED_MARK, GENERATOR_BOUND_MARK, number, table

MARKS = ("<!-- durable: begin -->", "<!-- durable: end -->")
TITLES = {
    "pubs50": "50 publishers with 32 messages in flight each",
    "single": "1 publisher, 1 message in flight",
    "fanout": "1 publisher, 64 messages in flight, 100 subscribers",
    "topics1000": "1,000 topics, each of which gets a message a second",
}


def is_quiet(row):
    return (row.get("others_percent") or 0) <= QUIET


class Results:
    """Runs, by load and server. Disturbed ones count only where there is no other."""

    def __init__(self, rows, known):
        self.known = known
        self.servers = known["servers"]
        self.failures = [row for row in rows if "failed" in row]
        self.rows = [row for row in rows if "failed" not in row]
        self.marks = set()

    def all_runs(self, workload, server):
        return [row for row in self.rows if (row["workload"], row["server"]) == (workload, server)]

    def runs(self, workload, server):
        found = self.all_runs(workload, server)
        return [row for row in found if is_quiet(row)] or found

    def median(self, workload, server, key):
        values = [row[key] for row in self.runs(workload, server) if row.get(key) is not None]
        return statistics.median(values) if values else None

    def ratio(self, workload, key, server, other):
        """Of undisturbed runs of both, or of all runs of both: a quiet machine for one alone would be an advantage."""
        both = [self.runs(workload, name) for name in (server, other)]
        if not all(is_quiet(row) for runs in both for row in runs):
            both = [self.all_runs(workload, name) for name in (server, other)]
        own, others = ([row[key] for row in runs if row.get(key)] for runs in both)
        return statistics.median(own) / statistics.median(others) if own and others else None

    def to_floor(self, workload, server, key):
        """The median of each run's ratio to the floor that was measured after it."""
        runs = [row for row in self.runs(workload, server) if row.get(f"floor_{key}")]
        return statistics.median(row[key] / row[f"floor_{key}"] for row in runs) if runs else None

    def disturbed(self, workload, *servers):
        if all(is_quiet(row) for server in servers for row in self.runs(workload, server)):
            return ""
        self.marks.add(DISTURBED_MARK)
        return DISTURBED_MARK

    def signs(self, workload, server):
        found = ""
        own = self.median(workload, server, "server_cpu_percent") or 0
        if (self.median(workload, server, "generator_cpu_percent") or 0) >= BOUND > own:
            found += GENERATOR_BOUND_MARK
            self.marks.add(found)
        return found + self.disturbed(workload, server)


@dataclass(frozen=True)
class Target:
    workload: str
    what: str
    bound: float
    is_least: bool
    unit: str
    of: Callable
    # Whose runs it is of.
    servers: tuple = ("apus-disk",)

    def met(self, value):
        return value >= self.bound if self.is_least else value <= self.bound


def _disk(key):
    return lambda results, workload: results.median(workload, "apus-disk", key)


def _to(key, other, server="apus-disk"):
    return lambda results, workload: results.ratio(workload, key, server, other)


def _to_floor(key):
    return lambda results, workload: results.to_floor(workload, "apus-disk", key)


def _milliseconds(results, workload):
    value = results.median(workload, "apus-disk", "p99_us")
    return value / 1000 if value is not None else None


JETSTREAM, REDIS, MEMORY = (("apus-disk", other) for other in ("jetstream-always", "redis-always", "apus-memory"))
OS = ("apus-os", "apus-memory")

TARGETS = (
    Target("pubs50", "acknowledged on `disk`", 500_000, True, "/s", _disk("acked_per_s")),
    Target("pubs50", "bytes a second on `disk`, to the floor's", 0.6, True, "×", _to_floor("bytes_per_s")),
    Target(
        "pubs50", "`disk` to JetStream that syncs always", 5, True, "×", _to("acked_per_s", "jetstream-always"), JETSTREAM
    ),
    Target("pubs50", "`disk` to Redis that syncs always", 3, True, "×", _to("acked_per_s", "redis-always"), REDIS),
    Target("pubs50", "`os` to `memory`", 0.6, True, "×", _to("acked_per_s", "apus-memory", "apus-os"), OS),
    Target("single", "half of the acks, to a flush", 1.5, False, "×", _to_floor("p50_us")),
    Target("single", "99 % of acks, to 99 % of flushes", 3, False, "×", _to_floor("p99_us")),
    Target(
        "fanout", "CPU of a delivery, to `memory`", 1.15, False, "×", _to("cpu_us_per_delivery", "apus-memory"), MEMORY
    ),
    Target("topics1000", "flushes of a commit", 1, False, "", _disk("flushes_per_commit")),
    Target("topics1000", "99 % of the acks", 5, False, " ms", _milliseconds),
)


def summary(results):
    parts = [_targets(results), *(_load(results, name) for name in TITLES), _legend(results)]
    return "\n\n".join(part for part in parts if part)


def _targets(results):
    rows = []
    for target in TARGETS:
        value = target.of(results, target.workload)
        if value is not None:
            bound = f"{'≥' if target.is_least else '≤'} {number(target.bound, target.unit)}"
            # A number that is printed as the bound is one that meets it.
            met = target.met(value) or number(value) == number(target.bound)
            measured = number(value, target.unit) + results.disturbed(target.workload, *target.servers)
            rows.append([TITLES[target.workload], target.what, bound, measured, "yes" if met else "no"])
    return table(["load", "aim", "at least, or at most", "measured", "met"], rows) if rows else ""


def _load(results, workload):
    keys = {
        "acked/s": ("acked_per_s", 1),
        "ack p50, ms": ("p50_us", 1000),
        "p99, ms": ("p99_us", 1000),
        "CPU µs a publish": ("cpu_us_per_publish", 1),
        "CPU µs a delivery": ("cpu_us_per_delivery", 1),
        "messages a commit": ("messages_per_commit", 1),
        "MB/s": ("bytes_per_s", 1e6),
        "floor: MB/s": ("floor_bytes_per_s", 1e6),
        "its p50, ms": ("floor_p50_us", 1000),
        "its p99, ms": ("floor_p99_us", 1000),
        "flushes a commit": ("flushes_per_commit", 1),
        "flushes a publish": ("flushes_per_publish", 1),
    }
    measured = [server for server in results.servers if results.runs(workload, server["name"])]
    if not measured:
        return ""

    def cell(server, key, divisor):
        value = results.median(workload, server, key)
        return number(value / divisor) if value is not None else ""

    columns = {title: [cell(server["name"], *key) for server in measured] for title, key in keys.items()}
    used = {title: cells for title, cells in columns.items() if any(cells)}
    rows = []
    for place, server in enumerate(measured):
        cells = [cells[place] for cells in used.values()]
        runs = [len(found(workload, server["name"])) for found in (results.runs, results.all_runs)]
        sign = results.signs(workload, server["name"])
        rows.append([server["title"], cells[0] + sign, *cells[1:], f"{runs[0]} of {runs[1]}"])
    return f"{TITLES[workload]}:\n\n" + table(["server", *used, "runs"], rows)


def _legend(results):
    known = results.known
    versions = {name: version for server in known["servers"] for name, version in server["versions"].items()}
    lines = [
        f"Measured on {known['date']} until {known['time']} with `{known['command']}` at commit {known['commit']}: "
        f"medians of interleaved runs of {known['duration']:g} s, of undisturbed ones where there are any; "
        f"{known['machine']}, {known['system']}, {known['file_system']}; load average "
        f"{known['load_before']:.1f} before and {known['load_after']:.1f} at the end, with what was measured in it. "
        + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        + "."
    ]
    texts = {
        GENERATOR_BOUND_MARK: "the load generator was the limit",
        DISTURBED_MARK: f"all runs were disturbed: others on the machine used more than {QUIET} % of a core",
    }
    marks = [f"{mark} {text}" for mark, text in texts.items() if mark in results.marks]
    lines += ["; ".join(marks) + "."] if marks else []
    if results.failures:
        first = results.failures[0]
        one = f"{first['server']} in {first['workload']}: {first['failed']}"
        lines.append(f"Runs that failed: {len(results.failures)}, the first of them {one}.")
    return "\n\n".join(lines)
