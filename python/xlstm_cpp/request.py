"""The keywords of a request, as type checkers see them. The C++ side reads and checks them."""
from __future__ import annotations

from typing import Any, Literal, Mapping, Sequence, TypedDict, Union

Prompt = Union[str, Sequence[int], Sequence[Mapping[str, Any]]]


class RequestOptions(TypedDict, total=False):
    """What a request may say besides its prompt; None is as if it were not there.

    Length: `max_tokens` (128; -1: no limit), `min_tokens`, `stop` (texts that end it; not part of the text), `stop_ids`
    (ids that end it, besides those of the model), `ignore_eos` (those of the model do not end it).
    Sampling: `temperature` (1; 0 is greedy), `top_k` (0: off), `top_p` (1: off), `min_p` (0: off),
    `repetition_penalty`, `frequency_penalty`, `presence_penalty`, `penalty_window` (ids looked back at; -1: all),
    `logit_bias` ({id: added}; -inf bans), `seed` (0).
    Constraint, one of: `grammar` (GBNF), `regex`, `json_schema` (a dict or its text), `json_object`.
    Output: `logprobs` (n: of each id and of the n most probable), `echo` (the text begins with the prompt).
    """

    max_tokens: int
    min_tokens: int
    stop: str | Sequence[str]
    stop_ids: Sequence[int]
    ignore_eos: bool
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float
    penalty_window: int
    logit_bias: Mapping[int, float]
    seed: int
    grammar: str
    regex: str
    json_schema: Mapping[str, Any] | bool | str
    json_object: bool
    logprobs: int
    echo: bool


class ModelOptions(RequestOptions, total=False):
    """Of a Model alone: `resumable` (the completion's state goes on as if the request had never stopped; text that may
    yet become a stop string or a character is held back), `draft` ("ngram" or the directory of a smaller model: guesses
    that change the speed and nothing else), `draft_tokens` (guesses at a time, 1 to 15; 4)."""

    resumable: bool
    draft: str
    draft_tokens: int


class ServiceOptions(RequestOptions, total=False):
    """Of a Service alone: `priority` (the larger goes first), `num_samples` (sample i takes seed + i), `best_of` (so many
    are drawn, the best num_samples come back), `num_beams`, `length_penalty`, `early_stopping` (a beam search as
    transformers has it), `prompt_logprobs`, `use_cache` (True: the prefix cache), `exact_reuse` (only what gives the
    bits of an uncached run), `snapshots_at` (lengths of beginnings of the prompt to keep), `keep_state` (False: the
    completion has no state)."""

    priority: int
    num_samples: int
    best_of: int
    num_beams: int
    length_penalty: float
    early_stopping: bool | Literal["never"]
    prompt_logprobs: int
    use_cache: bool
    exact_reuse: bool
    snapshots_at: Sequence[int]
    keep_state: bool
