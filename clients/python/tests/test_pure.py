"""Addresses, positions, errors, backoff and buffers: no server, no clock."""

import datetime
import pickle

import pytest

import apus
from apus import _address, _errors
from apus._backoff import Backoff, End
from apus._buffer import Buffer
from apus._types import since_field


def message(offset, size=0):
    return apus.Message("t", f"id-{offset}", offset, {}, "", None, offset, "e"), size


@pytest.mark.parametrize(
    ("url", "host", "port", "is_secure", "base"),
    [
        ("http://localhost:8080", "localhost", 8080, False, ""),
        ("https://example.org", "example.org", 443, True, ""),
        ("wss://example.org/apus/v1/ws", "example.org", 443, True, "/apus/v1"),
        ("ws://[::1]:9000/ws/", "::1", 9000, False, ""),
        ("http://host/v1/", "host", 80, False, "/v1"),
    ],
)
def test_an_address_is_that_of_the_server_or_of_its_websocket(url, host, port, is_secure, base):
    address = _address.parse(url)
    assert (address.host, address.port, address.is_secure, address.base) == (host, port, is_secure, base)


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host", "http://", "http://h:x", "unix:", "http://h/ü"])
def test_what_is_no_address_is_said_so(url):
    with pytest.raises(ValueError, match=r"address"):
        apus.Client(url)


def test_a_credential_in_an_address_is_refused_and_not_repeated():
    for url in ("http://ann:secret@host", "http://host/ws?api_key=secret"):
        with pytest.raises(ValueError) as caught:
            apus.Client(url)
        assert "secret" not in str(caught.value)


def test_the_authority_has_a_port_only_where_it_must():
    assert _address.parse("https://h:443").authority == "h"
    assert _address.parse("http://[::1]:81").authority == "[::1]:81"
    assert str(_address.parse("unix:/run/apus.sock")) == "unix:/run/apus.sock"


def test_a_position_is_text_and_back():
    position = apus.Position("k3v9", 41)
    assert str(position) == "k3v9:41"
    assert apus.Position.parse("k3v9:41") == position
    for text in ("", "41", ":41", "k3v9:", "k3v9:-1", "k3v9:x"):
        with pytest.raises(ValueError):
            apus.Position.parse(text)


def test_since_is_a_position_a_text_a_time_or_a_duration():
    assert since_field(apus.Position("e", 3)) == {"epoch": "e", "offset": 3}
    assert since_field("10m") == "10m"
    assert since_field(datetime.timedelta(seconds=1.5)) == "1500ms"
    assert since_field(datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)) == "2026-11-30T00:00:00+00:00"
    with pytest.raises(ValueError, match="time zone"):
        since_field(datetime.datetime(2026, 11, 30))
    with pytest.raises(TypeError):
        since_field(7)


def test_a_message_has_its_position_and_time():
    item = apus.Message("t", "i", 1, {}, "2026-11-30T10:00:00.123Z", None, 7, "e")
    assert item.position == apus.Position("e", 7)
    assert item.time == datetime.datetime(2026, 11, 30, 10, 0, 0, 123_000, datetime.UTC)
    assert apus.Message("t", "i", 1, {}, "").position is None


def test_an_error_has_the_class_of_its_code_and_survives_pickling():
    error = _errors.error("TOPIC_NOT_FOUND", "Topic 'x' not found", topic="x")
    assert type(error) is apus.TopicNotFound
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.code, str(copied), copied.topic) == (type(error), error.code, str(error), "x")
    assert type(_errors.error("SOMETHING_NEW", "?")) is apus.ApusError


@pytest.mark.parametrize("given", [None, 7, {}, {"code": 1, "message": []}, {"code": "X", "retry_after_ms": True}])
def test_a_refusal_is_an_error_whatever_is_in_it(given):
    error = _errors.refusal({"type": "error", "error": given})
    assert isinstance(error, apus.ApusError)
    assert error.retry_after is None


def test_a_refusal_says_when_to_try_again_in_seconds():
    error = _errors.refusal({"error": {"code": "RATE_LIMITED", "message": "m", "retry_after_ms": 250}})
    assert isinstance(error, apus.RateLimited)
    assert error.retry_after == 0.25


def broke(**members):
    return End(**members)


def test_delays_double_up_to_the_longest_and_start_over_after_a_connection():
    backoff = Backoff(0.25, 3, random=lambda: 1.0)
    assert [backoff.after(broke()) for _ in range(6)] == [0.25, 0.5, 1, 2, 3, 3]
    assert backoff.after(broke(was_open=True)) == 0.25
    assert backoff.pause(10_000) == 3


def test_a_delay_is_a_random_part_of_that():
    assert Backoff(0.25, 3, random=lambda: 0.5).after(broke()) == 0.125


