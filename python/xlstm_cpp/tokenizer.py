"""Text <-> ids."""
from __future__ import annotations

from typing import Sequence

from . import _core


class Tokenizer:
    """Of a loaded model; immutable.

    >>> import xlstm_cpp
    >>> with xlstm_cpp.load() as model:
    ...     tokenizer = model.tokenizer
    ...     tokenizer.decode(tokenizer.encode("To be", bos=False))
    'To be'
    """

    def __init__(self, core: _core.Engine):
        self._core = core

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Ids of a text. bos: begin with the BOS if the model wants one and the text does not begin with it. Special
        tokens written in the text are parsed as such."""
        return self._core.encode(text, bos)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens kept; ill-formed UTF-8 becomes U+FFFD. Raises InvalidArgumentError for an id
        outside the tokenizer."""
        return self._core.decode(ids)

    def token_bytes(self, id: int) -> bytes:
        """The bytes that one id stands for, which need not be whole characters."""
        return self._core.token_bytes(id)

    def find(self, text: str) -> int | None:
        """The id that stands for exactly this text."""
        return self._core.find_token(text)

    @property
    def vocab_size(self) -> int:
        """Number of ids, added tokens included."""
        return self._core.tokenizer_size()

    def __len__(self) -> int:
        return self.vocab_size

    @property
    def bos(self) -> int | None:
        """The id that a text begins with, if the model has one."""
        return self._core.bos_id()

    @property
    def eos(self) -> list[int]:
        """Ids that end a text by default."""
        return self._core.eos_ids()

    @property
    def kind(self) -> str:
        """What it is: "byte-level BPE" or "bytes"."""
        return self._core.tokenizer_kind()

    @property
    def hash(self) -> str:
        """Identity of vocabulary and rules: 32 hex digits."""
        return self._core.tokenizer_hash()
