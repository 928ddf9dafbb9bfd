"""What holds for every window of a model."""

from dataclasses import dataclass
from typing import Any

from asr.decoding.stepper import Suppression
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.tokenizer import Tokenizer

LONGEST_PROMPT = 4  # tokens


@dataclass(frozen=True)
class Rules:
    """What holds for every window of a model: its tokens, what may not be written, the longest text in tokens."""

    tokenizer: Tokenizer
    suppression: Suppression
    max_tokens: int

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: Any = "cpu") -> "Rules":
        return cls(checkpoint.tokenizer, Suppression.of(checkpoint, device), checkpoint.model.dims.n_text_ctx // 2)

    @property
    def context(self) -> int:
        """The most tokens that a sequence may have, with its prompt."""
        return self.max_tokens + LONGEST_PROMPT
