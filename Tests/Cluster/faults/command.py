"""Rounds of faults. Each round's class and seed are printed; `--only CLASS --seed SEED --rounds 1` repeats a round."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import namespaces
from distance import measure
from kinds import KINDS
from report import table
from rounds import Outcome, Round
from storms import histories
from world import World


def arguments():
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=len(KINDS), help="how many (default: one of each class)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next ones have the next ones")
    parser.add_argument("--only", action="append", choices=KINDS, metavar="CLASS", help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--report", type=Path, metavar="FILE", help="for the table; standard output has it too")
    parser.add_argument("--log", type=Path, metavar="FILE", help="one line of JSON is added for each round")
    parser.add_argument("--table", type=Path, metavar="FILE", help="only prints the table of such a log")
    parser.add_argument("--distance", type=int, metavar="MS", help="no faults: nodes at unequal distance on one hot topic")
    parser.add_argument("--gap", type=float, default=10, metavar="SECONDS",
                        help="without an ack where two servers and the own node are well: an anomaly beyond it (10)")
    parser.add_argument("--unsynced", action="store_true",
                        help="with NATS' default sync_interval, to see that a power loss shows")
    return parser.parse_args()


def chosen(only):
    kinds = only or [kind for kind in KINDS if kind != "rolling-upgrade" or "APUS_BIN_OTHER" in os.environ]
    if "rolling-upgrade" in kinds and "APUS_BIN_OTHER" not in os.environ:
        sys.exit("run: rolling-upgrade takes another build: set APUS_BIN_OTHER")
    return kinds


def compare(world):
    """All that earlier rounds left is still there, on all nodes."""
    faults = []
    for topic, digest in world.digests.items():
        for index, found in enumerate(histories(world.nodes, topic)):
            if (hash(tuple(found)), len(found)) != digest:
                faults.append(f"node{index} has changed {topic}")
    return faults


class Session:
    def __init__(self, options, folder):
        self.options, self.folder, self.done = options, folder, []

    def note(self, outcome):
        self.done.append(outcome.as_json())
        if self.options.log:
            with self.options.log.open("a") as file:
                file.write(json.dumps(outcome.as_json()) + "\n")
        shown = {key: value for key, value in outcome.as_json().items() if value not in (None, 0, [])}
        print(json.dumps(shown), flush=True)

    def run(self, rounds):
        """Rounds in one world, until one is odd: the next world is new."""
        synced = ["sync_interval: always"] if not self.options.unsynced else ["", ("--nats-unsafe-sync", "true")]
        with World(self.folder / f"from-{rounds[0][1]}", *synced) as world:
            world.digests = {}
            while rounds:
                kind, seed = rounds.pop(0)
                print(f"round --only {kind} --seed {seed} --rounds 1", flush=True)
                turn = Round(world, kind, seed, self.options.gap)
                try:
                    outcome = asyncio.run(turn.run())
                except Exception as error:
                    traceback.print_exc()
                    turn.outcome.anomalies.append(f"{type(error).__name__}: {error}")
                    outcome = turn.outcome
                self.note(outcome)
                if outcome.anomalies:
                    raise Odd
            outcome = Outcome("kill-node", 0, "what earlier rounds left", anomalies=compare(world))
            if outcome.anomalies:
                self.note(outcome)


class Odd(Exception):
    """The world is not to be trusted any more."""


def main():
    options = arguments()
    if options.table:
        print(table([json.loads(line) for line in options.table.read_text().splitlines()]), end="")
        return
    kinds = chosen(options.only)
    rounds = [(kinds[number % len(kinds)], options.seed + number) for number in range(options.rounds)]
    namespaces.make_bridge()
    folder = Path(tempfile.mkdtemp(prefix="apus-faults-"))
    print(f"logs of odd rounds: {folder}", flush=True)
    if options.distance is not None:
        with World(folder) as world:
            asyncio.run(measure(world, options.distance))
        return
    session = Session(options, folder)
    while rounds:
        try:
            session.run(rounds)
        except Odd:
            continue
    text = table(session.done)
    print(text, end="")
    if options.report:
        options.report.write_text(text)
    if not any(each["anomalies"] for each in session.done):
        shutil.rmtree(folder)
    sys.exit(any(each["anomalies"] for each in session.done))


main()
