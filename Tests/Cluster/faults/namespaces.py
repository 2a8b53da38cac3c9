"""Six machines on one bridge: network namespaces, each with an address, whose links can be cut or made bad."""

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BRIDGE = "br0"
CLIENTS = "10.77.0.254"


def missing():
    """Why there can be no namespaces here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    tools = [tool for tool in ("unshare", "nsenter", "ip", "iptables", "mkfs.ext4") if not shutil.which(tool)]
    if tools:
        return f"not here: {', '.join(tools)}"
    attempt = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c",
         "ip link add br0 type bridge && iptables -L -n && mount -t tmpfs none /mnt && ls /dev/loop-control"],
        capture_output=True, text=True)
    return attempt.stderr.strip() or "they are not allowed" if attempt.returncode != 0 else None


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr.strip()}"
    return done.stdout


@dataclass(frozen=True)
class Machine:
    name: str
    address: str

    @property
    def within(self):
        return ("nsenter", f"--net=/run/netns/{self.name}")

    @property
    def port_of_bridge(self):
        return f"v-{self.name}"

    def deafen(self, *addresses):
        """Drops what comes from those."""
        for address in addresses:
            run(*self.within, "iptables", "-I", "INPUT", "-s", address, "-j", "DROP")

    def remove(self):
        # The kernel would do it with the namespace, but some time later.
        run("ip", "link", "delete", self.port_of_bridge)
        run("ip", "netns", "delete", self.name)

    def mend(self):
        run(*self.within, "iptables", "-F", "INPUT")


def make_bridge():
    """Once, in a namespace of its own; clients are on the bridge."""
    Path("/run/netns").mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "none", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{CLIENTS}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def machine(name, number):
    made = Machine(name, f"10.77.0.{number}")
    run("ip", "netns", "add", name)
    run("ip", "link", "add", made.port_of_bridge, "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", made.port_of_bridge, "master", BRIDGE, "up")
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "address", "add", f"{made.address}/24", "dev", "eth0")
    run("ip", "-n", name, "link", "set", "eth0", "up")
    return made


def cut(some, others):
    """No packet passes between those machines, either way."""
    for one in some:
        one.deafen(*(other.address for other in others))
    for other in others:
        other.deafen(*(one.address for one in some))


@contextlib.contextmanager
def bad_link(machine, delay, jitter, loss, seed):
    """All packets of a machine are late by milliseconds, each way, and some are lost.

    A packet may overtake another where the jitter is larger than what is between them.
    """
    through = f"w-{machine.name}"
    run("ip", "link", "add", f"{through}0", "type", "veth", "peer", "name", f"{through}1")
    run("ip", "link", "set", machine.port_of_bridge, "nomaster")
    run("ip", "link", "set", f"{through}1", "master", BRIDGE, "up")
    run("ip", "link", "set", f"{through}0", "up")
    relay = subprocess.Popen([sys.executable, Path(__file__).with_name("bad_link.py"), machine.port_of_bridge,
                              f"{through}0", str(delay), str(jitter), str(loss), str(seed)],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert relay.stdout.readline() == "ready\n"
        yield
    finally:
        relay.kill()
        relay.wait()
        run("ip", "link", "delete", f"{through}0")
        run("ip", "link", "set", machine.port_of_bridge, "master", BRIDGE)
