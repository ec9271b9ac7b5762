"""Many requests at once."""
from __future__ import annotations

import json
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence

from . import _core
from .engine import EngineBase
from .handle import Handle, Progress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._core import Completion, Rest, State
    from .request import Prompt, ServiceOptions


class Service(EngineBase):
    """Runs many requests on one engine: they decode together, read their prompts between each other's steps, and start
    from cached states of prompts that began alike. A request has the text that it has alone (docs/states_and_cache.md).

    path, backend, threads and the like: as in `load`. max_running: sequences that decode at once. max_queued: requests
    that may wait; one more raises OverloadedError. max_state_bytes: of all states, cached ones included (0: a quarter of
    the free memory); max_cache_bytes: of cached ones (0: half of that). state_cache: a directory for states that memory
    has no room for, state_cache_bytes at most. prefill_workers: engines that read long prompts beside decoding, with
    prefill_threads each (0: half). prefill_step_size: tokens of prompts between two decode steps. time_slice: tokens
    that a sequence decodes before another may take its row. exact_reuse: the default of requests.

    >>> import xlstm_cpp
    >>> with xlstm_cpp.Service() as service:
    ...     handles = [service.submit(name, max_tokens=4, temperature=0) for name in ("HAMLET.", "ROMEO.")]
    ...     [len(handle.result().ids) for handle in handles]
    [4, 4]
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        backend: str = "cpu",
        threads: int = 0,
        activation_dtype: str | None = None,
        state_dtype: str = "float32",
        weights: str = "map",
        batch_invariant: bool = True,
        chat_template: str | None = None,
        check_weights: bool = False,
        progress: Callable[[float], object] | None = None,
        max_running: int = 32,
        max_queued: int = 1024,
        max_state_bytes: int = 0,
        prefix_cache: bool = True,
        max_cache_bytes: int = 0,
        state_cache: str | os.PathLike[str] | None = None,
        state_cache_bytes: int = 10 << 30,
        prefill_workers: int = 0,
        prefill_threads: int = 0,
        prefill_step_size: int = 512,
        time_slice: int = 32,
        exact_reuse: bool = False,
    ):
        options = dict(locals())
        for name in ("self", "path", "exact_reuse", "__class__"):
            options.pop(name, None)
        self._exact_reuse = exact_reuse
        self._most_on_their_way = max_running + 4  # some wait, so that no row is empty
        super().__init__(_core.Engine.start(path, None, True, options))

    def submit(
        self,
        prompt: Prompt | None = None,
        *,
        state: State | None = None,
        progress: Progress | None = None,
        **options: Unpack[ServiceOptions],
    ) -> Handle:
        """Hands in a request and returns at once. Prompt and state as in Model.generate; the State is not changed, and
        is one of this Service: of load_state() or of a completion with keep_state. progress(done, total) is called where
        the handle is iterated or asked for its result. Options: `xlstm_cpp.ServiceOptions`.

        Raises InvalidArgumentError (the request), OverloadedError (max_queued).
        """
        options.setdefault("exact_reuse", self._exact_reuse)
        ids = self._ids(prompt, fresh=state is None or state.num_tokens == 0)
        return Handle(self._core.submit(ids, state, options, True), self._loops, progress)

    def generate(
        self,
        prompt: Prompt | None = None,
        *,
        state: State | None = None,
        progress: Progress | None = None,
        **options: Unpack[ServiceOptions],
    ) -> Completion:
        """submit() and wait for the end. `others` of the completion are the further samples, if several were asked for.
        Ctrl-C ends the request within a step."""
        handle = self.submit(prompt, state=state, progress=progress, **options)
        try:
            return handle.result()
        except BaseException:
            handle.cancel()
            raise

    def batch(
        self,
        prompts: Iterable[Prompt | Mapping[str, Any]],
        *,
        progress: Callable[[int], object] | None = None,
        **options: Unpack[ServiceOptions],
    ) -> list[Completion]:
        """Answers prompts in their order, as many at once as there are rows. An item is a prompt, or a dict of `prompt`
        and of what differs from the options. progress(count) is called with the number of those that have ended, in
        order. The first fault raises, and ends the others.

        >>> import xlstm_cpp
        >>> with xlstm_cpp.Service() as service:
        ...     [made.finish_reason for made in service.batch(["HAMLET.", {"prompt": "ROMEO.", "max_tokens": 2}], max_tokens=4)]
        ['length', 'length']
        """
        under_way: deque[Handle] = deque()
        made: list[Completion] = []

        def take() -> None:
            made.append(under_way[0].result())
            under_way.popleft()
            if progress is not None:
                progress(len(made))

        try:
            for item in prompts:
                if len(under_way) >= self._most_on_their_way:
                    take()
                own = dict(item) if isinstance(item, Mapping) else {"prompt": item}
                under_way.append(self.submit(**{**options, **own}))
            while under_way:
                take()
        except BaseException:
            for handle in under_way:
                handle.cancel()
            raise
        return made

    def drain(self) -> list[Rest]:
        """Ends every request so that it can go on elsewhere. Their handles end with the text that was said so far and the
        finish reason "drained"; `resume` says the text that was to come. What is submitted later runs as ever."""
        return self._core.drain()

    def resume(
        self,
        rest: Rest | str | os.PathLike[str],
        prompt: Sequence[int] | None = None,
        **options: Unpack[ServiceOptions],
    ) -> Handle:
        """Goes on with a Rest of this Service, or with the file of Rest.save() from any process: the file has state, ids,
        seed and draws; `prompt` (Rest.prompt), `max_tokens` (Rest.max_tokens) and the request's other options are to be
        given again. A Rest has its own.
        """
        if isinstance(rest, _core.Rest):
            if prompt is not None or options:
                raise TypeError("resume: expected no prompt and no options beside a Rest, which has its own")
            return Handle(self._core.resume(rest, True), self._loops)
        return Handle(self._core.resume_file(rest, prompt or [], options, True), self._loops)

    def stats(self) -> dict[str, Any]:
        """Counters and histograms as of the last step (docs/states_and_cache.md), the numbers of `xlstm top`; times in
        seconds, sizes in bytes."""
        return json.loads(self._core.stats_json())

    def serve_stats(self, path: str | os.PathLike[str]) -> None:
        """Opens a Unix socket that sends the same once a second, for `xlstm top PATH`. It goes with close()."""
        self._core.serve_stats(path)
