"""Where a subscription is in its topic, message by message: no server, no clock."""

import asyncio

import pytest

import apus
from apus._feed import Feed
from apus._router import Router, overlap
from apus._wishes import wishes


class Host:
    """A connection that only remembers what it was asked."""

    def __init__(self):
        self.connection, self.knows_waiting = 1, False
        self.owner = self
        self.joins, self.later, self.bad, self.ended, self.own = 0, [], [], [], set()

    def join(self, feed):
        self.joins += 1

    def join_later(self, feed, attempt):
        self.later.append(attempt)

    def room_changed(self):
        pass

    def malformed(self, data):
        self.bad.append(data)

    def released(self, feed, is_subscribed):
        self.ended.append(is_subscribed)

    def is_there(self, topic):
        pass

    def is_gone(self, topic):
        pass

    def is_own(self, message_id):
        return message_id in self.own


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def make(loop):
    def feed(topic="t", **options):
        feed = Feed(topic, wishes("c", options), loop)
        feed.host = Host()
        return feed

    return feed


def ask(feed):
    """The members of the next command that say where to start."""
    feed.stage = "joining"
    command = feed.ask()
    return {name: command[name] for name in ("since", "last_n", "wait") if command.get(name) is not None}


def ack(feed, **members):
    feed.answered({"type": "ack", "topic": feed.topic, "status": "ok", **members})


def event(feed, offset, message_id="i", topic="t"):
    feed.event({"topic": topic, "message": {"id": message_id, "payload": offset}, "offset": offset, "ts": ""}, 1)


def taken(feed):
    """All that is held: payloads, and notices as they are."""
    items = [feed.take() for _ in range(len(feed.buffer))]
    return [item.payload if isinstance(item, apus.Message) else item for item in items]


def reconnect(feed):
    feed.lost()
    feed.host.connection += 1


def live(feed, epoch="e", offset=0):
    ask(feed)
    ack(feed, epoch=epoch, offset=offset)
    return feed


def test_the_first_command_says_what_was_asked_for(make):
    feed = make(last_n=3, overflow="latest", queue=7, presence=True)
    feed.stage = "joining"
    assert feed.ask() == {
        "type": "subscribe", "topic": "t", "client_id": "c", "positions": True, "overflow": "latest", "queue": 7,
        "presence": True, "last_n": 3,
    }  # fmt: skip
    assert ask(make(since="10m")) == {"since": "10m"}
    assert ask(make(wait=True)) == {"wait": True}
    assert ask(make("t.*", wait=True)) == {}


def test_it_resumes_after_the_last_event_that_came_whether_taken_or_not(make):
    feed = live(make(), offset=40)
    assert feed.position == apus.Position("e", 40)
    event(feed, 41)
    event(feed, 42)
    assert feed.take().payload == 41
    assert feed.position == apus.Position("e", 41)
    reconnect(feed)
    assert ask(feed) == {"since": {"epoch": "e", "offset": 42}, "wait": True}
    ack(feed, epoch="e", offset=42, recovered=True)
    event(feed, 42)
    event(feed, 43)
    assert taken(feed) == [42, 43]


def test_before_the_first_event_it_resumes_where_it_started(make):
    feed = live(make(), offset=7)
    reconnect(feed)
    assert ask(feed)["since"] == {"epoch": "e", "offset": 7}


def test_what_history_no_longer_has_is_a_gap(make):
    feed = live(make())
    event(feed, 1)
    reconnect(feed)
    ask(feed)
    ack(feed, epoch="e", offset=16, recovered=False, missed={"from": 2, "to": 16})
    event(feed, 17)
    assert taken(feed) == [1, apus.Gap("t", (2, 16), apus.Position("e", 16)), 17]


def test_another_epoch_is_a_gap_and_offsets_start_over(make):
    feed = live(make(), offset=100)
    reconnect(feed)
    ask(feed)
    ack(feed, epoch="f", offset=0, recovered=False)
    event(feed, 1)
    assert taken(feed) == [apus.Gap("t", None, apus.Position("f", 0)), 1]
    assert feed.position == apus.Position("f", 1)


def test_a_patterns_reconnect_is_a_gap(make):
    feed = make("t.*")
    ask(feed)
    ack(feed)
    event(feed, None, topic="t.a")
    reconnect(feed)
    assert ask(feed) == {}
    ack(feed)
    assert taken(feed) == [None, apus.Gap("t.*")]


def test_a_drop_moves_the_position(make):
    feed = live(make())
    feed.dropped({"topic": "t", "dropped": 5, "from": 1, "to": 5})
    event(feed, 5)
    event(feed, 6)
    reconnect(feed)
    assert ask(feed)["since"] == {"epoch": "e", "offset": 6}
    assert taken(feed) == [apus.Dropped("t", 5, (1, 5)), 6]


def test_a_topic_that_is_gone_after_a_reconnect_is_waited_for(make):
    feed = live(make(), offset=3)
    reconnect(feed)
    assert ask(feed)["wait"] is True
    ack(feed, waiting=True)
    reconnect(feed)  # However many restarts there are, it is told once.
    ask(feed)
    ack(feed, waiting=True)
    feed.created({"topic": "t", "epoch": "f"})
    event(feed, 1)
    start = apus.Position("f", 0)
    assert taken(feed) == [apus.Waiting("t"), apus.Gap("t", None, start), apus.TopicCreated("t", start), 1]


