"""What calls of this package raise: one class a kind of fault, all of them `Error`."""


class Error(RuntimeError):
    """A fault of the engine, as one line: where, expected, found. `code` names its kind."""

    code = "internal"


class InvalidArgumentError(Error, ValueError):
    """An argument that no model takes: an id outside the vocabulary, a temperature below 0, a donated state."""

    code = "invalid_argument"


class UnsupportedError(Error, NotImplementedError):
    """Something that this model or this build cannot do."""

    code = "unsupported"


class NotFoundError(Error, FileNotFoundError):
    """A file or directory that is not there."""

    code = "not_found"


class CorruptFileError(Error, ValueError):
    """A file that is damaged or no such file."""

    code = "corrupt_file"


class OverloadedError(Error):
    """No memory, no room for a state, no room in the queue: later it may be possible."""

    code = "overloaded"


class CancelledError(Error):
    """The request was cancelled before there was a result, or its engine was closed."""

    code = "cancelled"


class InternalError(Error):
    """A broken promise of the engine, or numbers in a model that are not finite."""

    code = "internal"
