"""What was heard, as `Results` messages."""

from collections.abc import Iterable, Sequence

from asr.decoding.stable_prefix import Partial
from asr.transcript import Transcript, Verdict
from search.voice.query import VoiceSearchResult
from server.live.protocol import Alternative, Channel, Found, Results, ResultsMetadata, Timings, Word
from server.live.recogniser import UtteranceResult
from server.live.utterance import UtteranceSpan
from server.schemas import SearchResult


def interim(partial: Partial, heard: UtteranceResult, start: float, end: float, metadata: ResultsMetadata) -> Results:
    """How an utterance reads so far; `start` and `end` are in seconds."""
    words = _words(partial.text, start, end, heard.transcript)
    best = Alternative(transcript=partial.text, confidence=round(heard.transcript.confidence, 4), words=words)
    return Results(
        start=round(start, 3),
        duration=round(end - start, 3),
        is_final=False,
        speech_final=False,
        channel=Channel(alternatives=[best]),
        stable=partial.stable,
        search=_found(heard.found),
        metadata=metadata,
    )


def final(
    spoken: UtteranceSpan,
    heard: UtteranceResult | None,
    metadata: ResultsMetadata,
    *,
    from_finalize: bool,
    waited: float,
) -> Results:
    """What an utterance says; empty where nothing was heard. It was ready `waited` seconds after the end."""
    return Results(
        start=round(spoken.start, 3),
        duration=round(spoken.end - spoken.start, 3),
        is_final=True,
        speech_final=not (spoken.is_cut or spoken.cut_off),
        cut_off=spoken.cut_off or None,
        from_finalize=from_finalize,
        unsure=(heard is not None and heard.transcript.quality.verdict is Verdict.UNSURE) or None,
        channel=Channel(alternatives=_alternatives(spoken, heard.transcript if heard else None)),
        search=_found(heard.found) if heard else None,
        timings=_timings(heard, waited) if heard else None,
        metadata=metadata,
    )


def _alternatives(spoken: UtteranceSpan, transcript: Transcript | None) -> list[Alternative]:
    if transcript is None:
        return [Alternative(transcript="", confidence=0.0, words=[])]
    words = _words(transcript.text, spoken.start, spoken.speech_end, transcript)
    best = Alternative(transcript=transcript.text, confidence=round(transcript.confidence, 4), words=words)
    others = [
        Alternative(transcript=other.text, confidence=round(other.confidence, 4), words=[])
        for other in transcript.alternatives
    ]
    return [best, *others]


def _words(text: str, start: float, end: float, transcript: Transcript) -> list[Word]:
    """The words of a text, each with its share of the time from `start` to `end` seconds."""
    words = text.split()
    seconds = max(0.0, end - start) / max(1, sum(len(word) for word in words))
    spans = _spans(words, start, seconds)
    return [
        Word(
            word=_bare(word),
            punctuated_word=word,
            start=round(begin, 3),
            end=round(stop, 3),
            confidence=round(confidence, 4),
        )
        for word, (begin, stop), confidence in zip(words, spans, _confidences(words, transcript), strict=True)
    ]


def _confidences(words: list[str], transcript: Transcript) -> Sequence[float]:
    """How sure the model is of each word; where an interim keeps other words than it heard last, of all together."""
    if len(words) == len(transcript.word_confidences):
        return transcript.word_confidences
    return [transcript.confidence] * len(words)


def _spans(words: list[str], start: float, seconds_per_character: float) -> Iterable[tuple[float, float]]:
    for word in words:
        end = start + seconds_per_character * len(word)
        yield start, end
        start = end


def _bare(word: str) -> str:
    return word.strip('.,;:!?…"“”()[]¿¡').lower() or word


def _found(found: VoiceSearchResult | None) -> Found | None:
    if found is None:
        return None
    return Found(query=found.query, results=[SearchResult.of(result) for result in found.page.results])


def _timings(heard: UtteranceResult, waited: float) -> Timings:
    milliseconds = {f"{stage}_ms": round(1000 * seconds, 1) for stage, seconds in heard.stages.items()}
    return Timings(**milliseconds, wait_ms=round(1000 * waited, 1))
