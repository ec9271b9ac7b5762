"""The C++ side of xlstm_cpp; use the package."""

from collections.abc import Callable, Sequence
import os

import numpy


class State:
    """
    What a model remembers of the tokens it has read: a value of a fixed size. No call changes it, except that
    one it is donated to takes it away; it is of use to the engine that made it alone (save() and
    load_state() carry it to another).
    """

    @property
    def nbytes(self) -> int:
        """
        Bytes of the state in the dtype it is kept in, whatever number of tokens it has read.
        """

    @property
    def tokens(self) -> list[int]:
        """Ids that it has read, oldest first."""

    @property
    def num_tokens(self) -> int:
        """How many these are."""

    @property
    def logits(self) -> numpy.ndarray | None:
        """
        Logits after the last id: float32 [vocab_size], a copy; None when nothing was read.
        """

    @property
    def aligned(self) -> bool:
        """
        Whether state and logits have the bits that one prefill of all tokens gives.
        """

    def fork(self) -> State:
        """
        A second State of the same value, in O(1): whoever reads a token first makes the copy.
        """

    def save(self, path: str | os.PathLike[str], *, zstd_level: int | None = None) -> None:
        """
        Writes a state file, whole or not at all; zstd_level 1 to 19 compresses it, None does not.
        Errors: InternalError (NaN in it), NotFoundError, InvalidArgumentError (the level).
        """

    def tensors(self) -> dict[str, numpy.ndarray]:
        """
        Copies of its tensors by name, float32 in the shapes of the reference implementation.
        """

    def __repr__(self) -> str: ...

class TokenLogProbs:
    """What is known about a token."""

    @property
    def logprob(self) -> float:
        """
        Natural logarithm of its probability under the model, before bias, penalties and temperature.
        """

    @property
    def top(self) -> list[tuple[int, float]]:
        """The most probable ids there with their log-probabilities, best first."""

    def __repr__(self) -> str: ...

class Timings:
    """Wall-clock seconds and rates of a request."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt that were read."""

    @property
    def generated_tokens(self) -> int:
        """Tokens drawn."""

    @property
    def prefill_seconds(self) -> float:
        """Seconds to read the prompt."""

    @property
    def decode_seconds(self) -> float:
        """Seconds from the first generated token to the last."""

    @property
    def time_to_first_token_seconds(self) -> float:
        """Seconds to the first token; 0 when there is none."""

    @property
    def prefill_tokens_per_second(self) -> float:
        """0 when nothing was read."""

    @property
    def decode_tokens_per_second(self) -> float:
        """Tokens after the first a second; 0 when there are none."""

class Completion:
    """What came of a request."""

    @property
    def text(self) -> str:
        """The generated text, without stop string and stop id."""

    @property
    def ids(self) -> list[int]:
        """Generated ids, a stop id included."""

    @property
    def finish_reason(self) -> str:
        """
        "length", "stop" (id, string, or nothing more that a constraint allows), "cancelled" or "drained".
        """

    @property
    def logprobs(self) -> list[TokenLogProbs]:
        """One TokenLogProbs an id when the request asked for them, else none."""

    @property
    def prompt_logprobs(self) -> list[TokenLogProbs | None]:
        """
        One an id of the prompt when the request asked for them; None for the first.
        """

    @property
    def timings(self) -> Timings:
        """Seconds and rates."""

    @property
    def state(self) -> State | None:
        """
        The State after prompt and all ids, or None when it was not kept (a Service keeps it on keep_state).
        The first access makes the model's step for the last id.
        """

    @property
    def logits(self) -> numpy.ndarray | None:
        """
        Logits after the last id: float32 [vocab_size], a copy; None without a state.
        """

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, cached ones included."""

    @property
    def cached_tokens(self) -> int:
        """
        Tokens that were not read again: of the given state, or of the prompt by the prefix cache.
        """

    @property
    def queue_seconds(self) -> float:
        """
        Seconds from submission to the first piece of the prompt; 0 for a Model.
        """

    @property
    def sample(self) -> int:
        """Its number among the samples drawn."""

    @property
    def score(self) -> float:
        """
        With best_of the mean log-probability of its ids, with num_beams the beam's score, else 0.
        """

    @property
    def others(self) -> list[Completion]:
        """The further samples of the same request, best first."""

    @property
    def draft(self) -> dict[str, int] | None:
        """
        Counts of speculative decoding: passes, steps, drafted, accepted; None without a draft.
        """

    def __repr__(self) -> str: ...

class Wakes:
    """Which handles have news for an event loop."""

    def take(self) -> list[int] | None:
        """Waits for keys that were armed; None: the engine was closed."""

class Handle:
    """A request on its way; letting it go cancels it."""

    @property
    def id(self) -> int:
        """Number of a service's request; 0 of a model's."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def cancel(self) -> None:
        """Ends it within a step."""

    def next_event(self, timeout: float | None = None) -> tuple[str | None, int | None, int] | None:
        """
        (text, id or None, sample) or (None, done, total) of the prompt; None at the end. Errors: TimeoutError.
        """

    def result(self, timeout: float | None = None) -> Completion:
        """
        Waits for the end, at most timeout seconds. Errors: TimeoutError, the request's own, CancelledError.
        """

    def arm(self, key: int) -> bool:
        """True: there is news. Else the next news gives key to the Wakes."""

