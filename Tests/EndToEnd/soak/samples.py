"""The server's memory, descriptors and processor time while a soak runs, and whether its memory grows."""

import math
from dataclasses import dataclass
from statistics import mean, median

MIB = 1 << 20
# Growth that is not told from none, in bytes a minute. It comes to 92 MB in a day.
BOUND = 64 * 1024


@dataclass
class Sample:
    """The medians of a minute, and at its end what the server says."""

    minute: int
    rss: float
    files: int
    cpu: float
    allocated: float = 0
    connections: int = 0
    published: int = 0
    delivered: int = 0


def slope(points):
    """Least squares: the slope and its standard error."""
    xs, ys = zip(*points)
    if len(points) < 3:
        return 0, math.inf
    middle, level = mean(xs), mean(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    rise = sum((x - middle) * (y - level) for x, y in points) / spread
    rest = sum((y - level - rise * (x - middle)) ** 2 for x, y in points)
    return rise, math.sqrt(rest / (len(points) - 2) / spread)


class Samples:
    """One a minute, of values that are looked at once a second."""

    TITLE = (f"{'minute':>6}{'RSS MiB':>10}{'allocated':>11}{'files':>7}{'CPU %':>7}"
             f"{'clients':>9}{'published':>12}{'delivered':>12}")

    def __init__(self):
        self.all = []
        self._seen, self._cpu, self._begin = [], None, 0

    def take(self, server, now):
        """Looks; true when a minute is full."""
        self._cpu = server.processor_time if self._cpu is None else self._cpu
        self._seen.append((server.rss, server.open_files))
        if now < self._begin + 60:
            return False
        used = server.processor_time
        rss, files = (median(values) for values in zip(*self._seen))
        self.all.append(Sample(len(self.all) + 1, rss, round(files), 100 * (used - self._cpu) / (now - self._begin)))
        self._seen, self._cpu, self._begin = [], used, now
        return True

    def told(self, scrape):
        """What the server says at the end of the minute."""
        last = self.all[-1]
        last.allocated = scrape["apus_memory_bytes"]
        last.connections = round(scrape["apus_connections"])
        last.published = round(scrape["apus_messages_published_total"])
        last.delivered = round(scrape["apus_messages_delivered_total"])

    @property
    def line(self):
        last = self.all[-1]
        return (f"{last.minute:>6}{last.rss / MIB:>10.1f}{last.allocated / MIB:>11.1f}{last.files:>7}{last.cpu:>7.1f}"
                f"{last.connections:>9}{last.published:>12,}{last.delivered:>12,}")

    @property
    def growth(self):
        """Of the resident memory in the second half: bytes a minute, and the standard error."""
        half = self.all[len(self.all) // 2:]
        return slope([(sample.minute, sample.rss) for sample in half])

    @property
    def is_flat(self):
        rise, error = self.growth
        return rise - 2 * error <= 0 or rise <= BOUND
