"""The alignment of many names at once, held against one that is written out cell by cell."""

import random

import numpy as np
import pytest

from search.phonetic.alignment import INSIDE_WORD, MAX_HEARD, UNIT, Names, QueryPhones, distances, spans
from search.phonetic.phones import PHONES, costs

READINGS = [["TaNks", "to", "dun", "Coni"], ["Tinz", "tu", "du", "in", "Soni"]]


def reference(name: str, words: list[str]) -> float:
    """Sellers' algorithm; insertions are counted as they come, any number of them."""
    replace, skip = costs().replace, costs().skip
    heard = [PHONES.index(phone) for phone in "".join(words)]
    edges = np.full(len(heard) + 1, INSIDE_WORD)
    edges[np.cumsum([0, *map(len, words)])] = 0
    row = list(edges)
    for phone in map(PHONES.index, name):
        after = [row[0] + skip[phone]]
        for j, other in enumerate(heard):
            after.append(min(row[j] + replace[phone, other], row[j + 1] + skip[phone], after[j] + skip[other]))
        row = after
    return float(min(np.array(row) + edges))


def test_equals_the_reference() -> None:
    pick = random.Random(1)
    heard = QueryPhones(READINGS)
    names = ["".join(pick.choices(PHONES, k=pick.randint(1, 12))) for _ in range(300)]

    expected = [min(reference(name, words) for words in READINGS) for name in names]

    # Each cost is rounded, so a long alignment may be off by some units; two insertions in a row are the most.
    assert np.abs(distances(Names(names), heard) - expected).max() < 13 * 0.5 / UNIT
    assert spans(Names(names), heard).costs.min(axis=1) == pytest.approx(distances(Names(names), heard))


def test_says_where() -> None:
    heard = QueryPhones(READINGS)

    where = spans(Names(["Soni", "Tinz"]), heard)

    text = " ".join("".join(words) for words in READINGS)
    assert text[where.starts[0, 0] : where.ends[0, 0]] == "Coni"
    assert text[where.starts[0, 1] : where.ends[0, 1]] == "Soni"
    assert where.costs[0, 1] == 0
    assert text[where.starts[1, 1] : where.ends[1, 1]] == "Tinz"


def test_no_name_reaches_over_two_readings() -> None:
    heard = QueryPhones([["van"], ["kuver"]])

    assert distances(Names(["vankuver"]), heard)[0] > 1
    assert distances(Names(["vankuver"]), QueryPhones([["van", "kuver"]]))[0] == 0


def test_weight_is_what_is_left_out() -> None:
    assert Names(["", "t"]).weights().tolist() == [0, 1]
    assert 1 < Names(["ta"]).weights()[0] < 2


def test_endless_speech_is_cut() -> None:
    heard = QueryPhones([["ta"] * 600, ["ka"] * 600, ["ma"] * 600])

    assert len(heard.phones) == MAX_HEARD
    assert spans(Names(["tata", "kama"]), heard).costs.shape == (2, len(heard.starts))
    assert distances(Names(["tata"]), heard)[0] == 0
