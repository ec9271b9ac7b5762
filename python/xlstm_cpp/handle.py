"""A request on its way: its text piece by piece, its end, from threads and from event loops."""
from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import TYPE_CHECKING, AsyncIterator, Callable, Generator, Iterator

from . import _core
from .errors import CancelledError

if TYPE_CHECKING:
    from ._core import Completion

Progress = Callable[[int, int], object]


class Piece(str):
    """Text that became whole with a token: a str, "" while a character is unfinished.

    `id` is the token (None for what was held back until the end, and for the text of a beam), `sample` the number of
    the sample that it belongs to.
    """

    __slots__ = ("id", "sample")
    id: int | None
    sample: int

    @classmethod
    def _of(cls, text: str, token: int | None, sample: int) -> Piece:
        piece = cls(text)
        piece.id = token
        piece.sample = sample
        return piece


class Loops:
    """Wakes event loops for handles: one thread an engine, from the first `await` on. The engine's own thread so never
    waits for Python."""

    def __init__(self, wakes: _core.Wakes):
        self._wakes = wakes
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._keys = itertools.count()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    async def news(self, handle: _core.Handle) -> None:
        """Returns when the handle has news."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_wake, args=(self._wakes, self._waiters), name="xlstm_cpp wakes", daemon=True)
                self._thread.start()
            key = next(self._keys)
            self._waiters[key] = waiter
        try:
            if handle.arm(key):
                await asyncio.sleep(0)  # others of the loop have a turn, however fast the engine is
            else:
                await waiter
        finally:
            self._waiters.pop(key, None)


def _wake(wakes: _core.Wakes, waiters: dict[int, asyncio.Future[None]]) -> None:
    while (keys := wakes.take()) is not None:
        for key in keys:
            waiter = waiters.pop(key, None)
            if waiter is None:
                continue
            try:
                waiter.get_loop().call_soon_threadsafe(_set_done, waiter)
            except RuntimeError:  # the loop was closed, and with it whoever waited
                pass


def _set_done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Handle:
    """A request on its way. Iterate it (`for`, `async for`) for its pieces of text, `await` it or call `result()` for
    its `Completion`. Letting go of the last reference cancels the request.

    Thread-safe; every piece goes to one of those who iterate.
    """

    def __init__(self, core: _core.Handle, loops: Loops, progress: Progress | None = None):
        self._core = core
        self._loops = loops
        self._progress = progress

    @property
    def id(self) -> int:
        """Number of the request in its Service; 0 for that of a Model."""
        return self._core.id

    @property
    def done(self) -> bool:
        """Whether it has ended; pieces may still wait to be taken."""
        return self._core.done

    def cancel(self) -> None:
        """Ends it within a step. What was generated until then is its result."""
        self._core.cancel()

    def result(self, timeout: float | None = None) -> Completion:
        """Waits for the end, at most `timeout` seconds (TimeoutError; the request goes on).

        Raises what ended the request, and CancelledError when it was cancelled or drained before there was a text.
        """
        if self._progress is None:
            return self._core.result(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        while (event := self._core.next_event(None if end is None else max(end - time.monotonic(), 0.0))) is not None:
            self._piece(event)
        return self._core.result()

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        while (event := self._core.next_event()) is not None:
            if (piece := self._piece(event)) is not None:
                return piece
        self._raise_fault()
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        while True:
            await self._loops.news(self._core)
            try:
                event = self._core.next_event(0)
            except TimeoutError:  # another task took it
                continue
            if event is None:
                self._raise_fault()
                raise StopAsyncIteration
            if (piece := self._piece(event)) is not None:
                return piece

    def __await__(self) -> Generator[object, None, Completion]:
        return self._wait().__await__()

    async def _wait(self) -> Completion:
        """Cancelling the task that waits cancels the request."""
        try:
            async for _ in self:
                pass
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._core.result()

    def _piece(self, event: tuple[str | None, int | None, int]) -> Piece | None:
        """None: it was about the prompt."""
        text, token, sample = event
        if text is not None:
            return Piece._of(text, token, sample)
        if self._progress is not None:
            self._progress(token or 0, sample)
        return None

    def _raise_fault(self) -> None:
        """The request's own fault, once there are no more pieces."""
        try:
            self._core.result()
        except CancelledError:  # cancelled before there was a text: no piece, and no fault
            pass
