"""What waits for its acknowledgement, with a clock that the test moves."""

import asyncio
import json

import pytest

import apus
from apus._outbox import Outbox


class Clock:
    """The time, and what is due."""

    def __init__(self, loop):
        self.now, self._timers, self._loop = 0.0, [], loop

    def time(self):
        return self.now

    def create_future(self):
        return self._loop.create_future()

    def call_later(self, delay, callback, *arguments):
        clock, due = self, (self.now + delay, callback, arguments)

        class Timer:
            def cancel(self):
                if due in clock._timers:
                    clock._timers.remove(due)

        self._timers.append(due)
        return Timer()

    def pass_time(self, seconds):
        end = self.now + seconds
        while due := min(
            (timer for timer in self._timers if timer[0] <= end), key=lambda timer: timer[0], default=None
        ):
            self._timers.remove(due)
            self.now = due[0]
            due[1](*due[2])
        self.now = end


class Desk:
    """An outbox with a connection that the test answers for."""

    def __init__(self, loop, **options):
        self.clock, self.sent = Clock(loop), []
        settings = {"limit": 5, "limit_bytes": 10_000, "publish_wait": 30.0, "pause": lambda attempt: 1.0} | options
        self.box = Outbox(self.clock, **settings)
        self.connect()

    def connect(self):
        self.box.transmit = lambda text: self.sent.append(json.loads(text))
        self.box.opened()

    def lose(self, code=1006):
        self.box.transmit = None
        self.box.lost(code)

    def publish(self, name, topic="t", wait=None):
        fields = f'"topic":"{topic}","message":{{"id":"{name}","payload":null}}'
        return self.box.publish(fields, topic, (name,), is_batch=False, wait=wait)

    @property
    def names(self):
        """What was sent since the last look."""
        sent = [command["message"]["id"] for command in self.sent]
        self.sent.clear()
        return sent

    def answer(self, entry, **members):
        self.box.answered({"type": "ack", "request_id": entry.request, "epoch": "e", "offset": 1, **members})

    def refuse(self, entry, code, **members):
        self.box.answered(
            {"type": "error", "request_id": entry.request, "error": {"code": code, "message": "", **members}}
        )


@pytest.fixture
def desk():
    loop = asyncio.new_event_loop()
    yield Desk(loop)
    loop.close()


def failure(entry):
    return entry.done.exception().code


def test_an_outcome_is_what_the_ack_says(desk):
    entry = desk.publish("a")
    assert desk.names == ["a"]
    desk.answer(entry, offset=7, subscribers=3, stored="disk", ts="now")
    assert entry.done.result() == apus.Outcome("t", "a", "e", 7, 3, "disk", False, "now")
    assert (desk.box.size, desk.box.bytes) == (0, 0)


def test_beyond_its_bounds_it_takes_no_more(desk):
    for name in "abcde":
        desk.publish(name)
    with pytest.raises(apus.QueueFull, match="flush"):
        desk.publish("f")
    desk.box._limit, desk.box._limit_bytes = 100, desk.box.bytes
    with pytest.raises(apus.QueueFull):
        desk.publish("f")


def test_what_was_not_acknowledged_is_sent_again_with_the_same_ids(desk):
    first, second = desk.publish("a"), desk.publish("b")
    assert desk.names == ["a", "b"]
    desk.lose()
    third = desk.publish("c")
    assert desk.names == []
    desk.connect()
    assert desk.names == ["a"]  # The scout.
    desk.answer(first)
    assert desk.names == ["b", "c"]
    desk.answer(second)
    desk.answer(third)
    desk.publish("d")
    assert desk.names == ["d"]


def test_it_waits_for_a_topic_that_is_gone_after_a_reconnect_in_order(desk):
    entries = [desk.publish(name) for name in "ab"]
    desk.lose()
    desk.connect()
    desk.names  # noqa: B018
    desk.refuse(entries[0], "TOPIC_NOT_FOUND")
    entries.append(desk.publish("c"))
    assert desk.names == []
    desk.clock.pass_time(1)
    assert desk.names == ["a"]
    desk.answer(entries[0])
    assert desk.names == ["b", "c"]


