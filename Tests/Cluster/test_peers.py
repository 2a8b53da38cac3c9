"""What nodes tell each other besides messages: counts, how they are, and revocations."""

import asyncio
import json
from datetime import datetime, timedelta, timezone

from apus_e2e import PATIENCE, Client, Server, apus, until
from nats import NATSCluster, is_ready, nodes, wait_for

KEYS = [{"id": "boss", "key": "boss-key", "rights": [{"actions": ["*"], "topics": [">"]}]},
        {"id": "eve", "key": "eve-key", "rights": [{"actions": ["*"], "topics": ["orders.>"]}]}]


def as_key(key):
    return {"X-API-Key": key}


def names(node):
    return sorted(each["name"] for each in node.rest("GET", "/cluster").json["nodes"])


def is_recent(time):
    return datetime.now(timezone.utc) - datetime.fromisoformat(time) < timedelta(seconds=10)


async def test_counts_are_those_of_all_nodes(pair):
    assert pair[0].rest("PUT", "/topics/counted", {}).status == 201
    await until(lambda: pair[1].rest("GET", "/topics/counted").status == 200, "the topic on the other node")

    def all_say(count):
        for node in pair:
            listed = {topic["name"]: topic["subscribers"] for topic in node.rest("GET", "/topics").json["topics"]}
            said = (listed["counted"], node.rest("GET", "/topics/counted").json["subscribers"],
                    node.rest("GET", "/stats").json["topics"]["counted"]["subscribers"],
                    node.rest("GET", "/health").json["subscribers"])
            if said != (count,) * 4:
                return False
        return True

    async with await Client.open(pair[0]) as one, await Client.open(pair[1]) as other:
        await one.subscribe("counted", "a")
        await one.subscribe("counted", "b")
        await other.subscribe("counted", "c")
        await until(lambda: all_say(3), "three subscribers on both nodes")
        listed = pair[1].rest("GET", "/topics/counted/subscribers").json
        assert sorted(each["client_id"] for each in listed["subscribers"]) == ["a", "b", "c"], listed
        assert len({each["node"] for each in listed["subscribers"]}) == 2 and is_recent(listed["as_of"])
        first = pair[0].rest("GET", "/subscribers?limit=1&search=counted").json["subscribers"]
        assert [each["client_id"] for each in first] == ["a"], first
        await other.unsubscribe("counted", "c")
        await until(lambda: all_say(2), "two subscribers on both nodes")
    await until(lambda: all_say(0), "no subscriber on either node")
    for path in ("/topics", "/topics/counted", "/stats", "/health"):
        assert is_recent(pair[1].rest("GET", path).json["as_of"]), path


async def test_each_node_knows_the_others_and_the_streams(pair):
    await until(lambda: all(len(names(node)) == 2 for node in pair), "both nodes")
    answer = pair[0].rest("GET", "/cluster").json
    assert [each["self"] for each in answer["nodes"]] == [True, False]
    for each in answer["nodes"]:
        assert each["ready"] is True and each["version"] and each["nats_server"].startswith("nats://"), each
    assert len(answer["streams"]) == 9 and is_recent(answer["as_of"])
    assert all(stream["leader"] for stream in answer["streams"]), answer["streams"]
    shown = await asyncio.to_thread(apus, "cluster", env={"APUS_URL": pair[1].url})
    assert shown.returncode == 0 and shown.stdout.count("ready") == 2 and "apus_registry" in shown.stdout, shown


def test_a_node_that_dies_or_stops_is_gone_with_its_counts(nats):
    flags = nats.flags("--nats-prefix", "dying")
    with Server(*flags, "--nats-node", "one", tls=False) as one:
        with Server(*flags, "--nats-node", "two", tls=False) as two:
            wait_for(lambda: names(one) == ["one", "two"], "the other node")
            two.stop()
        wait_for(lambda: names(one) == ["one"], "the end of a node that has stopped")
        with Server(*flags, "--nats-node", "three", tls=False, exit_code=-9) as three:
            wait_for(lambda: names(one) == ["one", "three"], "the new node")
            three.kill()
        wait_for(lambda: names(one) == ["one"], "the end of a node that was killed")


