"""Who the client is: a key, a token, or a function that returns tokens.

The function is asked by all connections together once at a time; it never runs twice at once.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import NoReturn

from ._errors import TokenUnavailable, Unauthorized, error
from ._types import TokenProvider


class Credential:
    def __init__(self, api_key: str | None, token: str | TokenProvider | None, timeout: float) -> None:
        if api_key is not None and token is not None:
            raise ValueError("api_key and token exclude each other")
        for name, value in (("api_key", api_key), ("token", token)):
            if isinstance(value, str) and not _is_printable(value):
                raise ValueError(f"{name} must be a text without spaces")
        self._api_key, self._token, self._timeout = api_key, token, timeout
        self._call: asyncio.Task[str] | None = None

    @property
    def is_provided(self) -> bool:
        """Whether there may be another token than the one before."""
        return callable(self._token)

    async def headers(self) -> dict[str, str]:
        """The fields of a request. Raises `Unauthorized` where there are no tokens any more, or `TokenUnavailable`."""
        if self._api_key is not None:
            return {"X-API-Key": self._api_key}
        if self._token is None:
            return {}
        return {"Authorization": f"Bearer {await self.obtain()}"}

    async def obtain(self) -> str:
        """A token: another one for each call that does not wait together with others."""
        if isinstance(self._token, str):
            return self._token
        if self._call is None or self._call.done():
            self._call = asyncio.create_task(self._ask())
            self._call.add_done_callback(_seen)
        # One of several that wait may be cancelled.
        return await asyncio.shield(self._call)

    def close(self) -> None:
        if self._call is not None:
            self._call.cancel()

    async def _ask(self) -> str:
        if not callable(self._token):
            raise AssertionError("asked only where there is a provider")
        try:
            async with asyncio.timeout(self._timeout):
                given = self._token()
                token = await given if inspect.isawaitable(given) else given
        except Unauthorized:
            raise
        except TimeoutError as fault:
            _fail(f"the token provider did not answer within {self._timeout:g} s", fault)
        except Exception as fault:
            _fail(f"the token provider failed: {fault or type(fault).__name__}", fault)
        if not isinstance(token, str) or not _is_printable(token):
            _fail("the token provider returned no text, or one with spaces", None)
        return token


def _fail(message: str, cause: Exception | None) -> NoReturn:
    failure = error("TOKEN_UNAVAILABLE", message)
    assert isinstance(failure, TokenUnavailable)
    raise failure from cause


def _seen(call: asyncio.Task[str]) -> None:
    """Whoever waited may be gone; an error is not reported a second time then."""
    if not call.cancelled():
        call.exception()


def _is_printable(text: str) -> bool:
    return text != "" and all("!" <= character <= "~" for character in text)
