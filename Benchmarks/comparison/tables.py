"""The tables: medians of the runs, in markdown, and their place in another document."""

import statistics

from .workloads import WORKLOADS

BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
REFERENCE = "uwebsockets"
COST = "cpu_us_per_delivery"

# A run is marked when more than this of the time, in percent, a thread waited for a core that others had.
DISTURBED = 10
# And when the generator had no more to give while the server had.
BOUND = 97
GENERATOR_BOUND_MARK, DISTURBED_MARK, LOST_MARK = "†", "‡", "*"


class Results:
    """Rows of runs, by workload and server."""

    def __init__(self, rows, facts):
        self.rows, self.facts = rows, facts
        self.servers = facts["servers"]
        self.marks = set()

    def runs(self, workload, server):
        return [
            row for row in self.rows if row["workload"] == workload and row["server"] == server and "failed" not in row
        ]

    def median(self, workload, server, key):
        values = [row[key] for row in self.runs(workload, server) if row.get(key) is not None]
        return statistics.median(values) if values else None

    def has(self, workload):
        return any(row["workload"] == workload for row in self.rows)

    def signs(self, workload, server):
        """What must be known of a figure before it is believed."""
        found = ""
        waits = [self.median(workload, server, f"{group}_wait_percent") or 0 for group in ("server", "generator")]
        generator = self.median(workload, server, "generator_cpu_percent") or 0
        own = self.median(workload, server, "server_cpu_percent") or 0
        if generator >= BOUND > own and not WORKLOADS[workload].rate:
            found += GENERATOR_BOUND_MARK
        if max(waits) > DISTURBED:
            found += DISTURBED_MARK
        if self.median(workload, server, "lost"):
            found += LOST_MARK
        self.marks |= set(found)
        return found


def number(value, unit=""):
    """Three significant digits, as people read them."""
    if value is None:
        return "–"
    if value == 0:
        return f"0{unit}"
    for limit, form in ((1000, ",.0f"), (100, ".0f"), (10, ".1f"), (1, ".2f")):
        if abs(value) >= limit * (1 - 0.0005):
            return f"{value:{form}}{unit}"
    return f"{value:.3f}{unit}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def summary(results):
    """What goes into the README: the cost of a delivery in each workload, and latency, memory and stalled readers."""
    parts = [_cost_table(results), _other_table(results)]
    return "\n\n".join([part for part in parts if part] + [_legend(results)])


def _cost_table(results):
    names = [name for name in WORKLOADS if results.has(name) and not WORKLOADS[name].is_idle and name != "W6ref"]
    if not names:
        return ""
    is_compared = any(server["name"] == REFERENCE for server in results.servers)
    head = ["server CPU time for each delivery, µs", *(server["title"] for server in results.servers)]
    rows = []
    for name in names:
        costs = [results.median(name, server["name"], COST) for server in results.servers]
        signs = [results.signs(name, server["name"]) for server in results.servers]
        cells = [number(cost) + sign for cost, sign in zip(costs, signs)]
        row = [f"{name}: {WORKLOADS[name].title}", *cells]
        rows.append(row + ([_ratio(results, name)] if is_compared else []))
    return table(head + (["Apus to uWebSockets"] if is_compared else []), rows)


def _ratio(results, workload):
    own, other = (results.median(workload, server, COST) for server in ("apus", REFERENCE))
    return number(own / other, "×") if own and other else "–"


def _other_table(results):
    lines = (
        ("W4", "W4: latency, 99 % are below, µs", lambda server: number(results.median("W4", server, "p99_us"))),
        (
            "W5",
            "W5: memory of an idle connection, B",
            lambda server: number(results.median("W5", server, "bytes_per_connection")),
        ),
        ("W5", "W5: connections made a second", lambda server: number(results.median("W5", server, "connects_per_s"))),
        (
            "W6ref",
            "W6: deliveries a second beside stalled readers, to those without",
            lambda server: _stalled(results, server),
        ),
        ("W6", "W6: memory that the stalled readers took, MiB", lambda server: _growth(results, server)),
    )
    rows = [
        [title, *(cell(server["name"]) for server in results.servers)]
        for workload, title, cell in lines
        if results.has(workload)
    ]
    return table(["besides", *(server["title"] for server in results.servers)], rows) if rows else ""


