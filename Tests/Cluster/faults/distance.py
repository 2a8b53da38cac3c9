"""Whether a node that is farther from the NATS servers gets its share of a topic that all nodes publish to."""

import asyncio

from apus_e2e import until
from clients import ANSWER, connected
from namespaces import bad_link

# The clients on each node, each with one publish under way; and for how long.
CLIENTS, SECONDS = 8, 10


class Hurry:
    """Publishes the next message as soon as the one before has its answer."""

    def __init__(self):
        self.acked, self.refused, self.longest = 0, 0, 0.0

    async def run(self, node, topic, end):
        loop = asyncio.get_running_loop()
        async with connected(node) as client:
            while loop.time() < end:
                start = loop.time()
                await client.send_publish(topic, "x" * 100, outcome=True)
                answer = await client.receive(ANSWER)
                self.longest = max(self.longest, loop.time() - start)
                if answer["type"] == "ack":
                    self.acked += 1
                else:
                    self.refused += 1


async def measure(world, distance):
    """Two nodes, of which one is so many milliseconds farther, there and back, publish to one topic."""
    for farther in (0, distance):
        topic = f"hot-{farther}"
        link = bad_link(world.node_machines[0], farther / 2, 0, 0, 1)
        await asyncio.to_thread(link.__enter__)
        try:
            await asyncio.to_thread(world.nodes[0].rest, "PUT", f"/topics/{topic}", {})
            for node in world.nodes:
                await until(lambda node=node: node.rest("GET", f"/topics/{topic}").status == 200, "the topic")
            end = asyncio.get_running_loop().time() + SECONDS
            clients = [[Hurry() for _ in range(CLIENTS)] for _ in range(2)]
            await asyncio.gather(*(client.run(world.nodes[index], topic, end)
                                   for index, those in enumerate(clients) for client in those))
        finally:
            await asyncio.to_thread(link.__exit__, None, None, None)
        for index, those in enumerate(clients):
            print(f"node{index}, {farther if index == 0 else 0} ms farther: {sum(each.acked for each in those) / SECONDS:.0f} acks/s, "
                  f"longest {max(each.longest for each in those):.2f} s, {sum(each.refused for each in those)} refused",
                  flush=True)
