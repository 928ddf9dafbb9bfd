"""Searching for what was meant: the catalogue proposes names, the acoustic model says how likely they are."""

import asyncio
from dataclasses import replace

from asr.decoding.contextual_bias import PhraseTrie
from asr.decoding.window import DecodingOptions
from asr.engine.engine import DecodedClip
from asr.transcript import Likelihood, Transcript, Verdict
from search.result import Found, SearchOptions
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, VoiceResults, find, propose
from server.catalogues import Catalogue

READINGS_BESIDE = 6  # each may sound more like the name that was said
READINGS_BESIDE_NAMES = 4  # where one is nudged towards the catalogue's names, too
READINGS_WITH_NAMES = 1  # with two, none of 300 queries more was right


def to_be_searched(options: DecodingOptions, names: PhraseTrie | None) -> DecodingOptions:
    """How to hear what is to be searched for, perhaps with one of these names; keywords go before them."""
    is_nudged = names is not None and options.bias is None
    beside = READINGS_BESIDE_NAMES if is_nudged else READINGS_BESIDE
    options = replace(options, alternatives=max(options.alternatives, beside), keeps_audio=True)
    return replace(options, bias=names, biased_readings=READINGS_WITH_NAMES) if is_nudged else options


async def find_meant(
    catalogue: Catalogue,
    transcript: Transcript,
    clip: DecodedClip | None,
    search: SearchOptions,
    *,
    unsure_results: bool = False,
) -> VoiceResults:
    """What is found for what was heard; for its text alone where `clip` was not heard as `to_be_searched`.

    For a text that is unsure nothing is, unless `unsure_results`. Of a clip of several windows no audio is kept: there
    the sound of its text decides about names.
    """
    is_unsure = transcript.quality.verdict is Verdict.UNSURE
    if not transcript.text or (is_unsure and not unsure_results):
        return VoiceResults("", Found([]))
    if clip is None or (clip.score is None and len(clip.windows) == 1):
        return await catalogue.reading(find, Proposal(RecognisedText(transcript.text)), catalogue.index, search)
    proposal = await catalogue.reading(propose, transcript, catalogue.index, search.filters)
    likelihoods: dict[str, Likelihood] = {}
    if clip.score and (texts := proposal.texts):
        told = await asyncio.wrap_future(clip.score(texts))
        likelihoods = dict(zip(texts, told, strict=True))
    return await catalogue.reading(find, proposal, catalogue.index, search, likelihoods)
