"""What may have been meant: names of the catalogue that sound like a part of what was heard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.alignment import Heard, Spans, distances, spans, weights
from search.heard_text import HeardText, distinct
from search.index import SearchIndex
from search.named import Name
from search.sound_keys import heard_keys
from search.text import fold

# How many documents are compared with what was heard, of those that share most keys with it.
RETRIEVED = 400
MAX_READINGS = 8
# What a difference costs, against what the same sounds earn where they agree: with more, short names come up that
# agree by chance, with less long ones that hardly do.
DIFFERENCE = 2.5
# In how many readings a name is put at most.
MAX_PLACEMENTS = 3


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

    `similarity` is 1 where it sounds just as what was heard, and 0 where nothing agrees; `score`, which ranks, counts
    long names that agree for more than short ones. `placements` differ in their sentence, the most similar first.
    """

    document_ids: tuple[str, ...]
    name: str
    similarity: float
    score: float
    placements: tuple[Placement, ...]


@dataclass(frozen=True)
class _Owned:
    """A name and who is called so."""

    name: Name
    document_ids: tuple[str, ...]
    score: float


def find_candidates(texts: Iterable[str], index: SearchIndex, limit: int) -> list[Candidate]:
    """At most `limit` names that sound like a part of any of these texts, the likeliest first.

    `texts` are what was heard, the most probable first; `MAX_READINGS` that sound different are looked at. A document
    comes once, by the name that fits best.
    """
    readings = distinct(texts, MAX_READINGS)
    if not readings or limit < 1:
        return []
    heard = Heard([reading.phones for reading in readings])
    best = _best(_ranked(_owners(readings, index), heard), limit)
    if not best:
        return []
    phones = [owned.name.phones for owned in best]
    where = spans(phones, heard)
    similarities = 1 - where.costs / weights(phones)[:, None]
    return [
        Candidate(
            owned.document_ids,
            owned.name.text,
            float(similarities[row].max()),
            owned.score,
            tuple(_placements(owned.name.text, readings, heard, where, similarities, row)),
        )
        for row, owned in enumerate(best)
    ]


def _owners(readings: Sequence[HeardText], index: SearchIndex) -> dict[str, tuple[Name, list[str]]]:
    """The names that share keys with what was heard, and who is called so; names that differ in accents are one."""
    keys = {key for reading in readings for key in heard_keys(reading.phones)}
    owners: dict[str, tuple[Name, list[str]]] = {}
    for named in index.sounding_like(keys, RETRIEVED):
        for name in named.names:
            owners.setdefault(fold(name.text), (name, []))[1].append(named.id)
    return owners


def _ranked(owners: dict[str, tuple[Name, list[str]]], heard: Heard) -> list[_Owned]:
    phones = [name.phones for name, _ in owners.values()]
    if not phones:
        return []
    scores = weights(phones) - DIFFERENCE * distances(phones, heard)
    order = np.argsort(-scores, kind="stable")
    entries = list(owners.values())
    return [_Owned(entries[i][0], tuple(entries[i][1]), float(scores[i])) for i in order]


def _best(ranked: Iterable[_Owned], limit: int) -> list[_Owned]:
    """The first `limit` names of documents that did not come before."""
    seen: set[str] = set()
    best: list[_Owned] = []
    for owned in ranked:
        new = tuple(dict.fromkeys(i for i in owned.document_ids if i not in seen))
        if new:
            best.append(_Owned(owned.name, new, owned.score))
            seen.update(new)
        if len(best) == limit:
            break
    return best


def _placements(
    name: str,
    readings: Sequence[HeardText],
    heard: Heard,
    where: Spans,
    similarities: NDArray[np.float64],
    row: int,
) -> list[Placement]:
    """The name in the place where it fits best, in each of the readings where it fits best."""
    placements: dict[str, Placement] = {}
    for i in np.argsort(-similarities[row], kind="stable"):
        reading, offset = readings[i], heard.starts[i]
        start, end = reading.characters(where.starts[row, i] - offset, where.ends[row, i] - offset)
        sentence = reading.text[:start] + name + reading.text[end:]
        placements.setdefault(sentence, Placement(reading.text, start, end, sentence, float(similarities[row, i])))
        if len(placements) == MAX_PLACEMENTS:
            break
    return list(placements.values())
