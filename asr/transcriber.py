"""Encoded audio → `Transcript`: decoding, the gate, windows, the engine for long audio.

`prepare` is the work that needs no model: it runs in the caller's thread, so that clips are made ready while the
engine is busy. A program that has nothing else to do meanwhile calls `transcribe`, which is all the steps.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from asr.audio.decode import Audio, Samples, decode_audio
from asr.audio.quality import Gate
from asr.audio.windows import LONG_PAUSE_FRAMES, split_at_pauses, spoken_stretches
from asr.decoding.hallucination import is_hallucination
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions, Reading
from asr.engine.engine import Engine
from asr.engine.jobs import DecodedClip
from asr.engine.replicas import Replicas
from asr.transcript import UNSURE_BELOW, Hypothesis, Quality, Timings, Transcript, Verdict
from asr.whisper.tokenizer import Tokenizer
from vad.frames import FRAME_SAMPLES


@dataclass(frozen=True)
class Prepared:
    """A clip made ready for the engine: windows of samples at 16 kHz; none where there is no speech.

    `seconds` is how long that took.
    """

    quality: Quality
    windows: tuple[Samples, ...]
    seconds: float


class Transcriber:
    """Turns clips into transcripts with the model of an engine or its replicas; `decode` reads their bytes.

    `languages` are those that are spoken here, ISO 639-1: detection chooses among them. Raises UnknownLanguage
    for one that the model was not trained on. A text with less confidence than `unsure_below` has the verdict UNSURE.
    """

    def __init__(
        self,
        engine: Engine | Replicas,
        *,
        languages: tuple[str, ...] = ("en",),
        decode: Callable[[bytes], Audio] = decode_audio,
        gate: Gate | None = None,
        unsure_below: float = UNSURE_BELOW,
    ) -> None:
        self.engine = engine
        self.languages = languages
        self._decode = decode
        self.gate = gate or Gate()
        self._unsure_below = unsure_below
        for language in languages:
            self.check_language(language)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.engine.checkpoint.name

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        return self.engine.checkpoint.tokenizer

    def check_language(self, language: str) -> None:
        """Raises UnknownLanguage for a language that the model was not trained on."""
        self.tokenizer.language_token(language)

    def options(self, language: str | None = None, alternatives: int = 0) -> DecodingOptions:
        """Raises UnknownLanguage for a language that the model was not trained on."""
        if language is not None:
            self.check_language(language)
        return DecodingOptions(language, self.languages, alternatives)

    def prepare(self, data: bytes) -> Prepared:
        """Decode a clip, measure it and cut it into windows. Raises InvalidAudio and AudioTooLong."""
        started = time.monotonic()
        return self.prepare_audio(self._decode(data), started)

    def prepare_audio(self, audio: Audio, started: float | None = None, *, is_utterance: bool = False) -> Prepared:
        """Measure audio and cut it into windows; `started` tells when work on it began, if before now.

        What is known to be one utterance is not cut at its pauses, as long as it fits a window.
        """
        started = time.monotonic() if started is None else started
        quality, speech = self.gate.inspect(audio)
        longest_pause = len(speech) if is_utterance else LONG_PAUSE_FRAMES
        windows = self._windows(audio.samples, speech, longest_pause) if quality.verdict.worth_recognising else []
        return Prepared(quality, tuple(windows), time.monotonic() - started)

    def _windows(self, samples: Samples, speech: npt.NDArray[np.bool_], longest_pause: int) -> list[Samples]:
        if self.engine.whole_windows:
            return split_at_pauses(samples, speech)
        return [
            window
            for first, last in spoken_stretches(speech, longest_pause=longest_pause)
            for window in split_at_pauses(samples[first * FRAME_SAMPLES : last * FRAME_SAMPLES], speech[first:last])
        ]

    def assemble(
        self, prepared: Prepared, options: DecodingOptions, clip: DecodedClip | None, *, is_partial: bool = False
    ) -> Transcript:
        """The transcript of a prepared clip; `clip` is the engine's answer, or None when it was not asked.

        `is_partial`: the speaker has just begun, so that the model's doubt whether this is speech does not count; nor
        does it in a first window of which the options say how it begins.
        """
        windows = clip.windows if clip else ()
        known = windows[:1] if options.stable or options.forced else ()
        heard = [*known, *(w for w in windows[len(known) :] if not is_hallucination(w, is_partial=is_partial))]
        if not heard:
            return _nothing_heard(prepared, options, clip)
        text, confidence = _joined([window.best for window in heard])
        alternatives = heard[0].alternatives if len(heard) == 1 else ()
        is_unsure = confidence < self._unsure_below and not is_partial
        quality = replace(prepared.quality, verdict=Verdict.UNSURE) if is_unsure else prepared.quality
        return Transcript(
            text=text,
            language=heard[0].language,
            confidence=confidence,
            duration=prepared.quality.duration,
            alternatives=_distinct(alternatives, besides=text),
            quality=quality,
            timings=_timings(prepared, clip),
            word_confidences=tuple(sure for window in heard for sure in window.best.word_confidences),
            word_rarities=self.tokenizer.rarities(text.split()),
            ending=heard[-1].ending,
            biased=_distinct(heard[0].biased, besides=text) if len(heard) == 1 else (),
        )

    def transcribe(self, data: bytes, options: DecodingOptions | None = None) -> Transcript:
        """Everything in one call, which waits for the answer."""
        options = options or self.options()
        prepared = self.prepare(data)
        clip = self.engine.submit(prepared.windows, options).result() if prepared.windows else None
        return self.assemble(prepared, options, clip)


def _nothing_heard(prepared: Prepared, options: DecodingOptions, clip: DecodedClip | None) -> Transcript:
    quality = prepared.quality
    if quality.verdict.worth_recognising:  # the model was asked, and heard nothing
        quality = replace(quality, verdict=Verdict.NO_SPEECH)
    language = options.language or options.languages[0]
    return Transcript(options.stable, language, 0.0, quality.duration, (), quality, _timings(prepared, clip))


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


def _timings(prepared: Prepared, clip: DecodedClip | None) -> Timings:
    windows: tuple[DecodedWindow, ...] = clip.windows if clip else ()
    return Timings(
        audio=prepared.seconds,
        queue=clip.queue_seconds if clip else 0.0,
        encode=sum(window.encode_seconds for window in windows),
        decode=sum(window.decode_seconds for window in windows),
    )
