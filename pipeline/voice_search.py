"""A spoken query, from its sound to results: which steps are taken, in which order.

`voice_search_steps` is a generator without I/O. It yields the next step, and is sent what came of it; whoever drives it
decides in which thread a step blocks and how a future is waited for. `run` drives it in the caller's thread, for
evaluations and benchmarks; the server drives it in its event loop (`server.driver`). So all of them take the same
steps.
"""

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from asr.decoding.contextual_bias import PhraseTrie
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.jobs import DecodedClip
from asr.transcriber import Prepared, Transcriber
from asr.transcript import Likelihood, Transcript, Verdict
from search.index import SearchIndex
from search.result import SearchOptions, SearchPage
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, VoiceSearchResult, propose_rewrites, search_rewrites

DEFAULT_ALTERNATIVES = 3
READINGS_BESIDE = 6  # each may sound more like the name that was said
READINGS_BESIDE_NAMES = 4  # where one is nudged towards the catalogue's names, too
READINGS_WITH_NAMES = 1  # with two, none of 300 queries more was right

T = TypeVar("T")


@dataclass(frozen=True)
class Prepare:
    """Blocking work on audio, without the model."""

    call: Callable[[], Prepared]


@dataclass(frozen=True)
class Wait:
    """The engine is at work."""

    future: Future[Any]


@dataclass(frozen=True)
class Search:
    """Blocking work on the index."""

    call: Callable[[SearchIndex], Any]


Step = Prepare | Wait | Search
Steps = Generator[Step, Any, T]


@dataclass(frozen=True)
class VoiceQuery:
    """How a clip is to be recognised and searched for.

    decoding: language, keywords, alternatives that are wanted.
    search: page, filters and facets; None: the clip is only recognised.
    names: titles of the catalogue that the decoder is to expect.
    unsure_results: search, too, for a text whose verdict is UNSURE.
    is_interim: the speaker goes on; the clip waits for others, and its text alone is searched for.
    """

    decoding: DecodingOptions
    search: SearchOptions | None = None
    names: PhraseTrie | None = None
    unsure_results: bool = False
    is_interim: bool = False

    @property
    def decoding_for_search(self) -> DecodingOptions:
        """The decoding, with the readings beside the transcript that searching for what was meant needs.

        One of them is biased towards the catalogue's names, unless keywords are given, which go before them.
        """
        if self.search is None or self.is_interim:
            return self.decoding
        is_biased = self.names is not None and self.decoding.bias is None
        beside = READINGS_BESIDE_NAMES if is_biased else READINGS_BESIDE
        options = replace(self.decoding, alternatives=max(self.decoding.alternatives, beside), keeps_audio=True)
        return replace(options, bias=self.names, biased_readings=READINGS_WITH_NAMES) if is_biased else options


@dataclass(frozen=True)
class Searched:
    """What was found, and the names that were put before the acoustic model on the way."""

    results: VoiceSearchResult
    proposal: Proposal


@dataclass(frozen=True)
class VoiceSearchOutcome:
    """What a clip says and what is found for it.

    transcript: has all readings that searching needed.
    searched: None where nothing was to be searched.
    search_began: the `time.monotonic()` at which the transcript was there.
    """

    transcript: Transcript
    searched: Searched | None
    search_began: float

    def stages(self, began: float) -> dict[str, float]:
        """Where the seconds from `began` until now went; "queue" is waiting: for a place, a thread, the engine."""
        now = time.monotonic()
        timings = self.transcript.timings
        stages = {"audio": timings.audio, "encode": timings.encode, "decode": timings.decode}
        stages["search"] = now - self.search_began
        stages["queue"] = max(0.0, now - began - sum(stages.values()))
        return stages


def voice_search_steps(
    transcriber: Transcriber, prepare: Callable[[], Prepared], query: VoiceQuery
) -> Steps[VoiceSearchOutcome]:
    """Recognise what `prepare` makes ready, and search for it. Errors of the steps pass through."""
    transcript, clip = yield from recognise(transcriber, prepare, query.decoding_for_search, query.is_interim)
    search_began = time.monotonic()
    searched = None
    if query.search is not None:
        searched = yield from search_recognised(transcript, clip, query.search, unsure_results=query.unsure_results)
    return VoiceSearchOutcome(transcript, searched, search_began)


def recognise(
    transcriber: Transcriber, prepare: Callable[[], Prepared], options: DecodingOptions, is_interim: bool = False
) -> Steps[tuple[Transcript, DecodedClip | None]]:
    """Give the transcript and, where there was any speech, the engine's answer."""
    prepared: Prepared = yield Prepare(prepare)
    clip: DecodedClip | None = None
    if prepared.windows:
        clip = yield Wait(transcriber.engine.submit(prepared.windows, options, deferrable=is_interim))
    return transcriber.assemble(prepared, options, clip, is_partial=is_interim), clip


def search_recognised(
    transcript: Transcript, clip: DecodedClip | None, options: SearchOptions, *, unsure_results: bool = False
) -> Steps[Searched]:
    """Search for what was meant: names that sound like it are proposed, and the acoustic model scores them.

    Of a clip of several windows no audio is kept: there the sound of its text decides about names. Nothing is searched
    for where there is no text, nor for an unsure one, unless `unsure_results`.
    """
    proposal = Proposal(RecognisedText(transcript.text))
    is_unsure = transcript.quality.verdict is Verdict.UNSURE
    if not transcript.text or (is_unsure and not unsure_results):
        return Searched(VoiceSearchResult("", SearchPage([])), proposal)
    likelihoods: dict[str, Likelihood] = {}
    if clip is not None and (clip.score or len(clip.windows) > 1):
        proposal = yield Search(partial(propose_rewrites, transcript, filters=options.filters))
        if clip.score and proposal.texts:
            scores = yield Wait(clip.score(proposal.texts))
            likelihoods = dict(zip(proposal.texts, scores, strict=True))
    results: VoiceSearchResult = yield Search(
        partial(search_rewrites, proposal, options=options, likelihoods=likelihoods)
    )
    return Searched(results, proposal)


def run(steps: Steps[T], index: SearchIndex | None = None) -> T:
    """Take all steps in the caller's thread, and give what comes of them; `index` is what is searched."""
    came: Any = None
    with closing(steps):
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                outcome: T = end.value
                return outcome
            came = take(step, index)


def take(step: Step, index: SearchIndex | None) -> Any:
    """Take one step and wait for what comes of it. Raises ValueError where it needs an index and there is none."""
    match step:
        case Prepare(call):
            return call()
        case Wait(future):
            return future.result()
        case Search(call):
            if index is None:
                raise ValueError("there is no index to search")
            return call(index)
