"""An utterance's samples → what was said and what is found, through the engine that all share."""

import asyncio
import logging
import time
from dataclasses import dataclass, replace

import numpy as np

from asr.audio.decode import Audio
from asr.audio.pcm_stream import Pcm
from asr.decoding.window import DecodingOptions
from asr.transcriber import Prepared
from asr.transcript import Transcript
from search.result import SearchOptions
from search.voice.query import VoiceResults
from server.catalogues import Catalogue
from server.errors import busy
from server.keywords import expected
from server.live.options import ListenOptions
from server.query_rewriting import find_meant, to_be_searched
from server.services import Services

logger = logging.getLogger(__name__)

FULL_SCALE = 32_735  # of 16 bits: 0.999


@dataclass(frozen=True)
class Heard:
    """The transcript, what is found (where it was searched), and seconds by stage."""

    transcript: Transcript
    found: VoiceResults | None
    stages: dict[str, float]


Recognition = asyncio.Task[Heard]


class Recogniser:
    """Recognises and searches as one listener asked. Raises UnknownLanguage for one that the model does not know."""

    def __init__(self, services: Services, options: ListenOptions, catalogue: Catalogue, search: SearchOptions) -> None:
        self._services = services
        self._options = options
        self._catalogue = catalogue
        self._search = search
        asked = services.transcriber.options(options.language, options.alternatives)
        keywords = expected(options.keywords, services.transcriber.tokenizer)
        self._decoding = replace(asked, ending=options.is_adaptive, bias=keywords)

    @property
    def delay(self) -> float:
        """Seconds that those who wait for the engine have to wait."""
        return self._services.admission.delay

    async def final(self, samples: Pcm, stable: str = "") -> Heard:
        """What an utterance says; it begins with the words that its interims gave as `stable`.

        Raises ApiError, AsrError or SearchError when it cannot be told.
        """
        searches = self._options.search != "false"
        decoding = replace(self._decoding, stable=stable)
        if searches:
            decoding = to_be_searched(decoding, self._catalogue.names)
        try:
            with self._services.admission.claim():
                async with asyncio.timeout(self._services.settings.answer_timeout):
                    return await self._hear(samples, decoding, searches=searches)
        except TimeoutError:
            raise busy("The answer took too long and was given up. Say it again.", 5) from None

    async def interim(self, samples: Pcm) -> Heard:
        """What it says so far, when the engine has nothing better to do. Raises AsrError or SearchError."""
        decoding = replace(self._decoding, alternatives=0, ending=False)
        return await self._hear(samples, decoding, searches=self._options.search == "interim", deferrable=True)

    def note(self, heard: Heard) -> None:
        """Log what was said, if the owner wants it."""
        if self._services.settings.log_transcripts:
            query = heard.found.query if heard.found else ""
            logger.info("heard %r, searched %r", heard.transcript.text, query)

    async def _hear(
        self, samples: Pcm, decoding: DecodingOptions, *, searches: bool, deferrable: bool = False
    ) -> Heard:
        started = time.monotonic()
        transcriber = self._services.transcriber
        prepared = await self._services.in_live_thread(self._prepare, samples)
        clip = None
        if prepared.windows:
            clip = await asyncio.wrap_future(
                transcriber.engine.submit(prepared.windows, decoding, deferrable=deferrable)
            )
            self._services.admission.learn(transcriber.engine.busy_seconds, transcriber.engine.hearings)
        transcript = transcriber.assemble(prepared, decoding, clip, is_partial=deferrable)
        searching = time.monotonic()
        unsure_results = self._options.unsure_results
        found = (
            await find_meant(self._catalogue, transcript, clip, self._search, unsure_results=unsure_results)
            if searches
            else None
        )
        now = time.monotonic()
        timings = transcript.timings
        stages = {"audio": timings.audio, "encode": timings.encode, "decode": timings.decode, "search": now - searching}
        stages["queue"] = max(0.0, now - started - sum(stages.values()))
        asked = replace(transcript, alternatives=transcript.alternatives[: self._options.alternatives])
        return Heard(asked, found, stages)

    def _prepare(self, samples: Pcm) -> Prepared:
        clipped = float(np.mean(np.abs(samples.astype(np.int32)) >= FULL_SCALE)) if len(samples) else 0.0
        return self._services.transcriber.prepare_audio(
            Audio(samples * np.float32(1 / 32768), clipped), is_utterance=True
        )
