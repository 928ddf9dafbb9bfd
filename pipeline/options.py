"""What can be set of the model and of recognition: by a server's settings, which are more, or by a program's own."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from asr.languages import LANGUAGES, parse_language
from asr.runtime.precision import AUTO_INSTRUCTIONS, Precision
from asr.transcript import UNSURE_BELOW


class RecognitionOptions(BaseModel):
    """The model, where it is computed and how; what recognition gives."""

    model: str = Field(
        "base",
        min_length=1,
        description="Packaged model (base, tiny.en), folder in the Hugging Face layout, OpenAI .pt file, or hub id.",
    )
    languages: Annotated[tuple[str, ...], NoDecode] = Field(
        ("en",),
        min_length=1,
        description="Languages that are spoken, comma-separated; detection chooses among them.",
    )
    hub_cache: Path | None = Field(None, description="Where models from the Hugging Face hub are kept.")
    offline: bool = Field(False, description="Never ask the Hugging Face hub; use what is in the cache.")
    replicas: int = Field(
        0, ge=0, le=64, description="Engines that share the model's work; 0: one per GPU, or as many as the cores feed."
    )
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of each replica; 0: its share of the cores.")
    precision: Precision = Field(
        Precision.AUTO,
        description="Arithmetic: auto (the fastest that loses no accuracy), float32, bfloat16 or int8 (CPU only).",
    )
    unsure_below: float = Field(
        UNSURE_BELOW,
        ge=0,
        le=1,
        description="Confidence below which what was heard is called unsure: results come only where they are wanted.",
    )
    whole_windows: bool = Field(
        False, description="Encode 30 seconds for every clip, however short, as Whisper was trained: much slower."
    )
    instructions: str = Field(
        AUTO_INSTRUCTIONS,
        min_length=1,
        description="Kernels that the CPU computes int8 with: auto (the fastest, which is measured once), or one of "
        "those that sayseek-server models --measure shows.",
    )
    cache: Path | None = Field(
        None, description="Where measurements of this machine are kept; by default sayseek in the user's cache folder."
    )
    max_audio_seconds: float = Field(120.0, gt=0, le=3600, description="Longest clip, in seconds once decoded.")
    expected_names: int = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="Titles that the decoder reads for beside the transcript, so that they are found; a catalogue with "
        "more has none read for, and 0 none at all.",
    )

    @field_validator("languages", mode="before")
    @classmethod
    def _split_languages(cls, value: object) -> object:
        return split_at_commas(value)

    @field_validator("languages")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Whisper's languages; whether the model knows one is found out when it is loaded."""
        value = tuple(dict.fromkeys(parse_language(name) or name for name in value))
        if unknown := [code for code in value if code not in LANGUAGES]:
            raise ValueError(
                f"Whisper does not know the language {unknown[0]!r}; it knows: {', '.join(sorted(LANGUAGES))}"
            )
        return value


def split_at_commas(value: object) -> object:
    """The parts of a text, in lower case and without blanks around them; what is no text as it is."""
    if isinstance(value, str):
        return tuple(part.strip().lower() for part in value.split(",") if part.strip())
    return value
