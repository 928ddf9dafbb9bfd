"""From what was heard to results: names that may have been meant are proposed, then the acoustic model decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asr.transcript import Likelihood, Transcript
from search.candidates import Candidate, find_candidates
from search.filters import Filter
from search.index import SearchIndex
from search.meant import meanings, sentence, worth_asking
from search.result import Found, Result, SearchOptions
from search.text import WORD_CORE

# Names that are put before the acoustic model: with four times as many, none of 300 queries more was right.
PROPOSED = 12


@dataclass(frozen=True)
class VoiceResults:
    """What was searched for, and what was found: `query` is what was heard, or what it was taken for.

    `found` counts what matches this query; its results may be those of others, too, that may have been meant.
    """

    query: str
    found: Found


@dataclass(frozen=True)
class Proposal:
    """What was heard, how sure the recogniser is of its least sure word, and names that sound like a part of it."""

    heard: str
    least_confidence: float = 1.0
    candidates: Sequence[Candidate] = ()

    @property
    def texts(self) -> list[str]:
        """What the acoustic model is to be asked: how likely each is."""
        return list(dict.fromkeys([self.heard, *map(sentence, self.candidates)])) if self.candidates else []


def propose(transcript: Transcript, index: SearchIndex, filters: Sequence[Filter] = ()) -> Proposal:
    """Names of the catalogue that may have been said; none where that is not worth asking."""
    readings = [transcript.text, *(other.text for other in transcript.alternatives)]
    least = min(transcript.word_confidences, default=1.0)
    candidates = find_candidates(readings, index, PROPOSED, filters)
    is_open = worth_asking(transcript.text, transcript.confidence, least, candidates)
    return Proposal(transcript.text, least, candidates if is_open else ())


def find(
    proposal: Proposal,
    index: SearchIndex,
    options: SearchOptions = SearchOptions(),
    likelihoods: Mapping[str, Likelihood] | None = None,
) -> VoiceResults:
    """Search for what may have been meant; the best first.

    `likelihoods` are those of the proposal's `texts`; without them the sound decides alone. A document's score is the
    relevance of its text to a query, as much of it as the query is probable: of several queries the highest.
    """
    meant = meanings(proposal.heard, proposal.least_confidence, proposal.candidates, likelihoods or {})
    queries = [normalise(meaning.text) for meaning in meant]
    first = index.search(queries[0], options)
    if len(meant) == 1:
        return VoiceResults(queries[0], first)
    # Pages of several searches cannot be cut out of each alone.
    end = options.offset + options.limit
    beginning = replace(options, limit=end, offset=0, facets=())
    weighed = [
        replace(result, score=result.score * meaning.share, match=meaning.match)
        for query, meaning in zip(queries, meant, strict=True)
        for result in index.search(query, beginning).results
    ]
    best: dict[str, Result] = {}
    # Equals stay as the index has them: it sees to it that pages follow each other.
    for result in sorted(weighed, key=lambda result: -result.score):
        best.setdefault(result.id, result)
    return VoiceResults(queries[0], replace(first, results=list(best.values())[options.offset : end]))


def normalise(transcript: str) -> str:
    """A transcript as someone would type it: "Hotels in Reykjavík." is "hotels in reykjavík"."""
    cores = (WORD_CORE.search(word) for word in transcript.lower().split())
    return " ".join(core.group() for core in cores if core)
