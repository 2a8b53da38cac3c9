"""The curves: what grows, what is run for each value, and which figures are drawn."""

from dataclasses import dataclass
from statistics import median

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Series:
    """A line of a plot: its label, the values of what grows, and what is run for each.

    `bench` and `server` are options, with `{x}` for the value.
    """

    label: str
    values: tuple[int, ...]
    bench: str
    server: str = ""

    def run(self, value):
        return {name: getattr(self, name).format(x=value).split() for name in ("bench", "server")}


@dataclass(frozen=True)
class Figure:
    """One number of a run: its heading, how it is read, and the plot that it is in, if any."""

    heading: str
    read: object
    plot: str | None = None

    def of(self, results):
        """The median, or None where there is nothing."""
        found = [number for result in results if (number := self.read(result)) is not None]
        return median(found) if found else None


@dataclass(frozen=True)
class Curve:
    """What grows, and its lines. `unit` is what stands below the horizontal axis."""

    name: str
    unit: str
    series: tuple[Series, ...]
    figures: tuple[Figure, ...]
    # Values from which a run is measured twice as long, since few messages come in a second.
    slow_from: int = 1 << 60
    # Seconds that are measured, where it is not for the options to say.
    duration: float | None = None
    is_logarithmic: bool = True


def decades(last, steps=(1, 3)):
    return tuple(value for power in range(9) for step in steps if (value := step * 10**power) <= last)


def cost(result):
    usage = result["server_usage"]
    return usage.get("cpu_microseconds_per_delivery") or usage.get("cpu_microseconds_per_publish")


def megabytes(name):
    return lambda result: result["memory"][name] / MEGABYTE


def grown(result):
    """From all topics and connections being there to the most."""
    return max(0, result["memory"]["peak"] - result["server_usage"]["resident_bytes_connected"]) / MEGABYTE


def kilobytes_each_topic(result):
    # Of fewer topics, the memory says more about what else was done for the first time.
    if result["options"]["topics"] < 1_000:
        return None
    made = result["server_usage"]["resident_bytes_at_start"] - result["memory"]["before"]
    return made / result["options"]["topics"] / 1000


def bytes_each_connection(result):
    return result["connections"]["resident_bytes_each"]


def milliseconds(name):
    return lambda result: result["latency"][name] / 1000


COST = Figure("µs", cost, "processor time, µs")
PEAK = Figure("MB at most", megabytes("peak"), "resident memory at most, MB")

SUBSCRIBERS = decades(10_000)
TOPICS = decades(100_000, (1,))
SIZES = (42, 512, 2048, 8192, 32_768, 131_072, 524_288, 1_048_576)
HISTORY = (0, *decades(10_000, (1,)))
LARGE = "--max-message 2MiB"

CURVES = (
    Curve(
        "subscribers",
        "subscribers of one topic",
        (
            Series("64 messages in flight", SUBSCRIBERS, "--subs {x} --window 64"),
            Series("1 message in flight", SUBSCRIBERS, "--subs {x} --window 1"),
            Series("64 messages in flight, two loops", SUBSCRIBERS, "--subs {x} --window 64", "--threads 2"),
        ),
        (COST, PEAK),
        slow_from=3_000,
    ),
    Curve(
        "topics",
        "topics",
        (
            Series("a subscriber each, per delivery", SUBSCRIBERS, "--topics {x} --subs {x} --pubs 10 --window 16"),
            Series(
                "without subscribers, per publish",
                TOPICS,
                "--topics {x} --subs 0 --pubs 10 --window 16",
                "--max-topics 200000",
            ),
        ),
        (COST, PEAK, Figure("kB a topic", kilobytes_each_topic)),
    ),
    Curve(
        "size",
        "bytes of payload",
        (
            Series("64 messages in flight", SIZES, "--size {x} --window 64", LARGE),
            Series("1 message in flight", SIZES, "--size {x} --window 1", LARGE),
        ),
        (COST, PEAK),
        slow_from=131_072,
    ),
    Curve(
        "history",
        "messages kept",
        (
            Series("128 B", HISTORY, "--subs 1 --size 128", "--history {x}"),
            Series("4 KiB", HISTORY, "--subs 1 --size 4096", "--history {x}"),
        ),
        (COST, Figure("MB more", grown, "resident memory gained, MB")),
    ),
    Curve(
        "large",
        "slow readers among 1,000",
        (Series("1 MiB", (0, 100), "--subs 1000 --slow {x} --size 1048576 --window 64", LARGE),),
        (
            COST,
            PEAK,
            Figure("MB of TCP buffers at most", lambda result: result["memory"]["tcp_peak"] / MEGABYTE),
            Figure("MB published", lambda result: result["publishes"]["total"] * 1.048576),
        ),
        duration=2,
    ),
    Curve(
        "connections",
        "connections that get a message a second",
        (
            Series(
                "a message a second",
                (1_000, 5_000, 10_000, 15_000, 19_000),
                "--connections {x} --rate 1 --waiting sleep",
            ),
        ),
        (
            Figure("% of a core", lambda result: result["server_usage"]["cpu_percent"], "share of a core, %"),
            Figure("µs", cost),
            Figure("p50 ms", milliseconds("p50")),
            Figure("p99 ms", milliseconds("p99")),
            PEAK,
            Figure("bytes each", bytes_each_connection),
        ),
        duration=3,
        is_logarithmic=False,
    ),
)
