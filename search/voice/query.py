"""From what was heard to results: names that may have been meant are proposed, then the acoustic model decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asr.transcript import Likelihood, Transcript
from search.catalogue.filters import Filter
from search.index import SearchIndex
from search.result import Result, SearchOptions, SearchPage
from search.text.tokens import WORD_CORE
from search.voice.candidates import Candidate, find_candidates
from search.voice.hypothesis import RecognisedText
from search.voice.rewriting import Rewrite, rewrites, sentence, worth_rescoring

# Names that are put before the acoustic model: with many more, hardly one of 300 queries more was right.
PROPOSED = 10
# A text of which the recogniser is as sure holds names that it was nudged to read by chance: "moca", where "mocha" was
# heard.
SURE = 0.8
# What words of a guessed name count, where a document is not called by all of it.
WORDS_OF_A_GUESS = 0.1


@dataclass(frozen=True)
class VoiceSearchResult:
    """What was searched for, and what was found: `query` is what was heard, or what it was taken for.

    Of several that may have been meant it is the one that found the first result. `page` counts what matches this one,
    in its total no less than there are results: they may be those of the others, too.
    """

    query: str
    page: SearchPage


@dataclass(frozen=True)
class Proposal:
    """What was heard, and names that sound like a part of it, of a catalogue with so many documents."""

    heard: RecognisedText
    candidates: Sequence[Candidate] = ()
    documents: int = 0

    @property
    def texts(self) -> list[str]:
        """What the acoustic model is to be asked: how likely each is."""
        return list(dict.fromkeys([self.heard.text, *map(sentence, self.candidates)])) if self.candidates else []


def propose_rewrites(transcript: Transcript, index: SearchIndex, filters: Sequence[Filter] = ()) -> Proposal:
    """Names of the catalogue that may have been said; none where that is not worth asking."""
    heard = RecognisedText.of(transcript)
    documents = index.count()
    candidates = find_candidates(readings(transcript), index, PROPOSED, filters)
    return Proposal(heard, worth_rescoring(heard, candidates, documents), documents)


def readings(transcript: Transcript) -> list[str]:
    """What may have been said, the transcript first: all that may sound like a name."""
    nudged = transcript.biased if transcript.confidence < SURE else ()
    return [transcript.text, *(other.text for other in (*transcript.alternatives, *nudged))]


def search_rewrites(
    proposal: Proposal,
    index: SearchIndex,
    options: SearchOptions = SearchOptions(),
    likelihoods: Mapping[str, Likelihood] | None = None,
) -> VoiceSearchResult:
    """Search for what may have been meant; the best first.

    `likelihoods` are those of the proposal's `texts`; without them the sound decides alone. A document's score is the
    relevance of its text to a query, as much of it as the query is probable: of several queries the highest.
    """
    meant = rewrites(proposal.heard, proposal.candidates, proposal.documents, likelihoods or {})
    if len(meant) == 1:
        query = normalise(meant[0].text)
        return VoiceSearchResult(query, index.search(query, options))
    # A page of them all cannot be put together from pages of each.
    end = options.offset + options.limit
    beginning = replace(options, limit=end, offset=0)
    searched = [(meaning, index.search(normalise(meaning.text), beginning)) for meaning in meant]
    ranked = _ranked(searched)
    meaning, found = searched[ranked[0][1] if ranked else 0]
    results = [result for result, _ in ranked[options.offset : end]]
    return VoiceSearchResult(
        normalise(meaning.text), replace(found, results=results, total=max(found.total, len(ranked)))
    )


def _ranked(searched: Sequence[tuple[Rewrite, SearchPage]]) -> list[tuple[Result, int]]:
    """The results of all searches, each once, the best first; each with the place of its search."""
    weighed = [
        (replace(result, score=result.score * _weight(meaning, result), match=meaning.match), place)
        for place, (meaning, found) in enumerate(searched)
        for result in found.results
    ]
    best: dict[str, tuple[Result, int]] = {}
    # Equals stay as the index has them: it sees to it that pages follow each other.
    for result, place in sorted(weighed, key=lambda weighed: -weighed[0].score):
        best.setdefault(result.id, (result, place))
    return list(best.values())


def _weight(meaning: Rewrite, result: Result) -> float:
    """What a meaning counts for a result: where it guesses a name, much less for what only shares words with it."""
    is_named = meaning.match == "text" or result.id in meaning.document_ids
    return meaning.probability * (1.0 if is_named else WORDS_OF_A_GUESS)


def normalise(transcript: str) -> str:
    """A transcript as someone would type it: "Hotels in Reykjavík." is "hotels in reykjavík"."""
    cores = (WORD_CORE.search(word) for word in transcript.lower().split())
    return " ".join(core.group() for core in cores if core)