def test_a_deletion_ends_it_after_what_came_before(make):
    feed = live(make())
    event(feed, 1)
    feed.deleted("t")
    assert feed.stage == "ended"
    assert feed.host.ended == [False]  # There is nothing left to unsubscribe from.
    assert taken(feed) == [1, apus.TopicDeleted("t")]
    assert feed.failure is None


def test_with_wait_a_deletion_is_waited_through_and_is_no_gap(make):
    feed = make(wait=True)
    ask(feed)
    ack(feed, waiting=True)
    feed.created({"epoch": "e"})
    event(feed, 1)
    feed.deleted("t")
    assert feed.stage == "waiting"
    feed.created({"epoch": "f"})
    event(feed, 1)
    first, second = apus.Position("e", 0), apus.Position("f", 0)
    assert taken(feed) == [
        apus.Waiting("t"), apus.TopicCreated("t", first), 1,
        apus.TopicDeleted("t"), apus.Waiting("t"), apus.TopicCreated("t", second), 1,
    ]  # fmt: skip


def test_a_position_is_owed_until_the_topic_is_there(make):
    feed = make(since=apus.Position("e", 5), wait=True)
    ask(feed)
    ack(feed, waiting=True)
    reconnect(feed)
    assert ask(feed)["since"] == {"epoch": "e", "offset": 5}
    ack(feed, epoch="f", offset=0, recovered=False)
    assert taken(feed)[1] == apus.Gap("t", None, apus.Position("f", 0))


def test_a_topic_made_while_it_was_away_is_read_from_its_first_message(make):
    feed = make(wait=True)
    ask(feed)
    ack(feed, waiting=True)
    reconnect(feed)
    assert ask(feed)["since"] == "all"
    ack(feed, epoch="e", offset=0)
    assert taken(feed) == [apus.Waiting("t"), apus.TopicCreated("t", apus.Position("e", 0))]
    assert feed.stage == "live"


def test_a_refusal_ends_it_and_one_for_the_moment_does_not(make):
    feed = make()
    ask(feed)
    feed.answered({"type": "error", "error": {"code": "UNAVAILABLE", "message": "full"}})
    assert (feed.stage, feed.host.later) == ("away", [0])
    ask(feed)
    feed.answered({"type": "error", "error": {"code": "TOPIC_NOT_FOUND", "message": "no"}})
    assert feed.stage == "ended"
    assert isinstance(feed.failure, apus.TopicNotFound)
    assert isinstance(feed.ready.exception(), apus.TopicNotFound)


def test_a_server_that_does_not_know_of_waiting_is_asked_again(make):
    feed = make(wait=True)
    ask(feed)
    feed.answered({"type": "error", "error": {"code": "TOPIC_NOT_FOUND", "message": "no"}})
    assert feed.host.later == [0]
    assert taken(feed) == [apus.Waiting("t")]


def test_rights_that_are_gone_end_only_it(make):
    feed = live(make())
    feed.unsubscribed("FORBIDDEN")
    assert isinstance(feed.failure, apus.Forbidden)


def test_without_echo_its_own_messages_move_the_position_only(make):
    feed = live(make(echo=False))
    feed.host.own.add("mine")
    event(feed, 1, "mine")
    event(feed, 2, "other")
    reconnect(feed)
    assert ask(feed)["since"]["offset"] == 2
    assert taken(feed) == [2]


@pytest.mark.parametrize(
    "data", [{"offset": 1}, {"offset": 1, "message": 7}, {"message": {}}, {"offset": "1", "message": {}}]
)
def test_an_event_that_makes_no_sense_is_reported_and_changes_nothing(make, data):
    feed = live(make())
    feed.event({"topic": "t", **data}, 1)
    assert feed.host.bad
    assert taken(feed) == []


def test_closing_forgets_what_is_held(make):
    feed = live(make())
    event(feed, 1)
    feed.end(discard=True)
    assert len(feed.buffer) == 0
    assert feed.host.ended == [True]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("a", "a", True), ("a", "b", False), ("a.*", "a.b", True), ("a.*", "a.b.c", False), ("a.>", "a.b.c", True),
     ("a.>", "a", False), ("*.b", "a.*", True), (">", "x", True), ("a.*.c", "a.>", True), ("*.x", "*.y", False)],
)  # fmt: skip
def test_two_patterns_overlap_where_a_topic_can_match_both(a, b, expected):
    assert overlap(a.split("."), b.split(".")) is expected
    assert overlap(b.split("."), a.split(".")) is expected


def test_a_connection_takes_no_two_subscriptions_to_the_same_topic(make):
    router = Router()
    name, pattern = make("a.b"), make("a.*")
    router.add(name)
    assert not router.accepts(pattern)
    assert not router.accepts(make("a.b"))
    other = make("c.*")
    assert router.accepts(other)
    router.add(other)
    assert router.find("c.x") is other
    assert router.find("d") is None
    assert router.find(["a"]) is None
    assert router.remove(other)
    assert not router.remove(other)
