"""An utterance's samples → what was said and what is found, through the engine that all share."""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from asr.audio.decode import Audio
from asr.audio.pcm_stream import Pcm
from asr.transcriber import Prepared
from asr.transcript import Transcript
from pipeline.voice_search import VoiceQuery, voice_search_steps
from search.result import SearchOptions
from search.voice.query import VoiceSearchResult
from server.catalogues import Catalogue
from server.driver import drive
from server.errors import busy
from server.keywords import hotword_trie
from server.live.options import ListenOptions
from server.services import Services

logger = logging.getLogger(__name__)

FULL_SCALE = 32_735  # of 16 bits: 0.999


@dataclass(frozen=True)
class UtteranceResult:
    """The transcript, what is found (where it was searched), and seconds by stage."""

    transcript: Transcript
    found: VoiceSearchResult | None
    stages: dict[str, float]


Recognition = asyncio.Task[UtteranceResult]


class Recogniser:
    """Recognises and searches as one listener asked. Raises UnknownLanguage for one that the model does not know."""

    def __init__(self, services: Services, options: ListenOptions, catalogue: Catalogue, search: SearchOptions) -> None:
        self._services = services
        self._options = options
        self._catalogue = catalogue
        self._search = search
        asked = services.transcriber.options(options.language, options.alternatives)
        keywords = hotword_trie(options.keywords, services.transcriber.tokenizer)
        self._decoding = replace(asked, ending=options.is_adaptive, bias=keywords)

    @property
    def delay(self) -> float:
        """Seconds that those who wait for the engine have to wait."""
        return self._services.admission.delay

    async def final(self, samples: Pcm, stable: str = "") -> UtteranceResult:
        """What an utterance says; it begins with the words that its interims gave as `stable`.

        Raises ApiError, AsrError or SearchError when it cannot be told.
        """
        search = self._search if self._options.search != "false" else None
        decoding = replace(self._decoding, stable=stable)
        query = VoiceQuery(decoding, search, self._catalogue.names, self._options.unsure_results)
        try:
            with self._services.admission.claim():
                async with asyncio.timeout(self._services.settings.answer_timeout):
                    return await self._hear(samples, query)
        except TimeoutError:
            raise busy("The answer took too long and was given up. Say it again.", 5) from None

    async def interim(self, samples: Pcm) -> UtteranceResult:
        """What it says so far, when the engine has nothing better to do. Raises AsrError or SearchError."""
        decoding = replace(self._decoding, alternatives=0, ending=False)
        search = self._search if self._options.search == "interim" else None
        unsure_results = self._options.unsure_results
        return await self._hear(samples, VoiceQuery(decoding, search, unsure_results=unsure_results, is_interim=True))

    def note(self, heard: UtteranceResult) -> None:
        """Log what was said, if the owner wants it."""
        if self._services.settings.log_transcripts:
            query = heard.found.query if heard.found else ""
            logger.info("heard %r, searched %r", heard.transcript.text, query)

    async def _hear(self, samples: Pcm, query: VoiceQuery) -> UtteranceResult:
        began = time.monotonic()
        steps = voice_search_steps(self._services.transcriber, partial(self._prepare, samples), query)
        outcome = await drive(steps, self._services, self._catalogue, self._services.in_live_thread)
        transcript = outcome.transcript
        asked = replace(transcript, alternatives=transcript.alternatives[: self._options.alternatives])
        return UtteranceResult(asked, outcome.searched.results if outcome.searched else None, outcome.stages(began))

    def _prepare(self, samples: Pcm) -> Prepared:
        clipped = float(np.mean(np.abs(samples.astype(np.int32)) >= FULL_SCALE)) if len(samples) else 0.0
        return self._services.transcriber.prepare_audio(
            Audio(samples * np.float32(1 / 32768), clipped), is_utterance=True
        )
