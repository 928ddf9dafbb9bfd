"""`sayseek-server evaluate`: accuracy and speed on recordings whose meaning is known.

A manifest is JSONL beside its audio. What a row says decides what is measured: `text` the word error rate,
`slots` (name → value that must be heard) their recall and acceptance, `query_doc` (the id that must be found)
search success, typed and spoken, and what spoken queries lose it by, and `utterances` ({start, end} in seconds)
endpointing. `noise`, `background`, `speaker` and `hard` (true or false) make slices that are measured on their own.
Other keys are named once and have no effect; one that is called much like these is refused as misspelt.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from asr.audio.decode import Audio, AudioLimits, decode_audio
from asr.errors import AsrError
from asr.runtime.choose import shares_here
from asr.transcriber import Transcriber
from asr.transcript import Verdict
from evaluation.manifest import (
    ROW_KEYS,
    EvaluationError,
    check_writable,
    read_manifest,
    read_predictions,
    write_predictions,
)
from evaluation.measures import figures
from evaluation.report import print_tables
from evaluation.rows import EvaluatedRow, Span
from evaluation.search_success import FIRST, NEAREST
from pipeline.expected_names import CatalogueHotwords
from pipeline.model import load_replicas
from pipeline.options import RecognitionOptions
from pipeline.voice_search import DEFAULT_ALTERNATIVES, VoiceQuery, run, voice_search_steps
from search.catalogue.files import read_catalogue
from search.index import SearchIndex
from search.opening import open_index
from search.result import SearchOptions
from search.voice.candidates import Candidate, find_candidates
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, VoiceSearchResult, search_rewrites
from vad.utterances import UtteranceCutter, pcm16

MOST_NAMED = 20
LOOKED_AT = SearchOptions(FIRST)


def run_evaluation(
    options: RecognitionOptions,
    manifest: Path,
    catalogue: Path | None,
    predictions: Path | None,
    others: Path | None,
    *,
    out: Console,
    err: Console,
    as_json: bool,
) -> None:
    """Evaluate and print; with `others`, what another recogniser heard is scored instead of hearing.

    Raises EvaluationError; errors of models and catalogues pass through.
    """
    rows = read_manifest(manifest)
    if others_own := dict.fromkeys(key for row in rows for key in row if key not in ROW_KEYS):
        names = escape(", ".join(list(others_own)[:MOST_NAMED]))
        err.print(f"Keys by which nothing is measured: {names}", highlight=False, soft_wrap=True)
    said = read_predictions(others) if others else None
    catalogue = _catalogue(catalogue, manifest, rows)
    if predictions:
        check_writable(predictions)
    with _opened(catalogue) as index:
        if "utterances" in rows[0]:
            heard = [EvaluatedRow(row, segments=_segments(manifest.parent / row["audio"])) for row in rows]
        elif said is not None:
            heard = [_read_text(row, manifest.parent, *said.get(row["audio"], ("", 0.0)), index) for row in rows]
        else:
            heard = _hear_all(options, rows, manifest.parent, index, err)
        if index:
            _search_typed(heard, index)
    if predictions:
        write_predictions(predictions, heard)
    report = figures(heard)
    if as_json:
        out.print_json(json.dumps(report))
    else:
        print_tables(report, out)


def _catalogue(given: Path | None, manifest: Path, rows: Sequence[Mapping[str, Any]]) -> Path | None:
    """The catalogue to search, if there is one. Raises EvaluationError where it lacks what must be found."""
    catalogue = given or manifest.parent / "catalogue.jsonl"
    wanted = {row["query_doc"] for row in rows if row.get("query_doc")}
    if not catalogue.is_file():
        if given or wanted:
            problem = f"There is no catalogue {catalogue}. Name the file with the documents: --catalogue FILE."
            raise EvaluationError(problem)
        return None
    if wanted := wanted - {document.id for document in read_catalogue(catalogue)}:
        raise EvaluationError(f"{catalogue} has no document {min(wanted)!r}, which the manifest says must be found.")
    return catalogue


@contextmanager
def _opened(catalogue: Path | None) -> Iterator[SearchIndex | None]:
    """An index of the catalogue, if there is one, for as long as it is needed."""
    if catalogue is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as scratch, open_index(f"tantivy:{scratch}/index") as index:
        index.upsert(read_catalogue(catalogue))
        yield index


def _hear_all(
    options: RecognitionOptions,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    index: SearchIndex | None,
    err: Console,
) -> list[EvaluatedRow]:
    decode = partial(decode_audio, limits=AudioLimits(options.max_audio_seconds))
    # One clip at a time: more replicas would have nothing to do.
    with load_replicas(options, shares_here(replicas=1, threads=options.threads)) as engine:
        transcriber = Transcriber(engine, languages=options.languages, decode=decode, unsure_below=options.unsure_below)
        names = None
        if index:
            catalogue = CatalogueHotwords(index, transcriber.tokenizer, options.expected_names)
            catalogue.read()
            names = catalogue.trie
        decoding = transcriber.options(alternatives=DEFAULT_ALTERNATIVES)
        # What an unsure text finds is measured, too: `withheld` tells what users do not see of it.
        query = VoiceQuery(decoding, LOOKED_AT, names, unsure_results=True)
        if not index:  # decoded as a server would, which always searches
            query = replace(query, decoding=query.decoding_for_search, search=None)
        _hear(rows[0], folder, transcriber, query, index)  # not counted: the first call allocates
        return [
            _hear(row, folder, transcriber, query, index)
            for row in track(rows, "Listening", console=err, transient=True)
        ]


def _hear(
    row: Mapping[str, Any], folder: Path, transcriber: Transcriber, query: VoiceQuery, index: SearchIndex | None
) -> EvaluatedRow:
    """Hear a recording, and search for what was meant; both count as time."""
    data = (folder / row["audio"]).read_bytes()
    began = time.perf_counter()
    try:
        outcome = run(voice_search_steps(transcriber, partial(transcriber.prepare, data), query), index)
    except AsrError as error:
        raise EvaluationError(f"{row['audio']}: {error}") from error
    transcript = outcome.transcript
    heard = EvaluatedRow(row, transcript.text, time.perf_counter() - began, transcript.duration)
    heard.is_unsure = transcript.quality.verdict is Verdict.UNSURE
    if index and outcome.searched:
        heard.found = _titles(outcome.searched.results)
        others = (*transcript.alternatives, *transcript.biased)
        _trace(heard, [transcript.text, *(other.text for other in others)], outcome.searched.proposal, index)
    return heard


def _read_text(
    row: Mapping[str, Any], folder: Path, text: str, seconds: float, index: SearchIndex | None
) -> EvaluatedRow:
    """What another recogniser heard, and what is found for its text; both count as time."""
    started = time.perf_counter()
    found = _titles(search_rewrites(Proposal(RecognisedText(text)), index, LOOKED_AT)) if index else []
    heard = EvaluatedRow(row, text, seconds + time.perf_counter() - started, found=found)
    heard.duration = _decoded(folder / row["audio"]).duration
    if index:
        _trace(heard, [text], Proposal(RecognisedText(text)), index)
    return heard


def _trace(heard: EvaluatedRow, readings: Sequence[str], proposal: Proposal, index: SearchIndex) -> None:
    """Tell what would have been found otherwise, and how far the search came: see `evaluation.search_success`."""
    by_text = [_titles(search_rewrites(Proposal(RecognisedText(text)), index, LOOKED_AT)) for text in readings]
    heard.searched, heard.found_plain = True, by_text[0]
    heard.considered = {*by_text[0], *_titles_called(proposal.candidates, index)}
    heard.in_reach = {*chain(*by_text), *_titles_called(find_candidates(readings, index, NEAREST), index)}


def _search_typed(heard: Sequence[EvaluatedRow], index: SearchIndex) -> None:
    """Search for what was said, and tell what must be found."""
    for h in heard:
        h.found_typed = _titles(search_rewrites(Proposal(RecognisedText(h.row.get("text") or "")), index, LOOKED_AT))
        if wanted := h.row.get("query_doc"):
            document = index.get(wanted)
            h.row = {**h.row, "title": document.title if document else None}


def _titles(found: VoiceSearchResult) -> list[str]:
    return [result.title for result in found.page.results]


def _titles_called(candidates: Sequence[Candidate], index: SearchIndex) -> set[str]:
    """The titles of the documents that have one of these names."""
    documents = (index.get(document_id) for candidate in candidates for document_id in candidate.document_ids)
    return {document.title for document in documents if document}


def _segments(path: Path) -> list[Span]:
    """The utterances of a recording, as the edge would cut them: start and end in seconds."""
    cutter = UtteranceCutter()
    utterances = (*cutter.push(pcm16(_decoded(path).samples)), *cutter.flush())
    return [(utterance.start, utterance.end) for utterance in utterances]


def _decoded(path: Path) -> Audio:
    """A recording that is not heard here, however long. Raises EvaluationError."""
    try:
        return decode_audio(path.read_bytes(), AudioLimits(max_seconds=3600.0))
    except AsrError as error:
        raise EvaluationError(f"{path.name}: {error}") from error