def _stalled(results, server):
    beside, alone = (results.median(workload, server, "deliveries_per_s") for workload in ("W6", "W6ref"))
    return number(beside / alone, "×") if beside and alone else "–"


def _growth(results, server):
    bytes_ = results.median("W6", server, "memory_growth_bytes")
    return number(bytes_ / 2**20) if bytes_ is not None else "–"


def _legend(results):
    facts = results.facts
    lines = [
        f"Measured on {facts['date']} with `{facts['command']}` at commit {facts['commit']}: medians of "
        f"{facts['repetitions']} interleaved runs of {facts['duration']:g} s, one core for the server and another for "
        f"the load generator ({facts['generator']}); {facts['machine']}, {facts['system']}."
    ]
    texts = {
        GENERATOR_BOUND_MARK: "the load generator was the limit; CPU time for each delivery holds nevertheless",
        DISTURBED_MARK: f"others had the server's or the generator's core for more than {DISTURBED} % of the time",
        LOST_MARK: "not everything was delivered",
    }
    marks = [f"{mark} {text}" for mark, text in texts.items() if mark in results.marks]
    if marks:
        lines.append("; ".join(marks) + ".")
    servers = []
    for server in facts["servers"]:
        versions = ", ".join(f"{name} {version}" for name, version in server["versions"].items())
        said = "; ".join(text for text in (versions, server["note"]) if text)
        servers.append(f"{server['title']}: {said}." if said else f"{server['title']}.")
    return "\n\n".join([*lines, " ".join(servers)])


def details(results):
    """A table for each workload, with everything."""
    return "\n\n".join(
        f"### {name}: {workload.title}\n\n"
        + (_idle_table(results, name) if workload.is_idle else _load_table(results, name))
        for name, workload in WORKLOADS.items()
        if results.has(name)
    )


def _idle_table(results, workload):
    keys = ("bytes_per_connection", "connects_per_s", "cpu_us_per_connect", "closed")
    head = ["server", "memory of a connection, B", "connects/s", "CPU µs a connect", "closed", "runs"]
    return table(
        head, _rows(results, workload, lambda name: [number(results.median(workload, name, key)) for key in keys])
    )


def _load_table(results, workload):
    keys = {
        "CPU µs a delivery": COST,
        "publishes/s": "publishes_per_s",
        "deliveries/s": "deliveries_per_s",
        "p50 µs": "p50_us",
        "p99 µs": "p99_us",
        "p99.9 µs": "p999_us",
        "max µs": "max_us",
        "server CPU %": "server_cpu_percent",
        "generator CPU %": "generator_cpu_percent",
        "closed": "closed",
        "errors": "errors",
    }

    def cells(name):
        median = {title: results.median(workload, name, key) for title, key in keys.items()}
        expected = results.median(workload, name, "expected")
        lost = (results.median(workload, name, "lost") or 0) / expected if expected else 0
        wrong = [results.median(workload, name, key) or 0 for key in ("duplicates", "out_of_order")]
        memory = results.median(workload, name, "memory_bytes")
        return [
            *(number(value) for value in median.values()),
            f"{100 * lost:.2g} %" if lost else "0",
            f"{wrong[0]:.0f}/{wrong[1]:.0f}",
            number(memory / 2**20 if memory else None),
            results.signs(workload, name),
        ]

    head = ["server", *keys, "lost", "doubled/out of order", "memory, MiB", "", "runs"]
    return table(head, _rows(results, workload, cells))


def _rows(results, workload, cells):
    """A row for each server that was measured; where all runs failed, the reason."""
    rows = []
    for server in results.servers:
        all_runs = [row for row in results.rows if (row["workload"], row["server"]) == (workload, server["name"])]
        failures = [row["failed"] for row in all_runs if "failed" in row]
        if not all_runs:
            continue
        count = f"{len(all_runs) - len(failures)}" + (f", {len(failures)} failed: {failures[0]}" if failures else "")
        rows.append([server["title"], *cells(server["name"]), count])
    return rows


def insert(document, text, marks=(BEGIN, END)):
    """The document with the text between the two marks in place of what was there; None where it has no marks."""
    head, begin, rest = document.partition(marks[0])
    _, end, tail = rest.partition(marks[1])
    return f"{head}{begin}\n{text}\n{end}{tail}" if begin and end else None
