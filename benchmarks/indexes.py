"""The same questions put to two indexes of the same documents: how long each takes, and whether they answer the same.

    python -m benchmarks.indexes MANIFEST READINGS tantivy:FOLDER postgresql://… [--documents 34000] [--queries 200]

The manifest's rows have `audio` and `text`, what was asked; the readings are JSON lines of `audio` and `readings`, a
list of [text, …], the best first. An index that is empty is filled with `large_catalogue` first, and its rate told.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import typer

from benchmarks.large_catalogue import large_catalogue
from benchmarks.report import machine, percentile, publish, table
from search.index import SearchIndex
from search.opening import open_index
from search.phonetic.keys import query_keys
from search.voice.candidates import MAX_READINGS, RETRIEVED, find_candidates
from search.voice.phonetic_reading import distinct
from search.voice.query import PROPOSED

# A question to an index, and what is to be the same in the answers of both.
Ask = Callable[[SearchIndex], Any]


def main(
    manifest: Path,
    readings: Path,
    one: str,
    other: str,
    documents: int = 34_000,
    queries: int = 200,
    write: bool = False,
) -> None:
    rows = [json.loads(line) for line in manifest.read_text().splitlines()][:queries]
    heard = {row["audio"]: row["readings"] for row in map(json.loads, readings.read_text().splitlines())}
    kinds: dict[str, list[Ask]] = {"typed": [], "heard": [], "names by sound": [], "candidates": []}
    for row in rows:
        for kind, ask in _questions(row["text"], [text for text, *_ in heard[row["audio"]]]).items():
            kinds[kind].append(ask)
    with open_index(one) as first, open_index(other) as second:
        indexes = {url.split(":")[0]: index for url, index in ((one, first), (other, second))}
        for name, index in indexes.items():
            _fill(name, index, documents)
        lines = [line for kind, asks in kinds.items() for line in _compared(kind, asks, indexes)]
        count = first.count()
    columns = ["question", "index", "median", "p95", "same answers"]
    publish(f"indexes {count}", f"{count:,} documents ({machine()}):\n\n{table(columns, lines)}", write=write)


def _questions(typed: str, texts: list[str]) -> dict[str, Ask]:
    keys = {key for reading in distinct(texts, MAX_READINGS) for key in query_keys(reading.phones)}
    return {
        "typed": lambda index: _ids(index, typed),
        "heard": lambda index: _ids(index, texts[0]),
        "names by sound": lambda index: {named.id for named in index.sounding_like(keys, RETRIEVED)},
        "candidates": lambda index: [(c.name, c.document_ids) for c in find_candidates(texts, index, PROPOSED)],
    }


def _ids(index: SearchIndex, query: str) -> tuple[list[str], int]:
    found = index.search(query)
    return [result.id for result in found.results], found.total


def _fill(name: str, index: SearchIndex, documents: int) -> None:
    if not index.count():
        started = time.perf_counter()
        index.replace(large_catalogue(documents))
        print(f"{name}: {documents / (time.perf_counter() - started):,.0f} documents a second")


def _compared(kind: str, asks: list[Ask], indexes: dict[str, SearchIndex]) -> list[list[str]]:
    answers: dict[str, list[Any]] = {name: [] for name in indexes}
    times: dict[str, list[float]] = {name: [] for name in indexes}
    for ask in asks:
        for name, index in indexes.items():
            started = time.perf_counter()
            answers[name].append(ask(index))
            times[name].append((time.perf_counter() - started) * 1e3)
    same = sum(one == other for one, other in zip(*answers.values(), strict=True))
    return [
        [kind, name, f"{median(took):.1f} ms", f"{percentile(took, 0.95):.1f} ms", f"{same} of {len(asks)}"]
        for name, took in times.items()
    ]


if __name__ == "__main__":
    typer.run(main)
