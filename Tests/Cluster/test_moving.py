"""The commands of docs/guides/cluster-operating.md that move topics from memory to disk to a cluster and back."""

import os
import re
import subprocess
from pathlib import Path

from apus_e2e import TIMEOUT, Server, client_environment
from nats import NATSCluster, nodes

PAGE = Path(__file__).parents[2] / "docs/guides/cluster-operating.md"
BLOCK = re.compile(rf"^<!-- run by: Tests/Cluster/{Path(__file__).name} -->\n```bash\n(.*?)^```", re.M | re.S)


def run(block, folder, **places):
    """As a reader would, in a folder that has the program in its path."""
    (folder / "apus").symlink_to(os.path.abspath(os.environ["APUS_BIN"])) if not (folder / "apus").exists() else None
    environment = client_environment({"PATH": f"{folder}:{os.environ['PATH']}"} | places)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, capture_output=True,
                          text=True, timeout=6 * TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr


def page_of(server):
    return server.rest("GET", "/topics/orders/messages?since=all").json


def messages(server):
    return [each["message"] for each in page_of(server)["messages"]]


def test_topics_move_from_memory_to_disk_to_a_cluster_and_back(tmp_path):
    to_disk, to_cluster, back = BLOCK.findall(PAGE.read_text())
    with Server(tls=False) as memory, Server("--data", str(tmp_path / "disk"), tls=False) as disk:
        assert memory.create("orders").status == 201
        for number in range(20):
            assert memory.rest("POST", "/topics/orders/messages", {"n": number}).status == 201
        kept = messages(memory)
        run(to_disk, tmp_path, OLD=memory.url, DISK=disk.url)
        assert messages(disk) == kept
        assert disk.rest("PUT", "/topics/orders", {"history": 500, "durability": "disk"}).status == 200
    with NATSCluster(1) as servers, nodes(2, servers) as running:
        run(to_cluster, tmp_path, FOLDER=str(tmp_path / "disk"), NODE=running[0].url)
        assert messages(running[0]) == kept
        assert running[0].rest("GET", "/topics/orders").json["settings"]["history"] == 500
        run(back, tmp_path, NODE=running[0].url, BACK=str(tmp_path / "back"))
        before = page_of(running[0])
    with Server("--data", str(tmp_path / "back"), tls=False) as server:
        after = page_of(server)
        assert (after["epoch"], messages(server)) == (before["epoch"], kept)
