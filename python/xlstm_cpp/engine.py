"""What a Model and a Service have in common: text, ids, states, facts."""
from __future__ import annotations

import atexit
import json
import os
import weakref
from typing import TYPE_CHECKING, Any, Mapping, Sequence, cast

import numpy as np

from . import _core
from .errors import Error
from .handle import Loops
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._core import State
    from .request import Prompt


# Ended before the interpreter is, while their threads can still be waited for.
_open: weakref.WeakSet[_core.Engine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for core in list(_open):
        core.close()


class EngineBase:
    """One loaded model on a thread of its own. Use from any thread; calls take turns.

    A context manager: `close()` at its end. In a process that was forked off, every call raises UnsupportedError.
    """

    def __init__(self, core: _core.Engine):
        self._core = core
        self._loops = Loops(core.wakes)
        self._tokenizer = Tokenizer(core)
        _open.add(core)

    def __repr__(self) -> str:
        try:
            return f"<xlstm_cpp.{type(self).__name__}: {self.source}>"
        except Error:
            return f"<xlstm_cpp.{type(self).__name__}: closed>"

    def close(self) -> None:
        """Cancels what is left and ends the engine's thread; later calls raise. Twice is once."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def tokenizer(self) -> Tokenizer:
        """Text <-> ids."""
        return self._tokenizer

    @property
    def info(self) -> dict[str, int | str]:
        """Sizes, dtypes, backend and arithmetic, by name."""
        return self._core.info()

    @property
    def source(self) -> str:
        """Where the model came from: a path, "embedded" or "synthetic NAME"."""
        return self._core.source

    @property
    def vocab_size(self) -> int:
        """V: logits of a position. The tokenizer may have fewer ids."""
        return self._core.vocab_size

    @property
    def state_nbytes(self) -> int:
        """Bytes of one State."""
        return self._core.state_nbytes

    @property
    def arithmetic(self) -> str:
        """What computes the bits: backend, CPU target, activation dtype and segment."""
        return cast(str, self._core.info()["arithmetic"])

    @property
    def hash(self) -> str:
        """32 hex digits over config and every weight; the first use reads all weights."""
        return self._core.model_hash()

    def load_state(self, path: str | os.PathLike[str]) -> State:
        """The State that `State.save` wrote, in any process, to the bit.

        Raises NotFoundError, CorruptFileError (damage), InvalidArgumentError (another model or tokenizer).
        """
        return self._core.load_state(path)

    def embed(self, prompt: Prompt, *, pooling: str = "mean", normalize: bool = False) -> np.ndarray:
        """The hidden states behind the final norm as one vector: float32 [embedding_dim].

        pooling: "mean" or "last"; normalize: to length 1. Raises UnsupportedError on the backend "mlx".
        """
        return self._core.embed(self._ids(prompt), pooling, normalize)

    def score(self, prompt: Prompt) -> np.ndarray:
        """Log-probability of each token given those before it: float64 [T - 1], in nats. The first token (the BOS of a
        text) is not predicted.

        >>> import xlstm_cpp
        >>> with xlstm_cpp.load() as model:
        ...     model.score("In the beginning God").shape == (len(model.tokenizer.encode("In the beginning God")) - 1,)
        True
        """
        options = {"prompt_logprobs": 0, "max_tokens": 0, "use_cache": False}
        found = self._core.submit(self._ids(prompt), None, options, False).result().prompt_logprobs
        return np.fromiter((token.logprob for token in found if token is not None), np.float64)

    @property
    def has_chat_template(self) -> bool:
        """Whether messages can be a prompt."""
        return self._core.has_chat_template()

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        continue_final_message: bool | str = False,
        template: str = "",
        **variables: Any,
    ) -> str:
        """The text of a conversation, as the model's chat template writes it (docs/chat_templates.md).

        continue_final_message: True, or the field of the last message that the answer goes on with; template: which of
        several; variables: further ones. Give the text to `generate` or `tokenizer.encode`.
        Raises UnsupportedError (no template), InvalidArgumentError (what the template refuses, with line and column).
        """
        field = "content" if continue_final_message is True else continue_final_message or ""
        request = {"messages": messages, "tools": tools, "documents": documents, "template_name": template,
                   "add_generation_prompt": add_generation_prompt and not field, "continue_final_message": field,
                   "variables": variables or None}
        return self._core.render(json.dumps(request))

    def _ids(self, prompt: Prompt | None, fresh: bool = True) -> Sequence[int]:
        """Ids of a text (with BOS where a fresh text begins), of messages, or those given; none of None."""
        if prompt is None:
            return []
        if isinstance(prompt, str):
            return self.tokenizer.encode(prompt, bos=fresh)
        if not hasattr(prompt, "__len__") or not hasattr(prompt, "__getitem__"):
            raise TypeError(f"prompt: expected a str, ids or messages but got {type(prompt).__name__}")
        if len(prompt) > 0 and isinstance(prompt[0], Mapping):
            messages = cast("Sequence[Mapping[str, Any]]", prompt)
            return self.tokenizer.encode(self.apply_chat_template(messages), bos=fresh)
        return cast("Sequence[int]", prompt)
