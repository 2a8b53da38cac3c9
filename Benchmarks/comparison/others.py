"""How much of the machine others use meanwhile, who are no part of a measurement."""

import os
import resource
import time

# Others who take more than this of one core, in percent, disturb.
QUIET = 20
SAMPLE_SECONDS = 0.5
_BUSY = ("user", "nice", "system", "irq", "softirq")
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq")


def busy_ticks(text):
    """What all cores did in all, in ticks, by the first line of /proc/stat."""
    fields = dict(zip(_FIELDS, map(int, text.split()[1:])))
    return sum(fields[name] for name in _BUSY)


class Others:
    """`with Others(pids) as others`, then `others.percent`: the processor time of all but those, us, and our children.

    The kernel's own threads belong to the others, and so does what it does for the network and the disk by interrupts.
    """

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.begin, self.own, self.busy = time.monotonic(), self._own(), self._busy()
        return self

    def __exit__(self, *_):
        seconds = time.monotonic() - self.begin
        taken = self._busy() - self.busy - (self._own() - self.own)
        self.percent = round(max(taken / seconds * 100, 0), 1)

    @staticmethod
    def _busy():
        with open("/proc/stat") as file:
            return busy_ticks(file.readline()) / os.sysconf("SC_CLK_TCK")

    def _own(self):
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        # The clock of all threads of another process: what clock_getcpuclockid(3) returns on Linux.
        clocks = sum(time.clock_gettime(~pid << 3 | 2) for pid in self.pids)
        return sum(one.ru_utime + one.ru_stime for one in usage) + clocks


def wait_until_quiet(pids, deadline):
    """Waits until others use little, or until the deadline."""
    while time.monotonic() < deadline:
        with Others(pids) as others:
            time.sleep(SAMPLE_SECONDS)
        if others.percent <= QUIET:
            return
