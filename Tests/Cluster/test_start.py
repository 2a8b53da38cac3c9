"""What a node needs to start, and what it says when it is missing."""

import subprocess

import pytest

from apus_e2e import PATIENCE, Server, environment
from nats import SYSTEM, NATSCluster, free_ports, is_ready, nodes, program, wait_for


def refusal(*flags):
    done = subprocess.run([program(), "serve", "--port", "0", *flags], env=environment(), capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 78, (done.returncode, done.stderr)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("apus: nats: "), line
    return line


def test_nobody_there():
    assert "nats" in refusal("--nats", f"nats://127.0.0.1:{free_ports(1)[0]}")


def test_a_folder_besides(nats, tmp_path):
    assert "--data" in refusal(*nats.flags("--data", str(tmp_path)))


def test_a_bad_prefix(nats):
    assert "--nats-prefix" in refusal(*nats.flags("--nats-prefix", "a.b"))


def test_a_server_without_jetstream():
    with NATSCluster(1, jetstream=None) as servers:
        assert "jetstream" in refusal(*servers.flags())


def test_servers_that_do_not_say_how_they_write(nats):
    assert "--nats-sync-always" in refusal("--nats", nats.urls, "--nats-replicas", "1")


def test_more_copies_than_servers(nats):
    assert "--nats-replicas" in refusal("--nats", nats.urls, "--nats-sync-always", "true", "--nats-prefix", "three")


def test_declared_topics_are_made_once(nats):
    flags = nats.flags("--topics-declare", '[{"name":"orders","history":7}]', "--nats-prefix", "declared")
    with Server(*flags, tls=False) as one, Server(*flags, tls=False) as other:
        for node in (one, other):
            wait_for(lambda node=node: node.rest("GET", "/topics/orders").status == 200, "the declared topic", 60)
        assert one.rest("GET", "/topics/orders").json["epoch"] == other.rest("GET", "/topics/orders").json["epoch"]


def test_a_node_that_is_started_again_has_everything(nats):
    with nodes(1, nats, "--nats-prefix", "again") as running:
        assert running[0].rest("PUT", "/topics/t", {}).status == 201
        for number in range(5):
            assert running[0].rest("POST", "/topics/t/messages", {"n": number}).status == 201
        before = running[0].rest("GET", "/topics/t/messages").json
    with nodes(1, nats, "--nats-prefix", "again") as running:
        assert is_ready(running[0])
        assert running[0].rest("GET", "/topics/t/messages").json == before


def test_a_node_without_nats_reads_on_and_acknowledges_nothing():
    with NATSCluster(1) as servers, nodes(1, servers) as (node,):
        assert node.rest("PUT", "/topics/t", {}).status == 201
        assert node.rest("POST", "/topics/t/messages", {"n": 1}).status == 201
        servers.servers[0].kill()
        answer = node.rest("POST", "/topics/t/messages", {"n": 2})
        assert answer.status == 503 and "retry-after" in {name.lower() for name in answer.headers}, answer.headers
        wait_for(lambda: not is_ready(node), "a node that is not ready")
        assert node.rest("GET", "/livez").status == 200
        assert len(node.rest("GET", "/topics/t/messages").json["messages"]) == 1
        assert node.rest("PUT", "/topics/u", {}).status == 503
        servers.servers[0].start()
        wait_for(lambda: is_ready(node), "a node that is ready again", 60)
        assert node.rest("POST", "/topics/t/messages", {"n": 3}).status == 201


@pytest.mark.parametrize("flags", [("--nats-unsafe-sync", "true")])
def test_unsynced_servers_are_taken_if_told_so(flags):
    with NATSCluster(1, jetstream="") as servers:
        with Server("--nats", servers.urls, "--nats-replicas", "1", *flags, tls=False) as node:
            wait_for(lambda: is_ready(node), "a node that is ready", 60)
            assert node.rest("PUT", "/topics/t", {}).status == 201
            assert node.rest("POST", "/topics/t/messages?outcome=true", {"n": 1}).json["stored"] == "replicated-unsynced"


def test_a_server_that_comes_back_unsynced_is_in_the_log():
    with NATSCluster(1, more=SYSTEM) as servers:
        url = servers.urls.replace("//", "//apus:apus@")
        with Server("--nats", url, "--nats-replicas", "1", tls=False) as node:
            wait_for(lambda: is_ready(node), "a node that is ready", 60)
            server = servers.servers[0]
            server.kill()
            text = server.configuration.read_text()
            server.configuration.write_text(text.replace("sync_interval: always", ""))
            server.start()
            node.wait_for_log("acknowledges before it has written to its disk", timeout=60 * PATIENCE)
            server.kill()
            server.configuration.write_text(text)
            server.start()
            node.wait_for_log("writes before it acknowledges again", timeout=60 * PATIENCE)
