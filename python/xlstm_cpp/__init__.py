"""xLSTM language models: states as values, one request or many at once (docs/python.md).

>>> import xlstm_cpp
>>> model = xlstm_cpp.load()
>>> model.generate("In the beginning God", max_tokens=4, temperature=0).finish_reason
'length'
>>> model.close()
"""
from ._core import Completion, Rest, State, Timings, TokenLogProbs, backend_names
from .errors import (
    CancelledError,
    CorruptFileError,
    Error,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    OverloadedError,
    UnsupportedError,
)
from .handle import Handle, Piece
from .model import Model, Perplexity, load, synthetic
from .request import ModelOptions, RequestOptions, ServiceOptions
from .service import Service
from .tokenizer import Tokenizer

__version__ = "0.1.0"

__all__ = [
    "CancelledError",
    "Completion",
    "CorruptFileError",
    "Error",
    "Handle",
    "InternalError",
    "InvalidArgumentError",
    "Model",
    "ModelOptions",
    "NotFoundError",
    "OverloadedError",
    "Perplexity",
    "Piece",
    "RequestOptions",
    "Rest",
    "Service",
    "ServiceOptions",
    "State",
    "Timings",
    "TokenLogProbs",
    "Tokenizer",
    "UnsupportedError",
    "backend_names",
    "load",
    "synthetic",
]
