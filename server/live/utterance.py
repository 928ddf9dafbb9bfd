"""An utterance that is over."""

from dataclasses import dataclass


@dataclass(frozen=True)
class UtteranceSpan:
    """Where it lies in its stream, in seconds.

    Its last word ends at about `speech_end`. One that `is_cut` is too long, and goes on in the next; one that is
    `cut_off` might have gone on, but the server is going down.
    """

    start: float
    end: float
    speech_end: float
    is_cut: bool = False
    cut_off: bool = False