def test_a_server_that_shuts_down_assigns_the_delay_within_reason():
    backoff = Backoff(0.25, 3, random=lambda: 1.0)
    assert backoff.after(broke(code=1001, reason="SHUTDOWN", retry_after=5.5, was_open=True)) == 5.5
    assert backoff.after(broke(code=1001, retry_after=1e9, was_open=True)) == 600


def test_who_was_cut_starts_over_only_after_a_connection_that_lasts():
    backoff = Backoff(1, 100, random=lambda: 1.0)
    slow = {"code": 1008, "reason": "SLOW_CONSUMER", "was_open": True}
    assert [backoff.after(broke(**slow)) for _ in range(3)] == [1, 2, 4]
    assert backoff.after(broke(was_open=True, lasted=10.0)) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1002, ""), (1003, ""), (1007, ""), (1009, ""), (1008, "UNAUTHORIZED"), (1008, "REVOKED"), (1008, "KICKED"),
     (1008, "TOKEN_EXPIRED"), (1008, "FORBIDDEN")],
)  # fmt: skip
def test_some_closes_are_final(code, reason):
    assert Backoff(1, 1).after(broke(code=code, reason=reason, was_open=True)) is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, "TOPIC_DELETED"), (1001, "SHUTDOWN"), (1006, ""), (1008, "SLOW_CONSUMER"), (1008, "RATE_LIMITED"),
     (1008, "NO_PONG"), (1011, ""), (1013, "OVERLOADED")],
)  # fmt: skip
def test_after_other_closes_it_comes_back(code, reason):
    assert Backoff(1, 1).after(broke(code=code, reason=reason, was_open=True)) is not None


@pytest.mark.parametrize(("status", "is_final"), [(400, True), (403, True), (404, True), (429, False), (503, False)])
def test_a_refused_handshake_is_final_unless_it_is_for_the_moment(status, is_final):
    delay = Backoff(1, 1).after(broke(error=_errors.error("REFUSED", "no", status=status)))
    assert (delay is None) == is_final


def test_with_a_provider_a_token_may_be_refused_four_times_in_a_row():
    refused = broke(error=_errors.error("UNAUTHORIZED", "no", status=401))
    backoff = Backoff(1, 1, has_provider=True)
    assert [backoff.after(refused) is None for _ in range(5)] == [False] * 4 + [True]
    assert Backoff(1, 1).after(refused) is None
    assert Backoff(1, 1, has_provider=True).after(broke(code=1008, reason="TOKEN_EXPIRED")) is not None


def test_a_provider_without_tokens_ends_it():
    ended = broke(error=_errors.error("UNAUTHORIZED", "logged out"))
    assert Backoff(1, 1, has_provider=True).after(ended) is None


def test_a_buffer_that_waits_is_full_until_half_of_it_is_free():
    buffer = Buffer("t", 4, 1000, "wait")
    for offset in range(1, 4):
        buffer.push(*message(offset))
    assert not buffer.is_full
    buffer.push(*message(4))
    buffer.push(*message(5))  # What came with it is taken all the same.
    assert buffer.is_full
    assert [buffer.take().offset for _ in range(2)] == [1, 2]
    assert buffer.is_full
    assert buffer.take().offset == 3
    assert not buffer.is_full


def test_a_buffer_is_bounded_by_bytes_too():
    buffer = Buffer("t", 100, 10, "wait")
    buffer.push(*message(1, 11))
    assert buffer.is_full
    buffer.take()
    assert not buffer.is_full


def test_a_buffer_that_drops_says_what_was_there_in_its_place():
    buffer = Buffer("t", 2, 1000, "drop-oldest")
    for offset in range(1, 6):
        buffer.push(*message(offset))
    assert not buffer.is_full
    assert buffer.take() == apus.Dropped("t", 3, (1, 3))
    assert [buffer.take().offset for _ in range(2)] == [4, 5]
    assert len(buffer) == 0


def test_drops_of_the_server_that_are_dropped_count_and_other_notices_become_a_gap():
    buffer = Buffer("t", 1, 1000, "drop-oldest")
    buffer.push(apus.Dropped("t", 7, (1, 7)), 0)
    buffer.push(*message(8))
    buffer.push(*message(9))
    assert buffer.take() == apus.Dropped("t", 8, (1, 8))
    assert buffer.take().offset == 9
    buffer.push(apus.TopicDeleted("t"), 0)
    buffer.push(*message(1))
    assert buffer.take() == apus.Gap("t")
    assert buffer.take().offset == 1


@pytest.mark.parametrize("options", [{"buffer": 0}, {"buffer_bytes": 0}, {"when_full": "later"}])
def test_options_that_cannot_be_are_named(options):
    from apus._wishes import wishes

    with pytest.raises(ValueError, match="buffer"):
        wishes("c", options)


def test_a_key_and_a_token_exclude_each_other_and_have_no_spaces():
    for options in ({"api_key": "k", "token": "t"}, {"api_key": "a b"}, {"token": "t\n"}, {"api_key": ""}):
        with pytest.raises(ValueError):
            apus.Client("http://h", **options)
