"""Publishers on all nodes at once, and what has to hold of what was acknowledged to them."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from apus_e2e import Client
from nats import wait_for


class Storm:
    """Publishes numbers through all nodes, and notes what was acknowledged."""

    def __init__(self, nodes, topic):
        self.nodes, self.topic = nodes, topic
        self.acked, self.refused = {}, 0
        self.longest = 0.0
        self.isOver = False

    async def publish(self, index):
        loop = asyncio.get_running_loop()
        number = 0
        while not self.isOver:
            try:
                async with await Client.open(self.nodes[index]) as client:
                    while not self.isOver:
                        number += 1
                        payload = f"{index}-{number}"
                        start = loop.time()
                        await client.send_publish(self.topic, payload, outcome=True)
                        answer = await client.receive()
                        self.longest = max(self.longest, loop.time() - start)
                        if answer["type"] == "ack":
                            self.acked[payload] = answer["offset"]
                        else:
                            assert answer["error"]["code"] == "UNAVAILABLE", answer
                            self.refused += 1
                        await asyncio.sleep(0.01)
            except (OSError, asyncio.TimeoutError):
                await asyncio.sleep(0.1)


def histories(nodes, topic):
    """What the nodes have of a topic, once all have the same head."""
    def read():
        pages = [node.rest("GET", f"/topics/{topic}/messages?limit=1000").json for node in nodes]
        return pages, len({page["last"] for page in pages}) == 1

    wait_for(lambda: read()[1], "one head on all nodes", 60)
    found = []
    for node in nodes:
        messages, after = [], None
        while True:
            query = f"?limit=1000&after={after}" if after is not None else "?limit=1000&after=0"
            page = node.rest("GET", f"/topics/{topic}/messages{query}").json
            if not page["messages"]:
                break
            messages += [(each["offset"], each["message"]["payload"]) for each in page["messages"]]
            after = messages[-1][0]
        found.append(messages)
    return found


@dataclass
class Report:
    """What is wrong with what nodes have of a topic."""

    lost: list
    doubled: list
    faults: list


def check(found, acked):
    """Nothing that was acknowledged is lost, doubled or somewhere else, and all nodes have one order.

    `found` has what each node has, `acked` the offset in the ack of each payload.
    """
    offsets = [offset for offset, _ in found[0]]
    at = {payload: offset for offset, payload in found[0]}
    lost = [payload for payload, offset in acked.items() if at.get(payload) != offset]
    doubled = [payload for payload, count in Counter(payload for _, payload in found[0]).items() if count > 1]
    faults = [f"node {index} has another history" for index, other in enumerate(found) if other != found[0]]
    if offsets != list(range(1, len(offsets) + 1)):
        faults.append("offsets have gaps")
    if lost:
        faults.append(f"{len(lost)} of {len(acked)} acknowledged messages are not where their acks said: {lost[:3]}")
    if doubled:
        faults.append(f"{len(doubled)} messages are there twice: {doubled[:3]}")
    return Report(lost, doubled, faults)
