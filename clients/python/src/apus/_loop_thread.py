"""An event loop in a thread, for programs without asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ._errors import error

_Result = TypeVar("_Result")


class LoopThread:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="apus", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Runs it to its end; stops it when this thread is interrupted meanwhile."""
        if not self._loop.is_running() or threading.current_thread() is self._thread:
            work.close()
            raise error("CLOSED", "the client is closed, or this is a callback of its own")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def soon(self, work: Callable[[], object]) -> None:
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(work)

    def stop(self) -> None:
        if self._loop.is_running():
            self.call(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
