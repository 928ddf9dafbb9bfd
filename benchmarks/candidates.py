"""How often the name that was said is among the candidates by sound, and how long they take.

    python -m benchmarks.candidates MANIFEST READINGS CATALOGUE [--documents 1000000] [--index INDEX]

The manifest's rows have `audio`, `query_doc` (the document that was asked for), `noise`, `speaker` and `hard`; the
readings are JSON lines of `audio` and `readings`, a list of [text, …], the best first. A document with the title that
was asked for counts as right. The catalogue is filled up to `--documents` with the world's places and made-up products.
An index that is there is used again.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import typer

from benchmarks.large_catalogue import large_catalogue
from benchmarks.report import machine, percentile, publish, table
from search.catalogue.document import Document
from search.catalogue.files import read_catalogue
from search.index import SearchIndex
from search.opening import open_index
from search.voice.candidates import find_candidates

AMONG = (1, 8, 32, 48, 128)
MISSED = 1 << 30


def main(
    manifest: Path,
    readings: Path,
    catalogue: Path,
    documents: int = 0,
    index: str | None = None,
    write: bool = False,
) -> None:
    with tempfile.TemporaryDirectory() as scratch, open_index(index or scratch) as opened:
        if not opened.count():
            started = time.perf_counter()
            count = opened.upsert(_filled(catalogue, documents))
            print(f"{count:,} documents indexed at {count / (time.perf_counter() - started):,.0f} a second")
        rows = [json.loads(line) for line in manifest.read_text().splitlines()]
        heard = {
            row["audio"]: [text for text, *_ in row["readings"]]
            for row in map(json.loads, readings.read_text().splitlines())
        }
        titles = {document.id: document.title for document in read_catalogue(catalogue)}
        measured = [_measured(opened, heard[row["audio"]], row["query_doc"], titles) for row in rows]
        publish(f"candidates {catalogue.stem} {opened.count()}", _report(rows, measured, opened.count()), write=write)


def _filled(catalogue: Path, count: int) -> Iterator[Document]:
    """The catalogue's documents, then places, then products, `count` in all or more."""
    own = list(read_catalogue(catalogue))
    yield from own
    yield from large_catalogue(max(0, count - len(own)))


def _measured(index: SearchIndex, texts: list[str], wanted: str, titles: dict[str, str]) -> tuple[int, float]:
    """The rank of the document that was asked for, from 0, and the milliseconds it took."""
    started = time.perf_counter()
    candidates = find_candidates(texts, index, max(AMONG))
    took = (time.perf_counter() - started) * 1e3
    right = (
        rank
        for rank, candidate in enumerate(candidates)
        if any(titles.get(found) == titles[wanted] for found in candidate.document_ids)
    )
    return next(right, MISSED), took


def _report(rows: list[dict[str, object]], measured: list[tuple[int, float]], count: int) -> str:
    clean = [row["noise"] is None for row in rows]
    slices = {"clean": np.array(clean), "noise": ~np.array(clean)}
    slices["clean, hard"] = np.array([row["hard"] and row["noise"] is None for row in rows])
    for speaker in sorted({str(row["speaker"]) for row in rows}):
        slices[f"clean, {speaker}"] = np.array([row["speaker"] == speaker and row["noise"] is None for row in rows])
    ranks = np.array([rank for rank, _ in measured])
    lines = [
        [name, str(chosen.sum()), *(f"{(ranks[chosen] < among).mean():.1%}" for among in AMONG)]
        for name, chosen in slices.items()
        if chosen.any()
    ]
    times = [took for _, took in measured]
    return (
        f"{count:,} documents ({machine()}): {median(times):.1f} ms median, {percentile(times, 0.95):.1f} ms p95.\n\n"
        + table(["slice", "queries", *(f"among {among}" for among in AMONG)], lines)
    )


if __name__ == "__main__":
    typer.run(main)
