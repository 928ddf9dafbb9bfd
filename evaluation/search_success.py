"""Search success: how often the right document is found, typed and spoken, and what spoken queries lose it by.

Right is a document with the title of the one that was asked for. A query is lost that finds it first when typed, and
not when spoken; by

- recognition, where nothing that was heard leads to it: the text of no reading finds it, and it is not among the
  `NEAREST` names that sound most like a part of them;
- candidates, where it could have been ranked, but was not: it is among those names, or found by the text of another
  reading, but not put before the acoustic model, or that was not asked;
- ranking, where another document came first: it was put before the acoustic model, or found by the best reading's text.

Gained are those that only find it first when spoken: what is lost without these is typed@1 - spoken@1.

Who asks for nothing in the catalogue should be answered as by its text alone; where that is not so, a name of it was
taken for meant.
"""

import math
from collections import Counter
from collections.abc import Sequence

from evaluation.rows import EvaluatedRow, Figures

# Results that are looked at: a document below has the reciprocal rank 0. A text "finds" what is among them.
FIRST = 10
NEAREST = 48
CAUSES = ("recognition", "candidates", "ranking")


def success(heard: Sequence[EvaluatedRow]) -> Figures:
    """Of queries typed, searched by the text of the best reading alone, and spoken; MRR is the mean reciprocal rank."""
    measured: Figures = {"queries": len(heard)}
    chains = {
        "typed": [h.found_typed for h in heard],
        "plain": [h.found_plain for h in heard],
        "spoken": [h.found for h in heard],
    }
    for chain, found in chains.items():
        ranks = [_rank(h.row["title"], titles) for h, titles in zip(heard, found, strict=True)]
        for at in (1, 5):
            measured[f"{chain}@{at}"] = sum(rank <= at for rank in ranks) / len(ranks)
        measured[f"{chain}_mrr@{FIRST}"] = sum(1 / rank for rank in ranks) / len(ranks)
    return measured


def withheld(heard: Sequence[EvaluatedRow]) -> Figures:
    """Of unsure queries, whose results a server gives only on demand, those whose first result is right."""
    right = sum(_rank(h.row["title"], h.found) == 1 for h in heard)
    return {"queries": len(heard), "right": right, "right_share": right / len(heard)}


def losses(heard: Sequence[EvaluatedRow]) -> Figures:
    """How many queries were lost by what, and their shares of all queries."""
    causes = Counter(map(_outcome, heard))
    counts = {"lost": sum(causes[cause] for cause in CAUSES)} | {name: causes[name] for name in (*CAUSES, "gained")}
    measured: Figures = {"queries": len(heard)}
    for name, count in counts.items():
        measured |= {name: count, f"{name}_share": count / len(heard)}
    return measured


def disturbances(heard: Sequence[EvaluatedRow]) -> Figures:
    """Of those who ask for nothing in the catalogue, how many get other results than their text alone finds."""
    others = {
        "other_first": sum(h.found[:1] != h.found_plain[:1] for h in heard),
        "other_results": sum(set(h.found) != set(h.found_plain) for h in heard),
        "more_results": sum(len(h.found) > len(h.found_plain) for h in heard),
    }
    measured: Figures = {"clips": len(heard)}
    for name, count in others.items():
        measured |= {name: count, f"{name}_share": count / len(heard)}
    return measured


def _rank(wanted: str, titles: Sequence[str]) -> float:
    """From 1; infinite where it was not found."""
    return titles.index(wanted) + 1 if wanted in titles[:FIRST] else math.inf


def _outcome(h: EvaluatedRow) -> str:
    wanted = h.row["title"]
    typed, spoken = (_rank(wanted, found) == 1 for found in (h.found_typed, h.found))
    if typed == spoken:
        return "same"
    if spoken:
        return "gained"
    if wanted in h.considered:
        return "ranking"
    return "candidates" if wanted in h.in_reach else "recognition"
