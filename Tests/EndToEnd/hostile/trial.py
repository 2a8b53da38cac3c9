"""One attack on a server of its own, with a bystander, and the verdict on it: the same for all attacks.

- The attack did what it says.
- The bystander got every message once and in order, none later than a living server would.
- Afterwards the same process answers, without an error of its own in its log or its metrics.
- Its descriptors, connections, subscriptions and topics are what they were; its memory nearly so, and at no time it was
  beyond bounds.

How long the bystander's messages took is for whoever measures: see `measure.py`.
"""

import contextlib
import os
import re
import signal
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from apus_e2e import PATIENCE, TIMEOUT, Server, client_context, eventually
from attack import ATTACKS, BOSS, IMPATIENT, MIB, TLS, Strike
from bystander import FORK, LIVELINESS, TOPIC, Bystander
from certificates import local_pair
from prometheus import scrape
from raw_websocket import RawWebSocket, upgrade_request
from wire import connect

# Memory, in bytes, that a server may have more than before, by the allocator's grace; and that it may take meanwhile.
KEPT, TAKEN = 16 * MIB, 128 * MIB
# How long descriptors and memory may take to be back: the longest that the server's defaults wait, and some.
SETTLING = 60 * PATIENCE
# What the server writes itself has a time and a level. Anything else was written by its end.
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\S+ (trace|debug|info|notice|warning) ")
GAUGES = ("apus_connections", "apus_subscriptions", "apus_subscriptions_waiting", "apus_filters", "apus_topics",
          "apus_held_publishers", "apus_throttled_publishers", "apus_messages_pending")


@dataclass(frozen=True)
class State:
    """What must be back after an attack."""

    memory: int
    files: int
    gauges: tuple


@dataclass
class Window:
    """A part of a trial: from when to when, which server was attacked, and the bystander's server's seconds of CPU in it.

    `lags` are how late its loops handled what other loops and timers had for them: numbers by upper bound in seconds.
    """

    kind: str
    began: float
    ended: float
    cpu: float
    lags: Counter


@dataclass
class Outcome:
    name: str
    faults: list = field(default_factory=list)
    did: dict = field(default_factory=dict)
    windows: list = field(default_factory=list)
    samples: list = field(default_factory=list)
    before: State | None = None
    after: State | None = None
    peak: int = 0

    def within(self, window):
        return [sample for sample in self.samples if window.began <= sample.began < window.ended]


@dataclass(frozen=True)
class Terms:
    """How a trial is run: `rounds` attacks of so many seconds; with `core` measured, each after one on another server."""

    seconds: float
    rounds: int = 1
    rate: int = 100
    is_short: bool = True
    over_tls: bool = False
    flags: tuple = ()
    core: int | None = None


def try_attack(name, terms):
    """Runs the attack; what came of it."""
    attack, outcome = ATTACKS[name], Outcome(name)
    with attack.beside() as further, _server(attack, terms, further) as server, contextlib.ExitStack() as street:
        neighbour = street.enter_context(_server(attack, terms, further)) if terms.core is not None else None
        assert server.create(TOPIC, headers=attack.headers).status == 201
        outcome.before = _at_rest(server, attack.headers)
        pid = server.process.pid
        with open(f"/proc/{pid}/clear_refs", "w") as refs:
            # The peak begins anew.
            refs.write("5")
        bystander = Bystander(server, terms.rate, attack.headers, None if terms.core is None else 0)
        with bystander:
            for _ in range(terms.rounds):
                if neighbour:
                    _window(server, outcome, attack, "next door", terms, neighbour)
                _window(server, outcome, attack, "attack", terms, server)
            bystander.stop()
        outcome.samples = bystander.samples
        outcome.peak = _memory(server, "VmHWM") - _memory(server, "RssFile")
        if bystander.fault:
            outcome.faults.append(f"bystander: {bystander.fault}")
        _judge(server, attack, outcome)
        if outcome.faults:
            outcome.faults.append("log: " + " | ".join(server.log[-5:]))
    return outcome


@contextlib.contextmanager
def _server(attack, terms, further):
    flags = (*attack.flags, *further, *terms.flags, *(IMPATIENT if terms.is_short else ()))
    tls = None
    if terms.over_tls or attack.port == TLS:
        flags, tls = (*flags, *local_pair().flags), client_context()
    guard = ("--api-key", BOSS["X-API-Key"]) if attack.guarded else ()
    # TLS is as the terms say, however the suite is run.
    with Server(*flags, *guard, tls=tls or False, exit_code=None) as server:
        yield server
    assert server.process.returncode == 0, f"exit {server.process.returncode}: {server.log[-5:]}"


