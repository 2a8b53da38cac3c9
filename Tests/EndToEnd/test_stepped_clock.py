"""A wall clock that is set by two hours, forward and back: what lasts goes by the time that has passed."""

import time
from datetime import datetime, timedelta, timezone

import pytest

from apus_e2e import PATIENCE, Client, Server, apus, until
from extensions import configure, describe, offsets, payloads, publish, receive_events, subscribe, topic_path
from stepped_clock import stepped

pytestmark = pytest.mark.one_server("it is about one process")

# Every place of the clock is come by within four of these, in seconds.
STEP = 0.1
# How long messages live that are to be gone, in milliseconds.
SHORT = round(400 * PATIENCE)


def page(server, topic, query):
    return server.rest("GET", topic_path(topic, f"/messages?{query}")).json["messages"]


def hours(server, topic):
    """By how many hours, more or less, each message's stamp is away from the time of this process."""
    now = datetime.now(timezone.utc)
    stamps = [datetime.fromisoformat(message["ts"].replace("Z", "+00:00")) for message in page(server, topic, "")]
    return {round((stamp - now) / timedelta(hours=1)) for stamp in stamps}


async def test_what_lasts_goes_by_the_time_that_has_passed():
    with Server(env=stepped(STEP * 1000)) as server:
        configure(server, "lasting", ttl="1h", history_age="1h", dedupe_window="1h")
        configure(server, "short", ttl=f"{SHORT}ms", history=1000)
        configure(server, "young", history_age=f"{SHORT}ms", history=1000)
        async with await Client.open(server) as client:
            message, first = await publish(client, "lasting", 0)
            start = time.monotonic()
            count = 1
            while time.monotonic() - start < max(4 * STEP, 1.5 * SHORT / 1000):
                # The same id again is known, wherever the clock stands.
                await client.send(type="publish", topic="lasting", message=message, outcome=True)
                assert (await client.receive())["duplicate"] is True
                await publish(client, "lasting", count)
                count += 1
                for topic in ("short", "young"):
                    await publish(client, topic, count)
                assert len(page(server, "lasting", "since=30m&limit=1000")) == min(count, 100)
            assert hours(server, "lasting") <= {-2, 0, 2} and len(hours(server, "lasting")) > 1
            # What was published last is still there; what was first has been let go long before two hours are over.
            for topic in ("short", "young"):
                await publish(client, topic, "last")
                kept = page(server, topic, "limit=1000")
                assert kept[-1]["message"]["payload"] == "last" and kept[0]["offset"] > 1, kept[0]
                await until(lambda: not page(server, topic, "limit=1000"), f"{topic} is empty")
                await until(lambda: describe(server, topic)["bytes"] == 0, f"{topic} takes no memory")
            ack = await subscribe(client, "lasting", since="30m", positions=True)
            kept = min(count, 100)
            events = await receive_events(client, "lasting", kept)
            assert offsets(events) == list(range(count - kept + 1, count + 1)) and ack["epoch"] == first["epoch"]
            assert payloads(events)[-1] == count - 1


def test_nothing_is_lost_doubled_or_stale_under_a_clock_that_is_set_all_the_time():
    with Server("--ping-interval", "1s", "--pong-timeout", "1s", env=stepped(500)) as server:
        run = apus("verify", server.url, "--duration", "2s", "--rate", "200", env=stepped(700), timeout=60 * PATIENCE)
        assert run.returncode == 0, run.stdout + run.stderr
