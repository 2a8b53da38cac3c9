"""`apus verify` with several nodes: publishers and subscribers move between them, and all nodes have the same."""

import json
import signal
import subprocess
import threading

from apus_e2e import PATIENCE, Server, environment
from nats import free_ports, is_ready, nodes, program, wait_for

DURATION = 6


def verify(urls, *more, code=0):
    done = subprocess.run([program(), "verify", "--url", ",".join(urls), "--duration", f"{DURATION}s", "--subscribers",
                           "24", "--rate", "200", "--json", *more],
                          env=environment(), capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_two_nodes_lose_double_and_reorder_nothing(pair):
    verdict = verify([node.url for node in pair])
    assert (verdict["proven"], verdict["nodes"]) == (True, 2), verdict
    assert verdict["published"] > 0 and verdict["moves"] > 24 and verdict["books"]["state"] == "balanced", verdict


def test_a_node_that_is_killed_and_started_again_loses_nothing(nats):
    flags = nats.flags("--nats-prefix", "killed", "--port", str(free_ports(1)[0]))
    results = []
    with nodes(1, nats, "--nats-prefix", "killed") as (one,):
        with Server(*flags, tls=False, exit_code=-signal.SIGKILL) as other:
            wait_for(lambda: is_ready(other), "a second node", 60)
            run = threading.Thread(target=lambda: results.append(verify([one.url, other.url])))
            run.start()
            wait_for(lambda: published(other) > 100, "publishes through the node", 60)
            other.kill()
        with Server(*flags, tls=False):
            run.join()
    (verdict,) = results
    assert verdict["proven"] and verdict["failed_connects"] > 0, verdict


def published(node):
    text = node.rest("GET", "/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("apus_messages_published_total"))


def test_nodes_of_two_clusters_are_refused(pair, nats):
    with nodes(1, nats, "--nats-prefix", "other") as (stranger,):
        done = subprocess.run([program(), "verify", "--url", f"{pair[0].url},{stranger.url}", "--duration", "1s"],
                              env=environment(), capture_output=True, text=True, timeout=120 * PATIENCE)
    assert done.returncode == 1 and "nodes of one cluster?" in done.stderr, done.stdout + done.stderr
