"""One conversation at a time: prefill, step and generate, with states as values."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable, NamedTuple, Sequence

import numpy as np

from . import _core
from .engine import EngineBase
from .handle import Handle, Progress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._core import Completion, State
    from .request import ModelOptions, Prompt


def _require_state(state: object) -> None:
    if not isinstance(state, _core.State):
        raise TypeError(f"state: expected a State but got {type(state).__name__}")


class Perplexity(NamedTuple):
    """How well a model predicts a text."""

    tokens: int  #: read, BOS included
    nll_per_token: float  #: mean over tokens - 1 predictions, nats
    perplexity: float  #: its exponential


class Model(EngineBase):
    """A loaded model; `load()` makes one.

    A call that is given a State leaves it as it is and returns a new one. `donate=True` gives the State away instead:
    it is not copied, and any later use of it raises, whatever came of the call.

    >>> import xlstm_cpp
    >>> model = xlstm_cpp.load()
    >>> logits, state = model.prefill(model.tokenizer.encode("In the beginning God"))
    >>> logits.shape == (model.vocab_size,)
    True
    >>> logits, later = model.step(int(logits.argmax()), state)
    >>> later.num_tokens - state.num_tokens
    1
    >>> model.close()
    """

    def new_state(self) -> State:
        """A State that has read nothing. Raises OverloadedError (no memory)."""
        return self._core.new_state()

    def prefill(
        self,
        tokens: Sequence[int] | np.ndarray,
        state: State | None = None,
        *,
        donate: bool = False,
        progress: Progress | None = None,
    ) -> tuple[np.ndarray, State]:
        """Reads tokens, on top of `state` or from nothing: logits float32 [vocab_size] after the last, and the State.

        progress(done, total) is called now and then on this thread. Raises InvalidArgumentError (no token, an id
        outside the vocabulary), OverloadedError (no memory).
        """
        if state is not None:
            _require_state(state)
        return self._core.prefill(tokens, state, donate, progress)

    def step(self, token: int, state: State, *, donate: bool = False) -> tuple[np.ndarray, State]:
        """Reads one token: logits float32 [vocab_size] after it, and the State. Without `donate` the state is copied
        first, which costs as much as a part of the step itself (docs/python.md). Errors: those of prefill()."""
        _require_state(state)
        return self._core.step(token, state, donate)

    def generate(
        self,
        prompt: Prompt | None = None,
        *,
        state: State | None = None,
        donate: bool = False,
        on_text: Callable[[str], object] | None = None,
        on_token: Callable[[int], object] | None = None,
        progress: Progress | None = None,
        **options: Unpack[ModelOptions],
    ) -> Completion:
        """Continues a prompt: a text, ids, or messages for the model's chat template. With `state` the prompt follows
        what that has read (a text without another BOS), and without a prompt generation goes on from its last logits,
        with the seed and the draws that it was left with unless `seed` is given.

        on_text, on_token and progress(done, total) are called on this thread while the engine goes on; what one raises
        ends the request. Ctrl-C ends it within a step. Options: `xlstm_cpp.ModelOptions`.

        >>> import xlstm_cpp
        >>> with xlstm_cpp.load() as model:
        ...     made = model.generate("HAMLET.", max_tokens=8, temperature=0)
        >>> made.finish_reason, len(made.ids)
        ('length', 8)
        """
        handle = self._start(prompt, state, donate, progress, options, bool(on_text or on_token or progress))
        try:
            if on_text or on_token:
                for piece in handle:
                    if on_token and piece.id is not None:
                        on_token(piece.id)
                    if on_text and piece:
                        on_text(str(piece))
            return handle.result()
        except BaseException:
            handle.cancel()
            raise

    def stream(
        self,
        prompt: Prompt | None = None,
        *,
        state: State | None = None,
        donate: bool = False,
        progress: Progress | None = None,
        **options: Unpack[ModelOptions],
    ) -> Handle:
        """As generate(), but returns at once: iterate the Handle for pieces of text, `async for` or `for`, and ask it
        for the result. The engine does not wait for who iterates; other calls of this model wait until it has ended.

        >>> import xlstm_cpp
        >>> with xlstm_cpp.load() as model:
        ...     handle = model.stream("HAMLET.", max_tokens=8, temperature=0)
        ...     "".join(handle) == handle.result().text
        True
        """
        return self._start(prompt, state, donate, progress, options, True)

    def _start(self, prompt: Prompt | None, state: State | None, donate: bool, progress: Progress | None,
               options: object, listen: bool) -> Handle:
        if state is not None:
            _require_state(state)
        ids = self._ids(prompt, fresh=state is None or state.num_tokens == 0)
        return Handle(self._core.generate(ids, state, donate, options, listen), self._loops, progress)

    def perplexity(self, prompt: Prompt, *, progress: Progress | None = None) -> Perplexity:
        """Of one unbroken text of at least two tokens, read from nothing."""
        return Perplexity(*self._core.perplexity(self._ids(prompt), progress))


def load(
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
) -> Model:
    """Loads a checkpoint's directory; None is the model inside the package (bard-8m).

    backend: one of `backend_names()`. threads: 0 is the cores this process may use. activation_dtype: what activations
    are rounded to before products ("float32", "bfloat16", "int16", "int8"; None fits the weights). state_dtype:
    "float32" or "bfloat16". weights: "map" uses them where they lie in the file, "copy" copies them into huge pages.
    batch_invariant: a row has the same bits in every batch. chat_template: a Jinja source in place of the model's own.
    check_weights: refuse NaN and infinity. progress(fraction) is called on this thread.

    Raises NotFoundError, CorruptFileError, UnsupportedError, InvalidArgumentError, OverloadedError.
    """
    options = {"backend": backend, "threads": threads, "activation_dtype": activation_dtype,
               "state_dtype": state_dtype, "weights": weights, "batch_invariant": batch_invariant,
               "chat_template": chat_template, "check_weights": check_weights, "progress": progress}
    return Model(_core.Engine.start(path, None, False, options))


def synthetic(name: str, *, dtype: str = "bfloat16", seed: int = 0, **options: object) -> Model:
    """A random model of a published shape ("1.3b", "7b", ...) for measurements; its tokenizer has bytes as ids.

    dtype: "float32", "float16", "bfloat16", "int8" or "int4"; options: those of load().
    """
    return Model(_core.Engine.start(None, name, False, {"dtype": dtype, "seed": seed, **options}))
