"""Everything that this package raises is an `ApusError`; its subclasses are for `except` clauses."""

from __future__ import annotations

from typing import Any, ClassVar


class ApusError(Exception):
    """A refusal by the server, or by this client.

    `code` is for programs and stable, `str(error)` is one sentence for people.
    """

    code: str
    #: `RATE_LIMITED` and `UNAVAILABLE`: how many seconds to wait, where the server says so.
    retry_after: float | None
    #: The topic that it is about, where there is one.
    topic: str | None
    #: The status of an HTTP answer, where it came by one.
    status: int | None

    #: The codes that make an error of this class.
    codes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        topic: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.topic = topic
        self.status = status

    def __str__(self) -> str:
        return f"{self.args[0]} ({self.code})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.code, self.args[0], self.retry_after, self.topic, self.status)


class ConnectionFailed(ApusError):
    """No connection could be made or kept. Look at the address, the certificate, or whether the server runs."""

    codes = ("UNREACHABLE", "UNTRUSTED", "TIMED_OUT", "PROTOCOL_ERROR")


class Closed(ApusError):
    """The client or the subscription is closed. Make another one."""

    codes = ("CLOSED",)


class QueueFull(ApusError):
    """Too many messages wait for their acknowledgement. Wait (`Client.flush`), or give this message up."""

    codes = ("QUEUE_FULL",)


class MessageTooBig(ApusError):
    """The message is larger than the server takes. Split it, or raise the server's `max_message`."""

    codes = ("MESSAGE_TOO_BIG", "TOO_LARGE")


class Unauthorized(ApusError):
    """The key or token is missing, wrong, expired or revoked. A token provider raises it when there are no more."""

    codes = ("UNAUTHORIZED", "TOKEN_EXPIRED", "REVOKED", "KICKED")


class TokenUnavailable(ApusError):
    """The token provider failed or was too slow. The client asks it again; `__cause__` has the reason."""

    codes = ("TOKEN_UNAVAILABLE",)


class Forbidden(ApusError):
    """The credential does not allow this. Other commands go on working."""

    codes = ("FORBIDDEN", "FORBIDDEN_ORIGIN", "FORBIDDEN_HOST")


class TopicNotFound(ApusError):
    """There is no such topic. Create it, or subscribe with `wait=True`."""

    codes = ("TOPIC_NOT_FOUND",)


class TopicExists(ApusError):
    """A topic of this name is there already."""

    codes = ("TOPIC_EXISTS",)


class BadRequest(ApusError):
    """The server does not understand the command; the text names what is wrong with it."""

    codes = ("BAD_REQUEST",)


class RateLimited(ApusError):
    """A rate limit is reached. Try again after `retry_after` seconds."""

    codes = ("RATE_LIMITED",)


class Unavailable(ApusError):
    """The server shuts down or is full. Try again later."""

    codes = ("UNAVAILABLE", "OVERLOADED")


_CLASSES: dict[str, type[ApusError]] = {
    code: kind
    for kind in (
        ConnectionFailed,
        Closed,
        QueueFull,
        MessageTooBig,
        Unauthorized,
        TokenUnavailable,
        Forbidden,
        TopicNotFound,
        TopicExists,
        BadRequest,
        RateLimited,
        Unavailable,
    )
    for code in kind.codes
}


def error(
    code: str,
    message: str,
    *,
    retry_after: float | None = None,
    topic: str | None = None,
    status: int | None = None,
) -> ApusError:
    """An error of the class that goes with its code."""
    kind = _CLASSES.get(code, ApusError)
    return kind(code, message, retry_after=retry_after, topic=topic, status=status)


def _restored(code: str, message: str, retry_after: float | None, topic: str | None, status: int | None) -> ApusError:
    return error(code, message, retry_after=retry_after, topic=topic, status=status)


def refusal(reply: dict[str, Any], topic: str | None = None) -> ApusError:
    """The error of an `error` message, whatever is in it."""
    given = reply.get("error")
    given = given if isinstance(given, dict) else {}
    code, message, wait = given.get("code"), given.get("message"), given.get("retry_after_ms")
    is_time = isinstance(wait, int | float) and not isinstance(wait, bool) and wait >= 0
    return error(
        code if isinstance(code, str) else "INTERNAL",
        message if isinstance(message, str) else "the server refused it without a reason",
        retry_after=wait / 1000 if is_time and wait is not None else None,
        topic=topic,
    )


def too_big(size: int, topic: str | None = None) -> ApusError:
    return error("MESSAGE_TOO_BIG", f"the server takes no message of {size} bytes: split it", topic=topic)
