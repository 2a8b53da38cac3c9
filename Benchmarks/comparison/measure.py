"""One run, and all runs.

Every server has its turn in each repetition of each workload, so that what disturbs one disturbs all.
"""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

from .server import Failed, Server, confine

# What a run may take besides warm-up and measuring: connecting 10,000, and waiting for what is lost.
SPARE = 180
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Seconds:
    warmup: float
    duration: float


@dataclass(frozen=True)
class Cores:
    """Where the server and the generator run; None for wherever the kernel likes."""

    server: int | None
    generator: int | None
    # Whether nothing but interrupts comes between the server and its core: not the kernel's own work either.
    is_server_realtime: bool = False

    @staticmethod
    def of_this_machine(is_server_realtime):
        usable = sorted(os.sched_getaffinity(0))
        server, generator = usable[:2] if len(usable) > 1 else (None, None)
        return Cores(server, generator, is_server_realtime)


class Watch(threading.Thread):
    """Looks from time to time how long threads had to wait for a core that somebody else had (`schedstat`)."""

    def __init__(self, groups):
        super().__init__(daemon=True)
        self.groups = groups
        self.first, self.last = {}, {}
        self.begin = self.end = time.monotonic()
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(SAMPLE_SECONDS):
            self.end = time.monotonic()
            if not self.last:
                self.begin = self.end
            for name, pids in self.groups.items():
                for thread, sample in _threads(pids):
                    self.first.setdefault((name, thread), sample)
                    self.last[name, thread] = sample

    def waited(self, group):
        """The share of the time, in percent, that the group's busiest thread was ready to run and did not."""
        busiest = (0, 0)
        for (name, thread), (ran, waited) in self.last.items():
            if name == group:
                first = self.first[name, thread]
                busiest = max(busiest, (ran - first[0], waited - first[1]))
        elapsed = max(self.end - self.begin, SAMPLE_SECONDS)
        return round(busiest[1] / 1e7 / elapsed, 1)


@contextmanager
def busy_neighbours(count):
    """That many processes which always want a core, as on a machine that others use too."""
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield [neighbour.pid for neighbour in neighbours]
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()


def _threads(pids):
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    ran, waited, _ = map(int, file.read().split())
                yield thread, (ran, waited)
        except (OSError, ValueError):
            continue


def run_once(contestant, workload, generator, cores, seconds, prefix, log):
    """The figures of one run, or `failed` with the reason."""
    seconds = Seconds(max(seconds.warmup, workload.warmup), max(seconds.duration, workload.duration))
    limit = seconds.warmup + seconds.duration + SPARE
    try:
        with Server(contestant, cores, log) as server:
            time.sleep(workload.settle)
            generator.prepare(contestant, workload, server, prefix)
            command = [str(word) for word in generator.command(contestant, workload, server, seconds, prefix)]
            output, watch = generate(command, server, cores, limit)
            figures = generator.read(output, workload)
            return figures | {f"{group}_wait_percent": watch.waited(group) for group in watch.groups}
    except Failed as error:
        return {"failed": str(error)}
    except (OSError, ValueError, LookupError) as error:
        # An hour's results must not be lost for one of them.
        return {"failed": f"{type(error).__name__}: {error}"}


def generate(command, server, cores, limit):
    """Runs the generator; returns what it printed, and who waited meanwhile."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, preexec_fn=confine(cores.generator), **pipes)
    watch = Watch({"server": server.pids, "generator": [process.pid]})
    watch.start()
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"the generator was not done after {limit:.0f} s") from None
    finally:
        watch.is_over.set()
        watch.join()
        if process.poll() is None:
            process.kill()
            process.wait()
    if not output.strip():
        lines = errors.strip().splitlines() or [f"the generator ended with status {process.returncode}"]
        raise Failed(lines[-1])
    return output, watch


def run_all(contestants, workloads, repetitions, generator, cores, seconds, results, log):
    """Measures everything and appends a line of JSON for each run to `results`; returns the rows."""
    rows = []
    for repetition in range(repetitions):
        for workload in workloads:
            # Another order each time, so that nobody always comes after the same one.
            turn = repetition % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                if workload.name in contestant.without:
                    continue
                prefix = f"r{repetition}{workload.name.lower()}x"
                begin = time.monotonic()
                figures = run_once(contestant, workload, generator, cores, seconds, prefix, log)
                row = {"server": contestant.name, "workload": workload.name, "repetition": repetition}
                row |= {"generator": generator.name, "seconds": round(time.monotonic() - begin, 1)} | figures
                rows.append(row)
                print(json.dumps(row), file=results, flush=True)
                _report(row, repetitions)
    return rows


def _report(row, repetitions):
    if "failed" in row:
        what = f"FAILED: {row['failed']}"
    elif "bytes_per_connection" in row:
        what = f"{row['bytes_per_connection']:,.0f} B a connection, {row['connects_per_s']:,.0f} connects/s"
    else:
        cost = row["cpu_us_per_delivery"]
        cost = "nothing delivered" if cost is None else f"{cost:.3g} µs a delivery"
        what = f"{cost}, {row['deliveries_per_s']:,.0f} deliveries/s, {row['lost']:,} lost"
    head = f"[{row['repetition'] + 1}/{repetitions}] {row['workload']:5} {row['server']:12}"
    print(f"{head} {what} ({row['seconds']:.0f} s)", file=sys.stderr, flush=True)