def _lags(server, headers):
    told = scrape(server, headers=headers).labelled("apus_loop_lag_seconds_bucket", "le")
    bounds = sorted(told, key=float)
    return Counter({float(bound): int(told[bound] - told.get(before, 0))
                    for before, bound in zip([None, *bounds], bounds)})


def _window(server, outcome, attack, kind, terms, victim):
    """Attacks the victim from a process of its own, and takes note of when that was."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=_child, args=(theirs, terms, attack, victim), daemon=True)
    lags = _lags(server, attack.headers)
    began, cpu = time.monotonic(), server.processor_time
    process.start()
    # Some attacks are an amount, and take as long as they take.
    answer = ours.recv() if ours.poll(terms.seconds + 120 * PATIENCE) else "the attack hangs"
    if kind == "attack":
        if isinstance(answer, str):
            outcome.faults.append(f"attack: {answer}")
        else:
            for what, count in answer.items():
                outcome.did[what] = outcome.did.get(what, 0) + count
    with contextlib.suppress(OSError, AssertionError):
        spent, ended = server.processor_time - cpu, time.monotonic()
        outcome.windows.append(Window(kind, began, ended, spent, _lags(server, attack.headers) - lags))
    if process.is_alive() and isinstance(answer, str):
        process.kill()
    process.join(TIMEOUT)


def _child(pipe, terms, attack, victim):
    """The other side of the machine: where it is measured, an attacker takes little that server or bystander want."""
    if terms.core is not None:
        os.sched_setaffinity(0, {terms.core})
        os.nice(5)
    try:
        pipe.send(attack.run(Strike(victim, terms.seconds, terms.is_short, attack.headers)))
    except Exception:
        pipe.send(traceback.format_exc())


def _memory(server, field_name):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field_name))


def _state(server, headers):
    told = scrape(server, headers=headers)
    return State(_memory(server, "RssAnon"), server.open_files, tuple(told[name] for name in GAUGES))


def _at_rest(server, headers):
    """The state of a server that has opened all that it opens once, and serves nobody."""
    for _ in range(20):
        assert server.rest("GET", "/health").status == 200
        with RawWebSocket.on(connect(server)) as raw:
            assert raw.request(upgrade_request(**headers))[0] == 101
    eventually(lambda: scrape(server, headers=headers)["apus_connections"] == 0, "all gone")
    states = []

    def same():
        states.append(_state(server, headers))
        time.sleep(0.02)
        return len(states) > 3 and len({state.files for state in states[-3:]}) == 1
    eventually(same, "no more files are opened or closed")
    return states[-1]


def _judge(server, attack, outcome):
    """Appends what is not as it was, or as it should be."""
    faults = outcome.faults
    if server.process.poll() is not None:
        faults.append(f"the server has ended: {signal.strsignal(-server.process.returncode)}")
        return
    health = server.rest("GET", "/health", timeout=LIVELINESS)
    if health.status != 200:
        faults.append(f"/health answers {health.status}")
    # Some memory is given back when the server is quiet; it is asked now and then only.
    ends, before = time.monotonic() + SETTLING, outcome.before
    while True:
        outcome.after = _state(server, attack.headers)
        left = _left(before, outcome.after, attack)
        if not left or time.monotonic() > ends:
            break
        # Not so often that the server is never quiet, which is when it gives memory back.
        time.sleep(0.5)
    faults += left
    if outcome.peak > before.memory + TAKEN + attack.peak:
        faults.append(f"memory: {outcome.peak / MIB:.0f} MiB at most, {before.memory / MIB:.0f} MiB before")
    if scrape(server, headers=attack.headers).labelled("apus_errors_total", "code")["INTERNAL"]:
        faults.append("an INTERNAL error")
    wrong = [line for line in server.log if not RECORD.match(line)]
    if wrong:
        faults.append(f"in the log: {wrong[:5]}")


def _left(before, after, attack):
    """What has not gone back yet."""
    left = [f"{name}: {now:g}, {then:g} before"
            for name, then, now in zip(GAUGES, before.gauges, after.gauges) if now > then]
    # The request that asks may still be closing.
    if after.files > before.files + 1 + attack.files:
        left.append(f"descriptors: {after.files}, {before.files} before")
    if after.memory > before.memory + KEPT + attack.memory:
        left.append(f"memory: {after.memory / MIB:.0f} MiB, {before.memory / MIB:.0f} MiB before")
    return left
