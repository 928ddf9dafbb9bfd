"""A listener's conversation with the real parts, but for a recogniser that mishears while somebody speaks."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from starlette.testclient import TestClient

from asr.audio.pcm_stream import Pcm
from asr.decoding.stable_prefix import begins_with
from search.result import SearchOptions
from server.live.interims import OVERDUE_SECONDS, PACE_SECONDS, Interims
from server.live.options import ListenOptions
from server.live.protocol import ModelInfo, Results, ResultsMetadata, ServerMessage
from server.live.recogniser import Recogniser, UtteranceResult
from server.live.utterances import Utterances
from server.services import Services
from vad.endpointer import EndpointerOptions
from vad.utterances import SAMPLE_RATE, UtteranceStream

MISHEARD = "Please"
MESSAGE_SECONDS = 0.1
CHOP_SECONDS = 0.25
METADATA = ResultsMetadata(request_id="", model_info=ModelInfo(name="", version=""), model_uuid="")


class Mishearing(Recogniser):
    """Puts a word that nobody said before the first interims' words, and is sure of all."""

    mishears = True

    async def interim(self, samples: Pcm) -> UtteranceResult:
        heard = await super().interim(samples)
        text = f"{MISHEARD} {heard.transcript.text}" if self.mishears else heard.transcript.text
        certainty = (1.0,) * len(text.split())
        return replace(heard, transcript=replace(heard.transcript, text=text, word_confidences=certainty))


class Noting(Recogniser):
    """Notes when it is asked for interims, and whether there was a word in them yet."""

    def __init__(self, services: Services, options: ListenOptions) -> None:
        super().__init__(services, options, services.catalogues.named(None), SearchOptions(options.limit))
        self.asked: list[float] = []
        self.answered: list[float] = []

    async def interim(self, samples: Pcm) -> UtteranceResult:
        self.asked.append(time.monotonic())
        heard = await super().interim(samples)
        if heard.transcript.text:
            self.answered.append(time.monotonic())
        return heard


OPTIONS = ListenOptions(interim_results=True, endpointing=False)


async def converse(services: Services, recordings: list[Pcm]) -> list[Results]:
    """Speak the recordings one after the other at their own pace; only in the first a word is misheard."""
    results: list[Results] = []
    recogniser = Mishearing(services, OPTIONS, services.catalogues.named(None), SearchOptions())

    async def send(message: ServerMessage) -> None:
        if isinstance(message, Results):
            results.append(message)

    conversation = Utterances(OPTIONS, recogniser, services.metrics, METADATA, send, wake=lambda: None)
    delivering = asyncio.create_task(conversation.deliver())
    for samples in recordings:
        for piece in np.array_split(samples, round(len(samples) / SAMPLE_RATE / MESSAGE_SECONDS)):
            await conversation.hear(piece)
            await asyncio.sleep(MESSAGE_SECONDS)
        await conversation.finalize()
        recogniser.mishears = False
    await conversation.finish()
    await delivering
    return results


def said(results: Results) -> str:
    return results.channel.alternatives[0].transcript


def test_a_final_begins_with_what_was_stable_in_its_own_utterance(client: TestClient, sample_files: list[Path]) -> None:
    """Even if nobody said it; the rest is what was said, and the next utterance knows nothing of it."""
    recordings = [soundfile.read(path, dtype="int16")[0] for path in sample_files if "hotels" in path.name]
    services: Services = client.app.state.services
    results = client.portal.call(converse, services, recordings * 2)
    first, second = (place for place, each in enumerate(results) if each.is_final)
    stable = results[first - 1].stable
    assert stable
    assert begins_with(stable, MISHEARD)
    assert begins_with(said(results[first]), stable)
    assert begins_with(said(results[second]), results[second - 1].stable or "")
    assert said(results[first]).removeprefix(f"{MISHEARD} ").casefold() == said(results[second]).casefold()


async def speak_choppily(services: Services, samples: Pcm) -> Noting:
    """With a pause that has just gone by again and again.

    Between two pauses is time for an interim on this machine: the measure is the recognition of the whole recording,
    and where that takes longer than a piece, the pieces come so much slower.
    """
    began = time.monotonic()
    await Noting(services, OPTIONS).interim(samples)
    slower = max(1.0, (time.monotonic() - began) / CHOP_SECONDS)
    stream = UtteranceStream(EndpointerOptions(ends_by_silence=False))
    noting = Noting(services, OPTIONS)

    async def tell(*_: object) -> bool:
        return True

    interims = Interims(stream, noting, services.metrics, OPTIONS, tell, wake=lambda: None)
    interims.begin()
    for piece in np.array_split(samples, round(len(samples) / SAMPLE_RATE / CHOP_SECONDS)):
        stream.push(piece.tobytes())
        interims.pause(stream.heard.end)
        interims.resume(stream.heard.end)
        await asyncio.sleep(slower * CHOP_SECONDS)
    interims.end()
    return noting


def test_interims_keep_their_pace_over_pauses(client: TestClient, sample_files: list[Path]) -> None:
    """After each pause they began anew, at once, and with the haste that is for an utterance's first word."""
    samples = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in sample_files[:2]])
    noting = client.portal.call(speak_choppily, client.app.state.services, samples)
    after = [at for at in noting.asked if at > noting.answered[0]]
    assert len(after) >= 2
    assert min(later - earlier for earlier, later in pairwise(after)) > 0.9 * PACE_SECONDS


class Busy(Recogniser):
    """Has no time for interims."""

    async def interim(self, samples: Pcm) -> UtteranceResult:
        await asyncio.Event().wait()
        raise AssertionError


async def leave_a_busy_server(services: Services, samples: Pcm) -> tuple[int, int]:
    """The tasks that there are while an interim is overdue in a pause, and when its client has left."""
    options = ListenOptions(interim_results=True)
    recogniser = Busy(services, options, services.catalogues.named(None), SearchOptions())

    async def send(message: ServerMessage) -> None:
        pass

    before = len(asyncio.all_tasks())
    conversation = Utterances(options, recogniser, services.metrics, METADATA, send, wake=lambda: None)
    await conversation.hear(samples[: 6 * len(samples) // 10])  # in the middle of a word
    await asyncio.sleep(1.2 * OVERDUE_SECONDS)
    await conversation.hear(np.zeros(round(0.2 * SAMPLE_RATE), np.int16))
    waiting = len(asyncio.all_tasks()) - before
    conversation.close()
    await asyncio.sleep(0.1)
    return waiting, len(asyncio.all_tasks()) - before


def test_who_leaves_a_busy_server_leaves_nothing_behind(client: TestClient, sample_files: list[Path]) -> None:
    """What is overdue is not dropped by a pause, but it is when the client leaves."""
    samples = soundfile.read(sample_files[0], dtype="int16")[0]
    waiting, left = client.portal.call(leave_a_busy_server, client.app.state.services, samples)
    assert waiting >= 1
    assert left == 0
