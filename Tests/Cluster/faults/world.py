"""Three NATS servers and three nodes, each on a machine of its own, that what happens to them leaves standing."""

import json
import os
import re
import signal
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import namespaces
from apus_e2e import PATIENCE, TIMEOUT, Server
from disks import Disk, memory
from namespaces import run
from nats import NATSCluster, Place, is_ready, wait_for

# For what takes as long as the machine does: a start, a cluster that settles.
PATIENT = 60 * PATIENCE


class Node(Server):
    """A node on its own machine, in any build, whose log is kept over restarts."""

    def __init__(self, machine, program, *flags, env=None):
        super().__init__("--listen", f"{machine.address}:8080", *flags, env=env, exit_code=None, tls=False)
        self._arguments = [*machine.within, program, *self._arguments[1:]]
        # Clients try it before it listens, too.
        self.machine, self.reached_at, self.port = machine, machine.address, 8080


class Seat:
    """What has a node: it is killed, started again, in another build or with another clock."""

    def __init__(self, machine, flags, log):
        self.machine, self.flags, self.log = machine, flags, log
        self.program, self.clock = os.environ["APUS_BIN"], None
        self.node = None

    def start(self):
        self.node = Node(self.machine, self.program, *self.flags, env=self.clock)
        self.node.__enter__()

    def kill(self):
        self.node.kill()
        self._keep_log()

    def stop(self):
        """As an orchestrator does: it drains."""
        self.node.stop()
        self.node.process.wait(60)
        self._keep_log()

    def _keep_log(self):
        self.node.__exit__(None, None, None)
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in [*self.node.log, "---"])

    def pause(self):
        self.node.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.node.process.send_signal(signal.SIGCONT)

    @property
    def is_ready(self):
        try:
            return is_ready(self.node)
        except OSError:
            return False


class Servers(NATSCluster):
    """NATS servers whose stores are file systems of their own."""

    def __init__(self, machines, jetstream):
        places = [Place(each.address, 4222, 6222, each.within, 8222) for each in machines]
        super().__init__(len(machines), jetstream, places=places)
        self.images = memory(self.folder / "images")
        self.disks = [Disk(self.folder, str(index), self.images) for index in range(len(machines))]

    def __exit__(self, *_):
        super().__exit__()
        for disk in self.disks:
            disk.unmount()
        run("umount", "--lazy", self.images)

    def monitor(self, index, path):
        host = self.servers[index].place.host
        with urllib.request.urlopen(f"http://{host}:8222{path}", timeout=TIMEOUT) as answer:
            return json.load(answer)

    def is_healthy(self, index):
        try:
            return self.monitor(index, "/healthz")["status"] == "ok"
        except OSError:
            return False

    def elections(self, stream, since):
        """When servers said that they lead that stream now, by the wall clock."""
        times = []
        for server in self.servers:
            for line in server.configuration.with_suffix(".log").read_text(errors="replace").splitlines():
                found = re.match(r"\[\d+\] (\S+ \S+) \[INF\] JetStream cluster new stream leader for '(.*)'", line)
                if found and found[2].endswith(f"> {stream}"):
                    times.append(datetime.strptime(found[1], "%Y/%m/%d %H:%M:%S.%f").timestamp())
        return [each for each in times if each >= since]

    def streams(self):
        """Each stream's leader, by its place among the servers, and last sequence, as that leader has it."""
        found = {}
        for index in range(len(self.servers)):
            for account in self.monitor(index, "/jsz?accounts=1&streams=1").get("account_details", []):
                for stream in account.get("stream_detail", []):
                    if stream.get("cluster", {}).get("leader") == f"n{index}":
                        found[stream["name"]] = (index, stream["state"]["last_seq"])
        return found


class World:
    def __init__(self, folder, jetstream="sync_interval: always", flags=()):
        self.folder, self.jetstream, self.flags = Path(folder), jetstream, flags
        self.folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        names = [*(f"nats{index}" for index in range(3)), *(f"node{index}" for index in range(3))]
        machines = [namespaces.machine(name, number) for number, name in enumerate(names, 11)]
        self.machines = machines
        self.servers = Servers(machines[:3], self.jetstream)
        self.servers.__enter__()
        flags = ("--history", "1000000", *self.flags, *self.servers.flags())
        self.seats = [Seat(each, flags, self.folder / f"{each.name}.log") for each in machines[3:]]
        for seat in self.seats:
            seat.start()
        self.await_ready()
        return self

    def __exit__(self, kind, *_):
        for seat in self.seats:
            seat.go_on()
            seat.kill()
        for index, server in enumerate(self.servers.servers):
            if kind is not None:
                log = server.configuration.with_suffix(".log").read_bytes()
                (self.folder / f"nats{index}.log").write_bytes(log)
        self.servers.__exit__()
        for machine in self.machines:
            machine.remove()

    @property
    def nodes(self):
        return [seat.node for seat in self.seats]

    @property
    def server_machines(self):
        return self.machines[:3]

    @property
    def node_machines(self):
        return self.machines[3:]

    def await_ready(self):
        wait_for(lambda: all(seat.is_ready for seat in self.seats), "nodes that are ready", PATIENT)

    def mend(self):
        """Ends what was done to the network."""
        for machine in self.machines:
            machine.mend()

    def leader_of_busiest(self, seconds=0.5):
        """The stream in which most happens now, and which server leads it."""
        before = self.servers.streams()
        time.sleep(seconds)
        after = self.servers.streams()
        grown = {name: last - before.get(name, (0, last))[1] for name, (_, last) in after.items()}
        # Comparisons and probes of nodes are in all of them.
        name = max(grown, key=grown.get)
        return name, after[name][0]
