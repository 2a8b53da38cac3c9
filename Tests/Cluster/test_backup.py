"""Backups of a cluster's streams, by both ways of docs/guides/cluster-operating.md, and what comes back from them."""

import shutil
from contextlib import closing

from jetstream import JetStream
from nats import NATSCluster, is_ready, nodes, wait_for


def publish(node, *numbers):
    for number in numbers:
        assert node.rest("POST", "/topics/t/messages", {"n": number}).status == 201


def history(node):
    return node.rest("GET", "/topics/t/messages?since=all").json


def numbers(page):
    return [each["message"]["payload"]["n"] for each in page["messages"]]


def restart(servers):
    for server in servers.servers:
        server.start()
    wait_for(lambda: all(server.takes_clients() for server in servers.servers), "NATS")


def stop(servers):
    for server in servers.servers:
        server.process.terminate()
        server.process.wait()


def test_folders_of_stopped_servers_are_a_backup(tmp_path):
    with NATSCluster(3) as servers:
        with nodes(1, servers) as (node,):
            assert node.rest("PUT", "/topics/t", {"history": 1000}).status == 201
            publish(node, *range(100))
            before = history(node)
        stop(servers)
        for index in range(3):
            shutil.copytree(servers.store(index), tmp_path / str(index))
        restart(servers)
        with nodes(1, servers) as (node,):
            publish(node, 100, 101)
        stop(servers)
        for index in range(3):
            shutil.rmtree(servers.store(index))
            shutil.copytree(tmp_path / str(index), servers.store(index))
        restart(servers)
        with nodes(2, servers) as running:
            assert [history(node) for node in running] == [before, before]
            publish(running[0], 200)


def test_snapshots_of_running_servers_are_a_backup_for_other_servers():
    with NATSCluster(3) as servers, nodes(1, servers) as (node,):
        assert node.rest("PUT", "/topics/t", {"history": 1000}).status == 201
        publish(node, *range(100))
        with closing(JetStream(servers.servers[0])) as client:
            names = client.streams()
            # The topics themselves last: each that it names has its messages.
            names.sort(key=lambda name: name.endswith("_registry"))
            backups = [client.snapshot(name) for name in names]
        before = history(node)
        publish(node, 100)
    with NATSCluster(3) as servers:
        def restore():
            with closing(JetStream(servers.servers[0])) as client:
                for backup in backups:
                    client.restore(backup)

        wait_for_leader(servers)
        restore()
        with nodes(2, servers) as running:
            assert [history(node) for node in running] == [before, before]
            publish(running[0], 200)


def wait_for_leader(servers):
    def answers():
        with closing(JetStream(servers.servers[0])) as client:
            client._socket.settimeout(2)
            try:
                return "error" not in client.request("$JS.API.STREAM.NAMES", {})
            except (TimeoutError, ValueError):
                return False

    wait_for(answers, "a leader of JetStream", 60)


def test_a_node_that_ran_through_a_restore_gives_topics_that_lost_something_another_epoch(tmp_path):
    with NATSCluster(3) as servers, nodes(1, servers) as (node,):
        assert node.rest("PUT", "/topics/t", {"history": 1000}).status == 201
        publish(node, *range(10))
        stop(servers)
        for index in range(3):
            shutil.copytree(servers.store(index), tmp_path / str(index))
        restart(servers)
        # It takes itself for ready for some seconds after the last ack; only a publish shows that there is a leader.
        wait_for(lambda: node.rest("POST", "/topics/t/messages", {"n": 10}).status == 201, "an ack", 60)
        before = history(node)
        stop(servers)
        for index in range(3):
            shutil.rmtree(servers.store(index))
            shutil.copytree(tmp_path / str(index), servers.store(index))
        restart(servers)
        wait_for(lambda: is_ready(node) and history(node)["epoch"] != before["epoch"], "another epoch", 60)
        assert numbers(history(node)) == list(range(10))
        publish(node, 11)


