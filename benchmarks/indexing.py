"""How fast a large catalogue is indexed, in how much memory and space, and how fast it is searched meanwhile.

    python -m benchmarks.large_catalogue FILE [--documents 1000000]
    python -m benchmarks.indexing FILE [--index FOLDER] [--queries 200]

What an index in FOLDER holds already is not indexed again. Typed queries are titles of the catalogue, some with words
around them; heard ones have a letter changed. The likelihoods of a proposal's texts are made up: the time of the model
is not in these figures.
"""

import multiprocessing
import random
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import typer

from asr.transcript import Likelihood, Quality, Timings, Transcript, Verdict
from benchmarks.large_catalogue import SCHEMA
from benchmarks.report import machine, percentile, publish, table
from search.catalogue.files import read_catalogue
from search.catalogue.filters import parse_filters
from search.index import SearchIndex
from search.opening import open_index
from search.result import SearchOptions
from search.voice.candidates import find_candidates
from search.voice.query import PROPOSED, VoiceSearchResult, propose_rewrites, search_rewrites

FILTERED = SearchOptions(filters=parse_filters(["countrycode:US,FR,CN,BR", "population:1000.."], SCHEMA))
COUNTED = SearchOptions(facets=("countrycode", "kind"))
TEMPLATES = ("{}", "hotels in {}", "show me {} please", "things to do in {}")
# Documents of one write while others search.
BATCH = 5000


def main(file: Path, index: Path | None = None, queries: int = 200, write: bool = False) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        url = f"tantivy:{index or Path(scratch) / 'index'}"
        with open_index(url, SCHEMA) as opened:
            building = "" if opened.count() else _built(opened, file, Path(url.partition(":")[2]))
            titles = [document.title for document in islice(read_catalogue(file), 0, None, opened.count() // queries)]
            columns = ["", "alone", "this process indexes", "another does"]
            report = f"{opened.count():,} documents ({machine()}). {building}Milliseconds, median / p95:\n\n"
            publish(
                f"indexing {opened.count()}", report + table(columns, _rows(opened, url, file, titles)), write=write
            )


def _built(index: SearchIndex, file: Path, folder: Path) -> str:
    before, started, worked = _memory(), time.perf_counter(), time.process_time()
    count = index.upsert(read_catalogue(file))
    took, work = time.perf_counter() - started, time.process_time() - worked
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    space = sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file()) / 1e6
    rate = f"{count / took:,.0f} documents a second, {work / count * 1e6:.0f} µs of processor time each"
    return f"Indexed in {took:.0f} s ({rate}), in {memory:,.0f} MB of memory; the index has {space:,.0f} MB.\n\n"


def _memory() -> float:
    """What the process has in memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _rows(index: SearchIndex, url: str, file: Path, titles: list[str]) -> Iterator[list[str]]:
    pick = random.Random(1)
    typed = [pick.choice(TEMPLATES).format(title.lower()) for title in titles]
    heard = [_misheard(query, pick) for query in typed]
    searches: dict[str, Callable[[str], object]] = {
        "typed": index.search,
        "typed, with filters": lambda query: index.search(query, FILTERED),
        "typed, with facets": lambda query: index.search(query, COUNTED),
        "a word that 234,908 documents have": lambda _: index.search("city"),
        "filters alone": lambda _: index.search("", FILTERED),
        "candidates by sound": lambda query: find_candidates([query], index, PROPOSED),
        "proposal and results": lambda query: asked(query, index),
    }
    times: dict[str, list[str]] = {name: [] for name in searches}
    for beside in (_nobody, _a_thread, _a_process):
        with beside(index, url, file):
            for name, search in searches.items():
                took = [_took(search, query) for query in (typed if name.startswith("typed") else heard)]
                times[name].append(f"{median(took):.1f} / {percentile(took, 0.95):.1f}")
    return ([name, *cells] for name, cells in times.items())


def _misheard(query: str, pick: random.Random) -> str:
    place = pick.randrange(len(query))
    return query[:place] + pick.choice("aeioulmnrst") + query[place + 1 :]


def asked(heard: str, index: SearchIndex) -> VoiceSearchResult:
    """All that is done for a spoken query beside the model; so that every query that may be meant is searched."""
    quality = Quality(2.0, 2.0, -20.0, 0.0, Verdict.OK)
    rarities = (5.0,) * len(heard.split())
    transcript = Transcript(heard, "en", 0.3, 2.0, (), quality, Timings(), (0.3,), rarities)
    proposal = propose_rewrites(transcript, index)
    return search_rewrites(proposal, index, likelihoods={text: Likelihood(-10.0, 8) for text in proposal.texts})


def _took(search: Callable[[str], object], query: str) -> float:
    started = time.perf_counter()
    search(query)
    return (time.perf_counter() - started) * 1e3


@contextmanager
def _nobody(_index: SearchIndex, _url: str, _file: Path) -> Iterator[None]:
    yield


@contextmanager
def _a_thread(index: SearchIndex, _url: str, file: Path) -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=_index_again, args=(index, file, done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _a_process(_index: SearchIndex, url: str, file: Path) -> Iterator[None]:
    spawned = multiprocessing.get_context("spawn")
    done = spawned.Event()
    process = spawned.Process(target=_open_and_index_again, args=(url, file, done))
    process.start()
    try:
        yield
    finally:
        done.set()
        process.join()


def _open_and_index_again(url: str, file: Path, done: threading.Event) -> None:
    with open_index(url) as index:
        _index_again(index, file, done)


def _index_again(index: SearchIndex, file: Path, done: threading.Event) -> None:
    """Write documents that are there already, batch after batch."""
    documents = (document for again in cycle([file]) for document in read_catalogue(again))
    while not done.is_set():
        index.upsert(islice(documents, BATCH))


if __name__ == "__main__":
    typer.run(main)
