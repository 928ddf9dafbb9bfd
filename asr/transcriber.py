"""Encoded audio → `Transcript`: decoding, the gate, features, the engine, and windows for long audio.

`prepare` is the work that needs no model: it runs in the caller's thread, so that clips are made ready while the
engine is busy. A program that has nothing else to do meanwhile calls `transcribe`, which is all the steps.
"""

from dataclasses import dataclass, replace

from torch import Tensor

from asr.audio import Audio, AudioLimits, decode_audio
from asr.decoding import DecodedWindow, DecodingOptions, Reading
from asr.engine import DecodedClip, Engine
from asr.features import log_mel_spectrogram
from asr.quality import Gate
from asr.transcript import Hypothesis, Quality, Timings, Transcript, Verdict
from asr.windows import split_at_pauses


@dataclass(frozen=True)
class Prepared:
    """A clip made ready for the engine: windows of log-mel, each (n_mels, 3000); none where there is no speech."""

    quality: Quality
    windows: tuple[Tensor, ...]


class Transcriber:
    """Turns clips into transcripts with the model of one engine.

    `languages` are those that are spoken here, ISO 639-1: detection chooses among them. Raises UnknownLanguage
    for one that the model was not trained on.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        languages: tuple[str, ...] = ("en",),
        limits: AudioLimits = AudioLimits(),
        gate: Gate | None = None,
    ) -> None:
        self.engine = engine
        self.languages = languages
        self.limits = limits
        self.gate = gate or Gate()
        for language in languages:
            self.check_language(language)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.engine.checkpoint.name

    def check_language(self, language: str) -> None:
        """Raises UnknownLanguage for a language that the model was not trained on."""
        self.engine.checkpoint.tokenizer.language_token(language)

    def options(self, language: str | None = None, alternatives: int = 0) -> DecodingOptions:
        """Raises UnknownLanguage for a language that the model was not trained on."""
        if language is not None:
            self.check_language(language)
        return DecodingOptions(language, self.languages, alternatives)

    def prepare(self, data: bytes) -> Prepared:
        """Decode a clip, measure it and cut it into windows. Raises InvalidAudio and AudioTooLong."""
        return self.prepare_audio(decode_audio(data, self.limits))

    def prepare_audio(self, audio: Audio) -> Prepared:
        quality, speech = self.gate.inspect(audio.samples)
        if quality.verdict not in (Verdict.OK, Verdict.CLIPPED):
            return Prepared(quality, ())
        n_mels = self.engine.checkpoint.model.dims.n_mels
        windows = split_at_pauses(audio.samples, speech)
        return Prepared(quality, tuple(log_mel_spectrogram(window, n_mels) for window in windows))

    def assemble(self, prepared: Prepared, clip: DecodedClip | None) -> Transcript:
        """The transcript of a prepared clip; `clip` is the engine's answer, or None when it was not asked."""
        windows = clip.windows if clip else ()
        heard = [window for window in windows if not self.gate.is_invented(window)]
        if not heard:
            return self._nothing_heard(prepared.quality, clip)
        text, confidence = _joined([window.best for window in heard])
        alternatives = heard[0].alternatives if len(heard) == 1 else ()
        return Transcript(
            text=text,
            language=heard[0].language,
            confidence=confidence,
            duration=prepared.quality.duration,
            alternatives=_distinct(alternatives, besides=text),
            quality=prepared.quality,
            timings=_timings(clip),
        )

    def transcribe(self, data: bytes, options: DecodingOptions | None = None) -> Transcript:
        """Everything in one call, which waits for the answer."""
        prepared = self.prepare(data)
        if not prepared.windows:
            return self.assemble(prepared, None)
        return self.assemble(prepared, self.engine.submit(prepared.windows, options or self.options()).result())

    def _nothing_heard(self, quality: Quality, clip: DecodedClip | None) -> Transcript:
        if quality.verdict in (Verdict.OK, Verdict.CLIPPED):
            quality = replace(quality, verdict=Verdict.NO_SPEECH)
        return Transcript("", self.languages[0], 0.0, quality.duration, (), quality, _timings(clip))


def _joined(readings: list[Reading]) -> tuple[str, float]:
    """The text of a clip's windows, and the geometric mean of all their tokens' probabilities."""
    tokens = sum(len(reading.tokens) + 1 for reading in readings)
    mean = sum(reading.avg_logprob * (len(reading.tokens) + 1) for reading in readings) / tokens
    whole = replace(readings[0], avg_logprob=mean)
    return " ".join(reading.text for reading in readings if reading.text), whole.confidence


def _distinct(readings: tuple[Reading, ...], besides: str) -> tuple[Hypothesis, ...]:
    """Readings that differ in words, not only in case and punctuation, from each other and from `besides`."""
    seen = {_words(besides), ""}
    hypotheses = []
    for reading in readings:
        if (words := _words(reading.text)) not in seen:
            seen.add(words)
            hypotheses.append(Hypothesis(reading.text, reading.confidence))
    return tuple(hypotheses)


def _words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in text.casefold()).split())


def _timings(clip: DecodedClip | None) -> Timings:
    windows: tuple[DecodedWindow, ...] = clip.windows if clip else ()
    return Timings(
        queue=clip.queue_seconds if clip else 0.0,
        encode=sum(window.encode_seconds for window in windows),
        decode=sum(window.decode_seconds for window in windows),
    )
