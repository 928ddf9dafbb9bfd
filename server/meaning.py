"""Searching for what was meant: the catalogue proposes names, the acoustic model says how likely they are."""

import asyncio
from dataclasses import replace

from asr.bias import PhraseTrie
from asr.decoding import DecodingOptions
from asr.engine import DecodedClip
from asr.transcript import Transcript
from search.result import Found, SearchOptions
from search.voice_query import Proposal, VoiceResults, find, propose
from server.catalogues import Catalogue

READINGS_BESIDE = 3  # the best: each may sound more like the name that was said
READINGS_WITH_NAMES = 1  # with two, none of 300 queries more was right


def to_be_searched(options: DecodingOptions, names: PhraseTrie | None) -> DecodingOptions:
    """How to hear what is to be searched for, perhaps with one of these names; keywords go before them."""
    options = replace(options, alternatives=max(options.alternatives, READINGS_BESIDE), keeps_audio=True)
    return options if options.bias else replace(options, bias=names, biased_readings=READINGS_WITH_NAMES)


async def find_meant(
    catalogue: Catalogue, transcript: Transcript, clip: DecodedClip | None, search: SearchOptions
) -> VoiceResults:
    """What is found for what was heard; where `clip` was not heard as `to_be_searched`, for its text alone."""
    if not transcript.text:
        return VoiceResults("", Found([]))
    if clip is None or clip.score is None:
        return await catalogue.reading(find, Proposal(transcript.text), catalogue.index, search)
    proposal = await catalogue.reading(propose, transcript, catalogue.index, search.filters)
    texts = proposal.texts
    told = await asyncio.wrap_future(clip.score(texts)) if texts else []
    likelihoods = dict(zip(texts, told, strict=True))
    return await catalogue.reading(find, proposal, catalogue.index, search, likelihoods)
