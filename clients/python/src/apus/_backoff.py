"""When to come back: exponential backoff with full jitter, and what each end of a connection means."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ._errors import ApusError, error

#: Longest delay that is taken from a server, in seconds.
MAX_ASSIGNED_DELAY = 600.0
#: A connection that was cut for the client's own behaviour must hold so long before the backoff starts over.
STABLE = 10.0
#: How often in a row a token of a provider may be refused.
MAX_REFUSALS = 5

_RETRIED_POLICY_CLOSES = ("SLOW_CONSUMER", "RATE_LIMITED", "NO_PONG")
#: SHUTDOWN, and what a proxy says of a server that restarts; OVERLOADED.
_AWAY_CLOSES = (1001, 1012, 1013)
_FINAL_CLOSES = (1002, 1003, 1007, 1009, 1010)


@dataclass(slots=True)
class End:
    """How a connection ended, or why it could not be made."""

    #: A close code; 1006 where the connection broke or could not be made.
    code: int = 1006
    reason: str = ""
    #: Why it could not be made; None where it was made.
    error: ApusError | None = None
    #: When to come back, in seconds, where the server says so.
    retry_after: float | None = None
    #: Whether commands may have been answered on it.
    was_open: bool = False
    lasted: float = 0.0
    #: Whether what caused it was refused, so that it will not come again.
    is_settled: bool = False

    @property
    def moves_on(self) -> bool:
        """Whether another server may do better: this one cannot be reached, takes nobody now, or goes away."""
        if self.error is None:
            return self.code in _AWAY_CLOSES
        status = self.error.status
        if status is not None:
            return status >= 500 or status == 429
        return self.error.code in ("UNREACHABLE", "TIMED_OUT", "UNTRUSTED")

    def as_error(self) -> ApusError:
        if self.error is not None:
            return self.error
        if self.code == 1006:
            return error("UNREACHABLE", f"the connection broke{f': {self.reason}' if self.reason else ''}")
        said = f"the server closed the connection: {self.code} {self.reason}".rstrip()
        return error(self.reason or f"CLOSE_{self.code}", said)


class Backoff:
    """Counts attempts, and says how long to wait before the next one: None to give up.

    With several servers an attempt is a round: all of them are tried, one right after the other.
    """

    def __init__(
        self,
        min_delay: float,
        max_delay: float,
        *,
        servers: int = 1,
        has_provider: bool = False,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._min, self._max, self._has_provider, self._random = min_delay, max_delay, has_provider, random
        self._servers = servers
        #: What each server that was tried since the last wait has said of when to come back.
        self._round: list[float | None] = []
        self._attempt = 0
        self._is_patient = False
        self._refusals = 0

    def pause(self, attempt: int) -> float:
        """A random time before the n-th attempt in a row, from 0."""
        return self._random() * min(self._max, self._min * 2.0 ** min(attempt, 60))

    def answered(self) -> None:
        """The server has answered a command: the credential was taken."""
        self._refusals = 0

    def after(self, end: End) -> float | None:
        if self._is_final(end):
            return None
        was_cut = end.code in (1008, 1013) or (end.error is not None and end.error.status in (429, 503))
        if end.was_open and (not self._is_patient or end.lasted >= STABLE):
            self._attempt, self._is_patient = 0, False
        if was_cut:
            self._is_patient = True
        told = end.retry_after
        if end.was_open or not end.moves_on:
            self._round = []
        if end.moves_on:
            self._round.append(told)
            is_over = len(self._round) >= self._servers
            if end.error is not None:
                if not is_over:
                    return 0.0
                waits = [wait for wait in self._round if wait is not None]
                told = min(waits) if len(waits) == len(self._round) else None
            if is_over:
                self._round = []
        pause = self.pause(self._attempt)
        self._attempt += 1
        return pause if told is None else min(told, MAX_ASSIGNED_DELAY)

    @property
    def is_in_round(self) -> bool:
        """Whether there are servers that were not tried since the last wait."""
        return bool(self._round)

    def _is_final(self, end: End) -> bool:
        if end.is_settled:
            return False
        code = end.error.code if end.error is not None else end.reason if end.code == 1008 else ""
        if self._has_provider and code == "TOKEN_EXPIRED":
            return False
        # One that the provider itself raises says that there are no tokens any more.
        if self._has_provider and code == "UNAUTHORIZED" and (end.error is None or end.error.status == 401):
            self._refusals += 1
            return self._refusals >= MAX_REFUSALS
        if end.error is not None:
            status = end.error.status
            if status is not None:
                return status < 500 and status != 429
            return code not in ("UNREACHABLE", "TIMED_OUT", "TOKEN_UNAVAILABLE", "UNTRUSTED")
        return end.code in _FINAL_CLOSES or (end.code == 1008 and end.reason not in _RETRIED_POLICY_CLOSES)
