"""What the attacks do to the latency of a bystander: the numbers, and the table.

The attacker is on the last core, at a lower priority than the others; the bystander is on the first, the servers on all.
What the attack costs this machine, whichever server it hits, is not the server's doing: before each window under attack
is one in which another server, just like it, is attacked in the same way. So the ratio says what the attack does to those
who share a server with it, beyond what it does to those who share the machine. Nor is it the server's doing how long the
bystander's own processes were ready and got no core, which the kernel counts: it is not in these times. That the server
gets no core is.

A bystander's p99 is the median of those of all windows of a kind, and the ratio the median of the windows' with their
neighbours'. "All" is the p99 with the bystander's own waits. "Late" is how many of the tasks that the server's loops had
from each other and from timers were handled more than 10 ms late, by the server's own metrics.
"""

import json
import os
import platform
import statistics
import subprocess
import time
from collections import Counter

from attack import ATTACKS, MIB, TLS
from trial import try_attack

# The p99 under attack is at most so many times that beside it, unless it is below so many milliseconds all the same: the
# time slices of others are some 3 ms each, and a message may wait for one at every thread on its way.
RATIO, GRACE = 2.0, 10.0
COLUMNS = ("attack", "next door", "attacked", "ratio", "max ms", "all", "late", "CPU", "MiB", "after", "peak", "files",
           "after", "")
LATE = 0.01


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def milliseconds(outcome, kind, share, field="served"):
    return [1000 * percentile([getattr(sample, field) for sample in outcome.within(window)], share)
            for window in outcome.windows if window.kind == kind]


def late(windows):
    """The share of the loops' tasks that were handled late."""
    counts = sum((window.lags for window in windows), Counter())
    return sum(count for bound, count in counts.items() if bound > LATE) / max(1, counts.total())


def figures(outcome):
    """The numbers of one trial, for people and machines."""
    beside, attacked = milliseconds(outcome, "next door", 0.99), milliseconds(outcome, "attack", 0.99)
    ratios = [one / other for one, other in zip(attacked, beside) if other]
    spans = [window for window in outcome.windows if window.kind == "attack"]
    spent = sum(window.cpu for window in spans) / max(1e-9, sum(window.ended - window.began for window in spans))
    before, after = outcome.before, outcome.after or outcome.before
    result = {
        "attack": outcome.name, "did": outcome.did, "faults": list(outcome.faults), "messages": len(outcome.samples),
        "p99_next_door_ms": statistics.median(beside or [0]), "p99_attack_ms": statistics.median(attacked or [0]),
        "ratio": statistics.median(ratios or [0]), "max_ms": max(milliseconds(outcome, "attack", 1.0) or [0]),
        "p99_all_ms": statistics.median(milliseconds(outcome, "attack", 0.99, "took") or [0]),
        "late": late(spans), "late_next_door": late(window for window in outcome.windows if window.kind == "next door"),
        "p50_next_door_ms": statistics.median(milliseconds(outcome, "next door", 0.5) or [0]),
        "p50_attack_ms": statistics.median(milliseconds(outcome, "attack", 0.5) or [0]),
        "server_cores": spent, "memory_before": before.memory, "memory_after": after.memory,
        "memory_peak": outcome.peak, "files_before": before.files, "files_after": after.files,
    }
    if result["ratio"] > RATIO and result["p99_attack_ms"] > GRACE:
        result["faults"].append(f"p99 is {result['ratio']:.1f} times that of a neighbour's bystander")
    return result


def row(result):
    cells = (result["attack"], f"{result['p99_next_door_ms']:.2f}", f"{result['p99_attack_ms']:.2f}",
             f"{result['ratio']:.1f}", f"{result['max_ms']:.0f}", f"{result['p99_all_ms']:.2f}",
             f"{100 * result['late']:.1f} %", f"{100 * result['server_cores']:.0f} %",
             *(f"{result[f'memory_{when}'] / MIB:.0f}" for when in ("before", "after", "peak")),
             result["files_before"], result["files_after"], "FAULT" if result["faults"] else "")
    return f"| {cells[0]:22} | " + " | ".join(f"{cell!s:>8}" for cell in cells[1:]) + " |"


def heading():
    first = f"| {COLUMNS[0]:22} | " + " | ".join(f"{column:>8}" for column in COLUMNS[1:]) + " |"
    return first + "\n|---|" + "--:|" * (len(COLUMNS) - 1)


def about(terms):
    """The machine, the day, and what was run."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    version = subprocess.run([os.environ["APUS_BIN"], "--version"], capture_output=True, text=True).stdout.strip()
    return (f"{version}, {'TLS' if terms.over_tls else 'plain'}, {' '.join(terms.flags) or 'defaults'}, "
            f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {model}, Linux {platform.release()}; "
            f"{terms.rounds} x {terms.seconds:g} s, {terms.rate} messages a second")


def chosen(only, over_tls):
    """The names of the attacks that this port can be attacked with."""
    return [name for name, attack in ATTACKS.items()
            if (over_tls or attack.port != TLS) and (not only or any(part in name for part in only))]


def measure(terms, only, file):
    """Runs the attacks one after the other, and prints the table; whether all verdicts are good."""
    print(about(terms), heading(), sep="\n\n", flush=True)
    results = []
    for name in chosen(only, terms.over_tls):
        results.append(figures(try_attack(name, terms)))
        print(row(results[-1]), flush=True)
    for result in results:
        for fault in result["faults"]:
            print(f"\n{result['attack']}: {fault}")
    if file:
        with open(file, "w") as output:
            json.dump({"about": about(terms), "terms": {"seconds": terms.seconds, "rounds": terms.rounds},
                       "results": results}, output, indent=1)
    return bool(results) and not any(result["faults"] for result in results)
