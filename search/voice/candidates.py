"""What may have been meant: names of the catalogue that sound like a part of what was heard."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.catalogue.filters import Filter
from search.index import SearchIndex
from search.phonetic.alignment import Names, QueryPhones, Spans, distances, spans
from search.phonetic.keys import query_keys
from search.phonetic.names import PhoneticNames
from search.text.tokens import fold
from search.voice.phonetic_reading import PhoneticReading, distinct

# How many documents are compared with what was heard, of those that share most keys with it.
RETRIEVED = 300
MAX_READINGS = 8
# What a difference costs, against what the same sounds earn where they agree: with more, short names come up that
# agree by chance, with less long ones that hardly do.
DIFFERENCE = 2.5
# In how many readings a name is put at most.
MAX_PLACEMENTS = 3
# What a name's share among its document's counts against its sound.
PRIOR = 0.38


@dataclass(frozen=True)
class Placement:
    """A reading with a name in the place of what sounds like it: characters `start` to `end` of the reading."""

    reading: str
    start: int
    end: int
    sentence: str
    similarity: float


@dataclass(frozen=True)
class Candidate:
    """A name that may have been said, and the documents that are called so.

    `similarity` is 1 where it sounds just as what was heard, and 0 where nothing agrees; `score` counts long names that
    agree for more than short ones. `prior` is the logarithm of the share of this name among those of its document: a
    title's is 0, and the more aliases a document has the less one of them counts. `placements` differ in their
    sentence, the most similar first.
    """

    document_ids: tuple[str, ...]
    name: str
    similarity: float
    score: float
    prior: float
    placements: tuple[Placement, ...]

    @property
    def evidence(self) -> float:
        """How far the sound speaks for it; by this they are ranked."""
        return self.score + PRIOR * self.prior


def find_candidates(
    texts: Iterable[str], index: SearchIndex, limit: int, filters: Sequence[Filter] = ()
) -> list[Candidate]:
    """At most `limit` names that sound like a part of any of these texts, the likeliest first.

    `texts` are what was heard, the most probable first; `MAX_READINGS` that sound different are looked at. A document
    comes once, by the name that fits best; names that differ only in accents or case are one.
    """
    readings = distinct(texts, MAX_READINGS)
    keys = {key for reading in readings for key in query_keys(reading.phones)}
    named = index.sounding_like(keys, RETRIEVED, filters) if limit > 0 and keys else []
    if not named:
        return []
    heard = QueryPhones([reading.phones for reading in readings])
    best = _best(named, heard, limit)
    names = Names([found.phones for found in best])
    where = spans(names, heard)
    similarities = 1 - where.costs / names.weights()[:, None]
    return [
        Candidate(tuple(found.document_ids), found.name, max(similar), found.score, found.prior, placed)
        for found, similar, placed in zip(
            best, similarities.tolist(), _placements(best, readings, heard, where, similarities), strict=True
        )
        if placed
    ]


@dataclass(frozen=True)
class _Found:
    """A name, its sound, and who is called so."""

    name: str
    phones: str
    score: float
    prior: float
    document_ids: list[str]


def _best(named: Sequence[PhoneticNames], heard: QueryPhones, limit: int) -> list[_Found]:
    """The `limit` names that fit best, each document by one of them."""
    owners = [document for document in named for _ in document.names]
    names = [name for document in named for name in document.names]
    phones = [sound for document in named for sound in document.phones]
    priors = np.array([prior for document in named for prior in document.priors])
    aligned = Names(phones)
    scores = aligned.weights() - DIFFERENCE * distances(aligned, heard)
    found: dict[str, _Found] = {}
    seen: set[str] = set()
    for i in np.argsort(-(scores + PRIOR * priors), kind="stable").tolist():
        if owners[i].id in seen:
            continue
        folded = fold(names[i])
        if folded not in found and len(found) == limit:
            break
        seen.add(owners[i].id)
        found.setdefault(
            folded, _Found(names[i], phones[i], float(scores[i]), float(priors[i]), [])
        ).document_ids.append(owners[i].id)
    return list(found.values())


def _placements(
    best: Sequence[_Found],
    readings: Sequence[PhoneticReading],
    heard: QueryPhones,
    where: Spans,
    similarities: NDArray[np.float64],
) -> Iterator[tuple[Placement, ...]]:
    """For each name the readings where it fits best, with it in its place."""
    order = np.argsort(-similarities, axis=1, kind="stable").tolist()
    starts, ends = (where.starts - heard.starts).tolist(), (where.ends - heard.starts).tolist()
    for row, (found, similar) in enumerate(zip(best, similarities.tolist(), strict=True)):
        placements: dict[str, Placement] = {}
        for i in order[row]:
            # A name of which nothing was heard has no place.
            if len(placements) < MAX_PLACEMENTS and starts[row][i] < ends[row][i]:
                start, end = readings[i].characters(starts[row][i], ends[row][i])
                text = readings[i].text
                sentence = text[:start] + found.name + text[end:]
                placements.setdefault(sentence, Placement(text, start, end, sentence, similar[i]))
        yield tuple(placements.values())
