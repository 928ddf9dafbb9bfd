"""How often the right document is found, by how many names the acoustic model is asked about and what its word counts.

    python -m benchmarks.meaning MANIFEST CATALOGUE [--model base] [--threads 2] [--write]

The manifest's rows have `audio`, `query_doc` (the document that was asked for; one with the same title is right, too)
and `noise`. Every recording is heard once, and as many names as there are at most are put before the acoustic model;
then the ranking is done again with fewer of them, and with its likelihoods made to count for more or less.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.progress import track

from asr.compute import shares_here
from asr.transcriber import Transcriber
from asr.transcript import Likelihood
from benchmarks.report import publish, table
from search.candidates import find_candidates
from search.catalogue import read_catalogue
from search.index import SearchIndex, open_index
from search.meant import ACOUSTIC, PER_TOKEN, worth_asking
from search.recognised import RecognisedText
from search.result import SearchOptions
from search.voice_query import PROPOSED, Proposal, find
from server.meaning import READINGS_BESIDE, to_be_searched
from server.services import load_replicas
from server.settings import Settings
from server.success import FIRST

AMONG = (0, 1, 2, 4, 8, 12, 24, 48, 96)
WEIGHTS = (0, 0.02, 0.05, 0.1, 0.17, 0.25, 0.4, 0.7, 1)
LOOKED_AT = SearchOptions(FIRST)


@dataclass(frozen=True)
class Asked:
    """A recording: the title that must be found, its noise, and what the acoustic model said of all the names."""

    title: str
    noise: str | None
    proposal: Proposal
    likelihoods: Mapping[str, Likelihood]


def main(manifest: Path, catalogue: Path, model: str = "base", threads: int | None = None, write: bool = False) -> None:
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as scratch, open_index(scratch) as index:
        index.upsert(read_catalogue(catalogue))
        with load_replicas(Settings(model=model), shares_here(replicas=1, threads=threads)) as engine:
            transcriber = Transcriber(engine)
            asked = [_ask(row, manifest.parent, transcriber, index) for row in track(rows) if row.get("query_doc")]
        publish(f"meaning {catalogue.stem} {model}", _report(asked, index), write=write)


def _ask(row: Mapping[str, str], folder: Path, transcriber: Transcriber, index: SearchIndex) -> Asked:
    """Hear a recording as the server does, and ask about the most names, where it would ask about any."""
    options = to_be_searched(transcriber.options(alternatives=READINGS_BESIDE), None)
    heard, score = transcriber.hear((folder / row["audio"]).read_bytes(), options)
    candidates = find_candidates([heard.text, *(other.text for other in heard.alternatives)], index, max(AMONG))
    text = RecognisedText.of(heard)
    proposal = Proposal(text, candidates if worth_asking(text, candidates) else ())
    told = score(proposal.texts).result() if score else []
    wanted = index.get(row["query_doc"])
    assert wanted, row
    return Asked(wanted.title, row.get("noise"), proposal, dict(zip(proposal.texts, told, strict=False)))


def _report(asked: Sequence[Asked], index: SearchIndex) -> str:
    slices = {"clean": [one for one in asked if not one.noise], "noise": [one for one in asked if one.noise]}
    slices = {name: chosen for name, chosen in slices.items() if chosen}

    def lines(replayed: Mapping[str, Callable[[Asked], Asked]]) -> list[list[str]]:
        return [
            [name, *(_success([change(one) for one in chosen], index) for chosen in slices.values())]
            for name, change in replayed.items()
        ]

    heading = [f"{name} ({len(chosen)}), @1 / @5" for name, chosen in slices.items()]
    by_count = {_marked(count, PROPOSED): lambda one, count=count: _with_names(one, count) for count in AMONG}
    by_weight = {
        _marked(weight, ACOUSTIC): lambda one, weight=weight: _weighed(_with_names(one, PROPOSED), weight / ACOUSTIC)
        for weight in WEIGHTS
    }
    by_weight["sound alone, by its own rule"] = lambda one: replace(_with_names(one, PROPOSED), likelihoods={})
    by_weight["likeliest sentence alone"] = lambda one: _likeliest(_with_names(one, PROPOSED))
    return f"{table(['names', *heading], lines(by_count))}\n\n{table(['acoustic weight', *heading], lines(by_weight))}"


def _marked(value: float, used: float) -> str:
    return f"{value} (used)" if value == used else str(value)


def _with_names(asked: Asked, count: int) -> Asked:
    return replace(asked, proposal=replace(asked.proposal, candidates=asked.proposal.candidates[:count]))


def _weighed(asked: Asked, times: float) -> Asked:
    """With so many times the acoustic weight: as if all that it says for a name were so many times as much."""
    plain = asked.likelihoods.get(asked.proposal.heard.text)
    if plain is None:
        return asked

    def scaled(own: Likelihood) -> Likelihood:
        bonus = PER_TOKEN * (own.tokens - plain.tokens)
        return Likelihood(plain.logprob + times * (own.logprob - plain.logprob + bonus) - bonus, own.tokens)

    return replace(asked, likelihoods={text: scaled(own) for text, own in asked.likelihoods.items()})


def _likeliest(asked: Asked) -> Asked:
    """What the acoustic model finds likeliest, with its bonus for each token, taken for what was heard."""
    told = asked.likelihoods
    texts = asked.proposal.texts
    best = max(texts, key=lambda text: told[text].logprob + PER_TOKEN * told[text].tokens, default="")
    return replace(asked, proposal=Proposal(RecognisedText(best))) if best else asked


def _success(asked: Sequence[Asked], index: SearchIndex) -> str:
    found = [
        [result.title for result in find(one.proposal, index, LOOKED_AT, one.likelihoods).found.results]
        for one in asked
    ]
    first, among = (
        sum(one.title in titles[:at] for one, titles in zip(asked, found, strict=True)) / len(asked) for at in (1, 5)
    )
    return f"{first:.1%} / {among:.1%}"


if __name__ == "__main__":
    typer.run(main)