def test_it_waits_only_so_long(desk):
    entry = desk.publish("a")
    desk.lose()
    desk.connect()
    desk.refuse(entry, "TOPIC_NOT_FOUND")
    for _ in range(60):
        desk.clock.pass_time(1)
        if desk.names:
            desk.refuse(entry, "TOPIC_NOT_FOUND")
    assert failure(entry) == "TOPIC_NOT_FOUND"
    assert desk.clock.now >= 30


def test_on_a_first_connection_a_topic_that_is_not_there_is_refused_at_once_unless_told_to_wait(desk):
    entry, patient = desk.publish("a"), desk.publish("b", "u", wait=5)
    desk.refuse(entry, "TOPIC_NOT_FOUND")
    desk.refuse(patient, "TOPIC_NOT_FOUND")
    assert failure(entry) == "TOPIC_NOT_FOUND"
    desk.names  # noqa: B018
    desk.clock.pass_time(1)
    assert desk.names == ["b"]


def test_a_topic_that_is_known_to_be_deleted_is_not_waited_for(desk):
    desk.answer(desk.publish("a"))
    desk.box.is_gone("t")
    desk.lose()
    entry = desk.publish("b")
    desk.connect()
    desk.refuse(entry, "TOPIC_NOT_FOUND")
    assert failure(entry) == "TOPIC_NOT_FOUND"


def test_a_subscription_that_sees_the_topic_ends_the_waiting(desk):
    entry = desk.publish("a")
    desk.lose()
    desk.connect()
    desk.refuse(entry, "TOPIC_NOT_FOUND")
    desk.names  # noqa: B018
    desk.box.is_there("t")
    assert desk.names == ["a"]


def test_a_rate_limit_is_waited_for_and_then_one_goes_and_then_two(desk):
    entries = [desk.publish(name) for name in "abcd"]
    for entry in entries:
        desk.refuse(entry, "RATE_LIMITED", retry_after_ms=2000)
    desk.names  # noqa: B018
    desk.clock.pass_time(1.9)
    assert desk.names == []
    desk.clock.pass_time(0.2)
    assert desk.names == ["a"]
    desk.answer(entries[0])
    assert desk.names == ["b"]
    desk.answer(entries[1])
    assert desk.names == ["c", "d"]


def test_a_rate_limit_that_lasts_too_long_is_an_error_with_its_time(desk):
    entry = desk.publish("a")
    desk.refuse(entry, "RATE_LIMITED", retry_after_ms=60_000)
    error = entry.done.exception()
    assert isinstance(error, apus.RateLimited)
    assert error.retry_after == 60


def test_the_largest_is_refused_where_the_server_takes_nothing_of_its_size(desk):
    small, large = desk.publish("a"), desk.publish("b" * 100)
    size = desk.box.largest
    desk.lose(1009)
    desk.box.refuse(size)
    assert failure(large) == "MESSAGE_TOO_BIG"
    with pytest.raises(apus.MessageTooBig):
        desk.publish("c" * 100)
    desk.connect()
    assert desk.names[-1] == "a"
    desk.lose(1006)
    desk.publish("c" * 100)
    assert not small.done.done()


def test_one_that_nobody_waits_for_is_not_sent_if_it_can_be_helped(desk):
    desk.lose()
    entry, other = desk.publish("a"), desk.publish("b")
    entry.done.cancel()
    desk.box.abandon(entry)
    desk.connect()
    assert desk.names == ["b"]
    desk.answer(other)
    assert desk.box.size == 0


def test_one_that_goes_ahead_of_others_is_given_up_when_its_time_comes(desk):
    entries = [desk.publish(name) for name in "ab"]
    desk.lose()
    desk.connect()
    desk.refuse(entries[0], "TOPIC_NOT_FOUND")
    desk.names  # noqa: B018
    entries[0].done.cancel()
    desk.box.abandon(entries[0])
    desk.clock.pass_time(1)
    assert desk.names == ["b"]
    desk.answer(entries[1])
    assert desk.box.size == 0


def test_one_that_is_on_its_way_is_counted_until_it_is_answered(desk):
    entry = desk.publish("a")
    entry.done.cancel()
    desk.box.abandon(entry)
    assert desk.box.size == 1
    desk.answer(entry)
    assert desk.box.size == 0


def test_closing_fails_what_waits(desk):
    entry = desk.publish("a")
    desk.box.close(apus.Closed("CLOSED", "the client was closed"))
    assert failure(entry) == "CLOSED"
