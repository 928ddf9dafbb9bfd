"""How often the right document is found, and what that owes to three numbers.

    python -m benchmarks.meaning MANIFEST CATALOGUE [--model base] [--threads 2] [--write]

They are how many names the acoustic model is asked about, what its word counts, and what an expected name earns with
the decoder. The manifest's rows have `audio`, `query_doc` (the document that was asked for; one with the same title is
right, too) and `noise`. Every recording is heard once with each boost. With the one that is used as many names as there
are at most are put before the acoustic model; then the ranking is done again with fewer of them, and with its
likelihoods made to count for more or less.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import typer
from rich.progress import track

from asr.decoding.contextual_bias import PhraseTrie
from asr.decoding.hypothesis import DecodingOptions
from asr.runtime.choose import shares_here
from asr.transcriber import Transcriber
from asr.transcript import Likelihood
from benchmarks.report import publish, table
from evaluation.search_success import FIRST
from pipeline.expected_names import NATS
from pipeline.model import load_replicas
from pipeline.voice_search import VoiceQuery, recognise, run
from search.catalogue.files import read_catalogue
from search.index import SearchIndex
from search.opening import open_index
from search.result import SearchOptions
from search.voice.candidates import find_candidates
from search.voice.hypothesis import RecognisedText
from search.voice.query import PROPOSED, Proposal, readings, search_rewrites
from search.voice.rewriting import ACOUSTIC, PER_TOKEN, worth_rescoring
from server.settings import Settings

AMONG = (0, 1, 2, 4, 6, 10, 16, 24, 48)
WEIGHTS = (0, 0.02, 0.05, 0.1, 0.13, 0.17, 0.25, 0.4, 0.7, 1)
BOOSTS = (0.0, 1.0, 2.0, NATS, 4.0)
LOOKED_AT = SearchOptions(FIRST)


@dataclass(frozen=True)
class Asked:
    """A recording: the title that must be found, its noise, and what the acoustic model said of all the names."""

    title: str
    noise: str | None
    proposal: Proposal
    likelihoods: Mapping[str, Likelihood]


def main(manifest: Path, catalogue: Path, model: str = "base", threads: int | None = None, write: bool = False) -> None:
    lines = manifest.read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("query_doc")]
    with tempfile.TemporaryDirectory() as scratch, open_index(scratch) as index:
        index.upsert(read_catalogue(catalogue))
        with load_replicas(Settings(model=model), shares_here(replicas=1, threads=threads)) as engine:
            transcriber = Transcriber(engine)
            asked = {boost: _ask_all(rows, manifest.parent, transcriber, index, boost) for boost in BOOSTS}
        publish(f"meaning {catalogue.stem} {model}", _report(asked, index), write=write)


def _ask_all(
    rows: Sequence[Mapping[str, str]], folder: Path, transcriber: Transcriber, index: SearchIndex, boost: float
) -> list[Asked]:
    """Hear all recordings with the catalogue's titles expected, each worth so many nats a token."""
    expected = dict.fromkeys(index.titles(), boost)
    names = PhraseTrie.of(transcriber.tokenizer, expected) if boost else None
    options = VoiceQuery(transcriber.options(), LOOKED_AT, names).decoding_for_search
    return [_ask(row, folder, transcriber, index, options) for row in track(rows, f"{boost} nats a token")]


def _ask(
    row: Mapping[str, str], folder: Path, transcriber: Transcriber, index: SearchIndex, options: DecodingOptions
) -> Asked:
    """Hear a recording as the server does, and ask about those of the most names of which it would ask."""
    data = (folder / row["audio"]).read_bytes()
    heard, clip = run(recognise(transcriber, partial(transcriber.prepare, data), options))
    text = RecognisedText.of(heard)
    candidates = find_candidates(readings(heard), index, max(AMONG))
    documents = index.count()
    proposal = Proposal(text, worth_rescoring(text, candidates, documents), documents)
    told = clip.score(proposal.texts).result() if clip and clip.score else []
    wanted = index.get(row["query_doc"])
    assert wanted, row
    return Asked(wanted.title, row.get("noise"), proposal, dict(zip(proposal.texts, told, strict=False)))


def _report(asked: Mapping[float, Sequence[Asked]], index: SearchIndex) -> str:
    heard = asked[NATS]
    by_count = {_marked(n, PROPOSED): [_with_names(one, n) for one in heard] for n in AMONG}
    proposed = [_with_names(one, PROPOSED) for one in heard]
    by_weight = {_marked(w, ACOUSTIC): [_weighed(one, w / ACOUSTIC) for one in proposed] for w in WEIGHTS}
    by_weight["sound alone, by its own rule"] = [replace(one, likelihoods={}) for one in proposed]
    by_weight["likeliest sentence alone"] = [_likeliest(one) for one in proposed]
    by_boost = {_marked(boost, NATS): [_with_names(one, PROPOSED) for one in asked[boost]] for boost in BOOSTS}
    curves = {"names": by_count, "acoustic weight": by_weight, "nats a token": by_boost}
    return "\n\n".join(_curve(name, replayed, index) for name, replayed in curves.items())


def _curve(name: str, replayed: Mapping[str, Sequence[Asked]], index: SearchIndex) -> str:
    slices = {"clean": lambda one: not one.noise, "noise": lambda one: one.noise}
    first = next(iter(replayed.values()))
    counts = {name: sum(map(bool, map(belongs, first))) for name, belongs in slices.items()}
    columns = [f"{name} ({count}), @1 / @5" for name, count in counts.items() if count]
    lines = [
        [value, *(_success([one for one in each if slices[name](one)], index) for name in slices if counts[name])]
        for value, each in replayed.items()
    ]
    return table([name, *columns], lines)


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
        [result.title for result in search_rewrites(one.proposal, index, LOOKED_AT, one.likelihoods).page.results]
        for one in asked
    ]
    first, among = (
        sum(one.title in titles[:at] for one, titles in zip(asked, found, strict=True)) / len(asked) for at in (1, 5)
    )
    return f"{first:.1%} / {among:.1%}"


if __name__ == "__main__":
    typer.run(main)