def backend_names() -> list[str]:
    """Names of the backends in this build."""

class Engine:
    """One loaded model on a thread of its own."""

    @staticmethod
    def start(path: object | None, synthetic: object | None, many: bool, options: dict) -> Engine:
        """Loads a checkpoint, or makes a random model of the named shape."""

    def close(self) -> None:
        """Cancels what is left and ends the thread."""

    @property
    def is_open(self) -> bool:
        """Whether close() was not called yet."""

    @property
    def wakes(self) -> Wakes:
        """Which handles have news for an event loop."""

    def info(self) -> dict[str, int | str]:
        """Sizes, dtypes and arithmetic."""

    @property
    def source(self) -> str:
        """Where the model came from: a path, "embedded" or "synthetic NAME"."""

    @property
    def vocab_size(self) -> int:
        """Logits of a position."""

    @property
    def state_nbytes(self) -> int:
        """Bytes of one sequence's state."""

    def model_hash(self) -> str:
        """
        32 hex digits over config and every weight; the first call reads all weights.
        """

    def encode(self, text: str, bos: bool) -> list[int]:
        """Ids of a text; bos: begin with the BOS if the model wants one."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens kept; ill-formed UTF-8 becomes U+FFFD."""

    def token_bytes(self, id: int) -> bytes:
        """Bytes that one id stands for."""

    def find_token(self, text: str) -> int | None:
        """The id that stands for exactly this text."""

    def tokenizer_size(self) -> int:
        """Number of ids, added tokens included."""

    def tokenizer_kind(self) -> str:
        """"byte-level BPE" or "bytes"."""

    def tokenizer_hash(self) -> str:
        """Identity of vocabulary and rules: 32 hex digits."""

    def bos_id(self) -> int | None:
        """The id that a text begins with, if the model has one."""

    def eos_ids(self) -> list[int]:
        """Ids that end a text by default."""

    def has_chat_template(self) -> bool:
        """Whether the model has a chat template."""

    def render(self, request: str) -> str:
        """The text of a conversation by the model's chat template."""

    def new_state(self) -> State:
        """A State that has read nothing."""

    def prefill(self, tokens: Sequence[int], state: State | None, donate: bool, progress: Callable[[int, int], object] | None) -> tuple[numpy.ndarray, State]:
        """Reads tokens; logits [vocab_size] after the last."""

    def step(self, token: int, state: State, donate: bool) -> tuple[numpy.ndarray, State]:
        """Reads one token; logits [vocab_size] after it."""

    def load_state(self, path: str | os.PathLike[str]) -> State:
        """Reads a state file."""

    def generate(self, prompt: Sequence[int], state: State | None, donate: bool, options: dict[str, object], listen: bool) -> Handle:
        """Begins to generate; without listen the handle has no events."""

    def embed(self, tokens: Sequence[int], pooling: str, normalize: bool) -> numpy.ndarray:
        """float32 [embedding_dim]."""

    def perplexity(self, tokens: Sequence[int], progress: Callable[[int, int], object] | None) -> tuple[int, float, float]:
        """Tokens read, mean negative log-likelihood in nats, its exponential."""

    def submit(self, prompt: Sequence[int], state: State | None, options: dict[str, object], listen: bool) -> Handle:
        """Hands a request to the scheduler."""

    def drain(self) -> list[Rest]:
        """Ends every request so that it can go on elsewhere."""

    def resume(self, rest: Rest, listen: bool) -> Handle:
        """Goes on with a rest of this engine."""

    def resume_file(self, path: str | os.PathLike[str], prompt: Sequence[int], options: dict[str, object], listen: bool) -> Handle:
        """Goes on with a saved rest."""

    def stats_json(self) -> str:
        """Counters and histograms as one JSON object."""

    def serve_stats(self, path: str | os.PathLike[str]) -> None:
        """Opens a Unix socket for `xlstm top`."""

class Rest:
    """What is left of a request that drain() ended."""

    @property
    def id(self) -> int:
        """Of the request (Handle.id)."""

    @property
    def sample(self) -> int:
        """Which of its samples."""

    @property
    def prompt(self) -> list[int]:
        """Ids of the prompt that are not read yet."""

    @property
    def tokens(self) -> list[int]:
        """
        Ids that its state has read; none: it had not begun, and save() has nothing to keep.
        """

    @property
    def max_tokens(self) -> int:
        """How many tokens it may still draw; -1: no limit."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Writes a state file for Service.resume() of another process, which must be given prompt, max_tokens and the
        request's own options again. Errors: InvalidArgumentError (it had not begun).
        """
