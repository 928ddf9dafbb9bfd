"""What it takes to find what was meant, over a search by the text alone: for one speaker, on a machine that is idle.

    python -m benchmarks.added_latency MANIFEST INDEX... [--model base] [--threads 2] [--queries 100] [--write]

The manifest's rows have `audio`; those with `noise` are passed over. INDEX is the URL of an index that was filled
before. Every recording is heard and searched for in both ways, which take turns in going first; what is added is the
difference of the two times for the same recording. Decoding is nudged by the titles where the server would.
"""

import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import typer
from rich.progress import track

from asr.decoding.contextual_bias import PhraseTrie
from asr.runtime.choose import shares_here
from asr.transcriber import Transcriber
from benchmarks.report import machine, percentile, publish, table
from pipeline.expected_names import CatalogueHotwords
from pipeline.model import load_replicas
from pipeline.voice_search import Search, VoiceQuery, Wait, recognise, run, search_recognised, take
from search.index import SearchIndex
from search.opening import open_index
from search.result import SearchOptions
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, search_rewrites
from server.settings import Settings

ALTERNATIVES = 3  # beside the text, where it is searched for alone
STEPS = ("heard", "names", "likelihoods", "results")


@dataclass(frozen=True)
class Ways:
    """Both ways to search one index, of which each tells the seconds of its steps."""

    transcriber: Transcriber
    index: SearchIndex
    names: PhraseTrie | None

    def by_text(self, audio: bytes) -> list[float]:
        times = [time.perf_counter()]
        heard = self.transcriber.transcribe(audio, self.transcriber.options(alternatives=ALTERNATIVES))
        times.append(time.perf_counter())
        search_rewrites(Proposal(RecognisedText(heard.text)), self.index)
        return [*_differences(times), 0.0, 0.0, time.perf_counter() - times[-1]]

    def by_meaning(self, audio: bytes) -> list[float]:
        query = VoiceQuery(self.transcriber.options(alternatives=ALTERNATIVES), SearchOptions(), self.names)
        times = [time.perf_counter()]
        prepare = partial(self.transcriber.prepare, audio)
        heard, clip = run(recognise(self.transcriber, prepare, query.decoding_for_search))
        times.append(time.perf_counter())
        steps = search_recognised(heard, clip, SearchOptions(), unsure_results=True)
        spent = {Search: [0.0], Wait: [0.0]}
        came = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration:
                break
            began = time.perf_counter()
            came = take(step, self.index)
            spent[type(step)].append(time.perf_counter() - began)
        return [*_differences(times), sum(spent[Search][:-1]), sum(spent[Wait]), spent[Search][-1]]


def main(
    manifest: Path,
    indexes: list[str],
    model: str = "base",
    threads: int | None = None,
    queries: int = 100,
    write: bool = False,
) -> None:
    rows = [row for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()) if not row.get("noise")]
    clips = [(manifest.parent / row["audio"]).read_bytes() for row in rows[:: max(1, -(-len(rows) // queries))]]
    settings = Settings(model=model)
    with load_replicas(settings, shares_here(replicas=1, threads=threads)) as engine:
        transcriber = Transcriber(engine)
        lines = [line for url in indexes for line in _lines(url, clips, transcriber, settings.expected_names)]
    text = table(["documents", "way", *STEPS, "altogether", "added"], lines)
    publish("added latency", f"{len(clips)} queries, {machine()}. Milliseconds, median / p95:\n\n{text}", write=write)


def _lines(url: str, clips: Sequence[bytes], transcriber: Transcriber, most_names: int) -> Iterable[list[str]]:
    with open_index(url) as index:
        count = index.count()
        names = CatalogueHotwords(index, transcriber.tokenizer, most_names)
        names.read()
        times = _measure(Ways(transcriber, index, names.trie), clips, f"{count:,} documents")
    sums = {way: [sum(each) for each in told] for way, told in times.items()}
    added = [meant - text for text, meant in zip(sums["text"], sums["meaning"], strict=True)]
    for way, told in times.items():
        steps = [_shown(step) for step in zip(*told, strict=True)]
        yield [f"{count:,}", way, *steps, _shown(sums[way]), _shown(added) if way == "meaning" else ""]


def _measure(ways: Ways, clips: Sequence[bytes], what: str) -> Mapping[str, list[list[float]]]:
    search = {"text": ways.by_text, "meaning": ways.by_meaning}
    for clip in clips[:5]:  # the first are slower
        ways.by_meaning(clip)
    times: dict[str, list[list[float]]] = {way: [] for way in search}
    turns = random.Random(5)
    for clip in track(clips, what):
        for way in turns.sample(list(search), len(search)):
            times[way].append(search[way](clip))
    return times


def _differences(times: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def _shown(seconds: Sequence[float]) -> str:
    return f"{percentile(seconds, 0.5) * 1e3:.1f} / {percentile(seconds, 0.95) * 1e3:.1f}"


if __name__ == "__main__":
    typer.run(main)
