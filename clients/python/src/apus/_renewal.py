"""Another token on the open connection when the server says that the one in use expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ._backoff import Backoff
from ._credential import Credential
from ._errors import ApusError, Unauthorized, refusal

#: Longest delay before a renewal that failed is tried again, in seconds. The server announces an end 30 s before.
RENEWAL_DELAY = 5.0
#: Longest time until the end of a token that is taken from a server, in seconds.
MAX_VALIDITY = 60.0


class Renewal:
    """Of one connection."""

    def __init__(
        self,
        credential: Credential,
        backoff: Backoff,
        report: Callable[[ApusError], None],
        fail: Callable[[ApusError], None],
        request: Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], None],
    ) -> None:
        self._credential, self._backoff, self._request = credential, backoff, request
        self._report, self._fail = report, fail
        self._loop = asyncio.get_running_loop()
        self._authenticated_at = self._loop.time()
        self._task: asyncio.Task[None] | None = None

    def announce(self, validity: float) -> None:
        """The token ends in so many seconds."""
        if self._credential.is_provided and (self._task is None or self._task.done()):
            # A token that lives for less than the server's notice is announced again at once.
            begin = self._authenticated_at + min(validity, MAX_VALIDITY) / 2
            self._task = self._loop.create_task(self._renew(begin - self._loop.time()))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _renew(self, delay: float) -> None:
        attempt = 0
        while True:
            await asyncio.sleep(max(0.0, delay))
            try:
                token = await self._credential.obtain()
                failure = await self._try(token)
            except Unauthorized as fault:
                self._fail(fault)  # The provider says that there are no more.
                return
            except ApusError as fault:
                failure = fault
            if failure is None:
                self._authenticated_at = self._loop.time()
                return
            self._report(failure)
            delay = min(self._backoff.pause(attempt), RENEWAL_DELAY)
            attempt += 1

    async def _try(self, token: str) -> ApusError | None:
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()

        def answered(reply: dict[str, Any]) -> None:
            if not answer.done():
                answer.set_result(reply)

        self._request({"type": "auth", "token": token}, answered)
        reply = await answer
        return refusal(reply) if reply.get("type") == "error" else None
