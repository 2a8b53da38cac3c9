"""What is measured: the traffic of each workload."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    subscribers: int
    publishers: int = 1
    topics: int = 1
    # Closed loop: messages on their way for each publisher. Open loop: publishes a second of all together.
    window: int = 0
    rate: int = 0
    payload: int = 128
    # How many of the subscribers stop reading.
    stalled: int = 0
    # The least seconds of warm-up, and of measuring.
    warmup: float = 0
    duration: float = 0
    # How long the server is left alone before: what it lets go of when its start is over is no gain of the connections.
    settle: float = 0

    @property
    def is_idle(self):
        return self.publishers == 0


_FULL = "1 publisher, 64 messages in flight"

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1a", f"fan-out to 100 subscribers, {_FULL}", 100, window=64),
        Workload("W1b", f"fan-out to 1,000 subscribers, {_FULL}", 1000, window=64),
        Workload("W2", "50 publishers with 32 messages in flight each, 1 subscriber", 1, publishers=50, window=32),
        Workload(
            "W3",
            "1,000 topics, 1,000 subscribers, 10 publishers with 16 messages in flight each",
            1000,
            publishers=10,
            topics=1000,
            window=16,
        ),
        Workload("W4", "1,000 publishes a second (open loop) to 100 subscribers", 100, rate=1000),
        Workload("W5", "10,000 idle subscribers", 10_000, publishers=0, duration=2, settle=3),
        # Messages of 4 KiB, so that the kernel's buffers fill soon; a longer warm-up, so that they are full by then.
        Workload(
            "W6",
            f"10 of 100 subscribers read nothing, {_FULL} of 4 KiB",
            100,
            window=64,
            payload=4096,
            stalled=10,
            warmup=3,
            duration=5,
        ),
        Workload(
            "W6ref", f"the 90 that read alone, {_FULL} of 4 KiB", 90, window=64, payload=4096, warmup=3, duration=5
        ),
        Workload("W8", "fan-out to 100 subscribers, 1 publisher, 1 message in flight", 100, window=1),
    )
}