def test_only_who_may_see_figures_sees_the_cluster(nats):
    flags = nats.flags("--nats-prefix", "rights", "--keys", json.dumps(KEYS))
    with Server(*flags, tls=False) as node:
        assert node.rest("GET", "/cluster", headers=as_key("eve-key")).status == 403
        assert node.rest("GET", "/cluster", headers=as_key("boss-key")).status == 200
    with Server(tls=False) as alone:
        assert alone.rest("GET", "/cluster").status == 404
        assert "as_of" not in alone.rest("GET", "/topics").json


async def test_a_revocation_on_one_node_holds_on_all_and_on_one_that_starts_later(nats):
    flags = ("--nats-prefix", "revoked", "--keys", json.dumps(KEYS))
    with nodes(2, nats, *flags) as (one, other):
        async with await Client.open(other, additional_headers=as_key("eve-key")) as eve:
            await eve.expect_alive()
            made = await asyncio.to_thread(one.rest, "POST", "/revocations", {"key": "eve"}, as_key("boss-key"))
            assert made.status == 201, made.body
            async with asyncio.timeout(2 * PATIENCE):
                assert await eve.expect_close(1008, "REVOKED") == []
        assert other.rest("GET", "/topics", headers=as_key("eve-key")).status == 401
        assert other.rest("GET", "/revocations", headers=as_key("boss-key")).json["revocations"] == [made.json]
        with Server(*nats.flags(*flags), tls=False) as late:
            assert late.rest("GET", "/topics", headers=as_key("eve-key")).status == 401
            path = f"/revocations/{made.json['id']}"
            assert late.rest("DELETE", path, headers=as_key("boss-key")).status == 200
            assert late.rest("DELETE", path, headers=as_key("boss-key")).status == 404
        for node in (one, other):
            await until(lambda: node.rest("GET", "/topics", headers=as_key("eve-key")).status == 200, "the key's return")
    # All nodes have stopped meanwhile.
    with nodes(1, nats, *flags) as (node,):
        assert node.rest("GET", "/topics", headers=as_key("eve-key")).status == 200
        assert node.rest("POST", "/revocations", {"key": "eve"}, as_key("boss-key")).status == 201
    with nodes(1, nats, *flags) as (node,):
        assert node.rest("GET", "/topics", headers=as_key("eve-key")).status == 401


def test_without_nats_a_revocation_is_refused_and_those_before_hold():
    with NATSCluster(1) as servers, nodes(1, servers, "--keys", json.dumps(KEYS)) as (node,):
        assert node.rest("POST", "/revocations", {"key": "eve"}, as_key("boss-key")).status == 201
        servers.servers[0].kill()
        assert node.rest("POST", "/revocations", {"sub": "ann"}, as_key("boss-key")).status == 503
        assert node.rest("GET", "/topics", headers=as_key("eve-key")).status == 401
        servers.servers[0].start()
        wait_for(lambda: is_ready(node), "a node that is ready again", 60)
        assert node.rest("POST", "/revocations", {"sub": "ann"}, as_key("boss-key")).status == 201


def test_when_nats_was_away_nodes_hear_of_each_other_again():
    with NATSCluster(1) as servers, nodes(2, servers) as (one, other):
        assert one.rest("PUT", "/topics/t", {}).status == 201
        wait_for(lambda: other.rest("GET", "/topics/t").status == 200, "the topic on the other node")
        servers.servers[0].kill()
        wait_for(lambda: len(names(one)) == 1, "the end of what is known of the other node")
        known = one.rest("GET", "/cluster").json["as_of"]
        servers.servers[0].start()
        wait_for(lambda: len(names(one)) == len(names(other)) == 2, "both nodes", 60)
        # It takes a node a moment to have heard of all.
        wait_for(lambda: one.rest("GET", "/cluster").json["as_of"] > known, "a later time", 60)
        connection = other.http()
        try:
            connection.request("GET", "/topics/t/events")
            # The stream ends with its response.
            response = connection.getresponse()
            assert response.status == 200
            wait_for(lambda: one.rest("GET", "/topics/t").json["subscribers"] == 1, "the other node's subscriber")
        finally:
            connection.close()
