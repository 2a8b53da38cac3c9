"""One round: clients on all nodes, a fault in the midst of it, and what has to hold afterwards."""

import asyncio
import random
import time
from dataclasses import asdict, dataclass, field

from apus_e2e import PATIENCE, until
from clients import Publisher, Stubborn, Wanderer, connected
from kinds import KINDS
from storms import check, histories

PATIENT = 60 * PATIENCE


@dataclass
class Outcome:
    kind: str
    seed: int
    text: str = ""
    acked: int = 0
    refused: int = 0
    unanswered: int = 0
    repeated: int = 0
    moves: int = 0
    seen: int = 0
    lost: int = 0
    doubled: int = 0
    # The longest time without an ack at a node that the fault did not touch, where a majority was left.
    gap: float | None = None
    # From the fault to the last time that NATS told of a new leader of the stream.
    election: float | None = None
    # From when all was mended to an ack at each node.
    recovery: float | None = None
    seconds: float = 0
    hand: str | None = None
    anomalies: list = field(default_factory=list)

    def as_json(self):
        return asdict(self)


class Round:
    def __init__(self, world, kind, seed, gap):
        self.world, self.kind, self.gap, self.outcome = world, kind, gap, Outcome(kind, seed)
        self.chance = random.Random(seed)
        self.plain, self.deduplicated = f"r{seed}-plain", f"r{seed}-ids"

    async def run(self):
        start = time.monotonic()
        await self._make_topics()
        seats = self.world.seats
        epoch = (await asyncio.to_thread(seats[0].node.rest, "GET", f"/topics/{self.plain}")).json["epoch"]
        publishers = [Publisher(seats, index, self.plain) for index in range(3)]
        stubborn = [Stubborn(seats, index, self.deduplicated) for index in range(2)]
        wanderers = [Wanderer(seats, index, self.plain, epoch, self.chance.random()) for index in range(3)]
        self.clients = [*publishers, *stubborn, *wanderers]
        tasks = [asyncio.create_task(client.run()) for client in self.clients]
        try:
            await until(lambda: all(len(each.acked) > 5 for each in self.clients[:5]), "acks before the fault", PATIENT)
            stream, _ = await asyncio.to_thread(self.world.leader_of_busiest)
            await asyncio.sleep(self.chance.uniform(0, 1))
            began, at = asyncio.get_running_loop().time(), time.time()
            effect = await KINDS[self.kind](self.world, self.chance)
            mended = asyncio.get_running_loop().time()
            await self._recover(publishers, mended)
            self._measure(effect, publishers, began, mended)
            elections = self.world.servers.elections(stream, at)
            self.outcome.election = round(max(elections) - at, 2) if elections else None
            for client in [*publishers, *stubborn]:
                client.isOver = True
            await asyncio.wait_for(asyncio.gather(*tasks[:5]), PATIENT)
            await self._check(publishers, stubborn, wanderers)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self.outcome.anomalies += [repr(each) for each in ended
                                       if isinstance(each, Exception) and not isinstance(each, asyncio.CancelledError)]
            self.outcome.seconds = round(time.monotonic() - start, 1)
        return self.outcome

    async def _make_topics(self):
        for name, settings in ((self.plain, {}), (self.deduplicated, {"dedupe_window": "1h"})):
            answer = await asyncio.to_thread(self.world.nodes[0].rest, "PUT", f"/topics/{name}", settings)
            assert answer.status == 201, answer.body
            for node in self.world.nodes:
                await until(lambda node=node, name=name: node.rest("GET", f"/topics/{name}").status == 200, "the topic")

    async def _recover(self, publishers, mended):
        def isBack():
            return all(each.acks.first_after(mended) is not None for each in publishers)

        await until(isBack, "acks at each node without a hand", PATIENT)
        await asyncio.to_thread(self.world.await_ready)
        await asyncio.sleep(1)

    def _measure(self, effect, publishers, began, mended):
        outcome = self.outcome
        outcome.text, outcome.hand = effect.text, effect.hand
        outcome.recovery = round(max(each.acks.first_after(mended) for each in publishers), 2)
        untouched = [each for each in publishers if each.index not in effect.nodes]
        if effect.leaves_majority and untouched:
            outcome.gap = round(max(each.acks.longest(began) for each in untouched), 2)
            if outcome.gap > self.gap:
                outcome.anomalies.append(f"no ack for {outcome.gap} s")

    async def _check(self, publishers, stubborn, wanderers):
        outcome = self.outcome
        outcome.acked = sum(len(each.acked) for each in [*publishers, *stubborn])
        outcome.refused = sum(each.refused for each in [*publishers, *stubborn])
        outcome.unanswered = sum(each.unanswered for each in [*publishers, *stubborn])
        outcome.repeated = sum(each.repeated for each in stubborn)
        for topic, those in ((self.plain, publishers), (self.deduplicated, stubborn)):
            acked = {payload: offset for each in those for payload, offset in each.acked.items()}
            found = await asyncio.to_thread(histories, self.world.nodes, topic)
            report = check(found, acked)
            outcome.lost += len(report.lost)
            outcome.doubled += len(report.doubled)
            outcome.anomalies += [f"{topic}: {each}" for each in report.faults]
            if topic == self.plain:
                history = found[0]
            self.world.digests[topic] = (hash(tuple(found[0])), len(found[0]))
        await until(lambda: all(each.offset == len(history) for each in wanderers), "subscribers at the end", PATIENT)
        for each in wanderers:
            each.isOver = True
            outcome.moves += each.moves
            outcome.seen += len(each.seen)
            outcome.anomalies += each.anomalies
            if each.seen != history:
                outcome.anomalies.append("a subscriber saw something else than what is kept")
        await self._resume(wanderers[0].epoch, history)

    async def _resume(self, epoch, history):
        """Each node goes on from a position that the seed chooses, whichever node gave it."""
        for node in self.world.nodes:
            offset = self.chance.randrange(len(history))
            async with connected(node) as client:
                await client.send(type="subscribe", topic=self.plain, client_id="r", positions=True,
                                  since={"epoch": epoch, "offset": offset})
                ack, event = await client.receive(), await client.receive()
            if ack.get("recovered") is not True or event.get("offset") != offset + 1:
                self.outcome.anomalies.append(f"{offset} was not resumed: {ack}, {event}")
