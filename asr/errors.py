"""What can go wrong in recognition. `AsrError` is the root; the server maps each leaf to one answer."""


class AsrError(Exception):
    """Root of every error this package raises on purpose."""


class InvalidAudio(AsrError):
    """The bytes are not audio that can be read; the message says how to mend it."""


class AudioTooLong(AsrError):
    """The audio decodes to more seconds than are allowed."""


class CheckpointError(AsrError):
    """A model cannot be found, read or trusted; the message says how to mend it."""


class UnknownLanguage(AsrError):
    """A language that the model was not trained on was asked for."""


class EngineBusy(AsrError):
    """The engine's queue is full."""


class EngineClosed(AsrError):
    """The engine is shutting down and takes no more work."""


class RecognitionFailed(AsrError):
    """The model failed on a clip; what it raised is the cause."""
