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
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from asr.audio.decode import Audio, AudioLimits, decode_audio
from asr.decoding.window import DecodingOptions
from asr.errors import AsrError
from asr.runtime.choose import shares_here
from asr.transcriber import Transcriber
from search.catalogue.files import read_catalogue
from search.index import SearchIndex, open_index
from search.result import SearchOptions
from search.text.spelling import nearest, not_known
from search.voice.candidates import Candidate, find_candidates
from search.voice.hypothesis import RecognisedText
from search.voice.query import Proposal, VoiceResults, find, propose
from server.heard import Heard, Span
from server.names import CatalogueNames
from server.query_rewriting import to_be_searched
from server.report import print_tables
from server.routes.voice_search import DEFAULT_ALTERNATIVES
from server.scoring import figures, is_number, row_problem
from server.services import load_replicas
from server.settings import Settings
from server.slices import NOISE
from server.success import FIRST, NEAREST
from vad.utterances import UtteranceCutter, pcm16

ROW_KEYS = ("audio", "text", "slots", "query_doc", "utterances", *NOISE, "speaker", "hard")
PREDICTION_KEYS = ("audio", "text", "seconds", "segments")
MOST_NAMED = 20
LOOKED_AT = SearchOptions(FIRST)


class EvaluationError(Exception):
    """A manifest or a recording cannot be used; the message says which and how to mend it."""


def run_evaluation(
    settings: Settings,
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
    said = _read_predictions(others) if others else None
    catalogue = _catalogue(catalogue, manifest, rows)
    if predictions:
        _check_writable(predictions)
    with _opened(catalogue) as index:
        if "utterances" in rows[0]:
            heard = [Heard(row, segments=_segments(manifest.parent / row["audio"])) for row in rows]
        elif said is not None:
            heard = [_read_text(row, manifest.parent, *said.get(row["audio"], ("", 0.0)), index) for row in rows]
        else:
            heard = _hear_all(settings, rows, manifest.parent, index, err)
        if index:
            _search_typed(heard, index)
    if predictions:
        _write_predictions(predictions, heard)
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


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """The rows of a manifest. Raises EvaluationError that names the line of a bad one."""
    rows: list[dict[str, Any]] = []
    for number, row in _read_jsonl(path, ROW_KEYS):
        if problem := row_problem(row) or _missing(path.parent / row["audio"]):
            raise EvaluationError(f"{path}, line {number}: {problem}.")
        if rows and ("utterances" in row) != ("utterances" in rows[0]):
            problem = "either all rows have 'utterances' or none has; make two manifests"
            raise EvaluationError(f"{path}, line {number}: {problem}.")
        rows.append(row)
    if not rows:
        raise EvaluationError(f"{path} is empty.")
    return rows


def _missing(audio: Path) -> str:
    try:
        found = audio.is_file()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    return "" if found else f"there is no file {audio.name!r} beside the manifest"


def _read_jsonl(path: Path, known: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file, one a line, each with its line's number.

    They may have keys of their owner's own. Raises EvaluationError for one that is a known key misspelt.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise EvaluationError(f"{path}, line {number}: this is not JSON ({error}).") from error
        if isinstance(row, dict) and (problem := _misspelt(row, known)):
            raise EvaluationError(f"{path}, line {number}: {problem}")
        if not isinstance(row, dict) or not isinstance(row.get("audio"), str):
            problem = "every line is a JSON object with the text 'audio', the name of a recording"
            raise EvaluationError(f"{path}, line {number}: {problem}.")
        yield number, row


def _misspelt(row: Mapping[str, Any], known: Collection[str]) -> str:
    """What to tell of a key that is probably another, which the row has not; nothing where there is none."""
    for key in row:
        if key not in known and nearest(key, known) not in (None, *row):
            return f"{not_known(key, known, 'a key')} (If it is your own, give it another name.)"
    return ""


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
    settings: Settings, rows: Sequence[Mapping[str, Any]], folder: Path, index: SearchIndex | None, err: Console
) -> list[Heard]:
    decode = partial(decode_audio, limits=AudioLimits(settings.max_audio_seconds))
    # One clip at a time: more replicas would have nothing to do.
    with load_replicas(settings, shares_here(replicas=1, threads=settings.threads)) as engine:
        transcriber = Transcriber(
            engine, languages=settings.languages, decode=decode, unsure_below=settings.unsure_below
        )
        names = None
        if index:
            catalogue = CatalogueNames(index, transcriber.tokenizer, settings.expected_names)
            catalogue.read()
            names = catalogue.trie
        options = to_be_searched(transcriber.options(alternatives=DEFAULT_ALTERNATIVES), names)
        _hear(rows[0], folder, transcriber, options, index)  # not counted: the first call allocates
        return [
            _hear(row, folder, transcriber, options, index)
            for row in track(rows, "Listening", console=err, transient=True)
        ]


def _hear(
    row: Mapping[str, Any], folder: Path, transcriber: Transcriber, options: DecodingOptions, index: SearchIndex | None
) -> Heard:
    """Hear a recording, and search for what was meant; both count as time."""
    data = (folder / row["audio"]).read_bytes()
    started = time.perf_counter()
    try:
        transcript, score = transcriber.hear(data, options)
    except AsrError as error:
        raise EvaluationError(f"{row['audio']}: {error}") from error
    heard = Heard(row, transcript.text, duration=transcript.duration)
    if index:
        proposal = propose(transcript, index)
        told = score(proposal.texts).result() if score else []
        heard.found = _titles(find(proposal, index, LOOKED_AT, dict(zip(proposal.texts, told, strict=False))))
    heard.seconds = time.perf_counter() - started
    if index:
        others = (*transcript.alternatives, *transcript.biased)
        _trace(heard, [transcript.text, *(other.text for other in others)], proposal, index)
    return heard


def _read_text(row: Mapping[str, Any], folder: Path, text: str, seconds: float, index: SearchIndex | None) -> Heard:
    """What another recogniser heard, and what is found for its text; both count as time."""
    started = time.perf_counter()
    found = _titles(find(Proposal(RecognisedText(text)), index, LOOKED_AT)) if index else []
    heard = Heard(row, text, seconds + time.perf_counter() - started, found=found)
    heard.duration = _decoded(folder / row["audio"]).duration
    if index:
        _trace(heard, [text], Proposal(RecognisedText(text)), index)
    return heard


def _trace(heard: Heard, readings: Sequence[str], proposal: Proposal, index: SearchIndex) -> None:
    """Tell what would have been found otherwise, and how far the search came: see `server.success`."""
    by_text = [_titles(find(Proposal(RecognisedText(text)), index, LOOKED_AT)) for text in readings]
    heard.searched, heard.found_plain = True, by_text[0]
    heard.considered = {*by_text[0], *_titles_called(proposal.candidates, index)}
    heard.in_reach = {*chain(*by_text), *_titles_called(find_candidates(readings, index, NEAREST), index)}


def _search_typed(heard: Sequence[Heard], index: SearchIndex) -> None:
    """Search for what was said, and tell what must be found."""
    for h in heard:
        h.found_typed = _titles(find(Proposal(RecognisedText(h.row.get("text") or "")), index, LOOKED_AT))
        if wanted := h.row.get("query_doc"):
            document = index.get(wanted)
            h.row = {**h.row, "title": document.title if document else None}


def _titles(found: VoiceResults) -> list[str]:
    return [result.title for result in found.found.results]


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


def _read_predictions(path: Path) -> dict[str, tuple[str, float]]:
    """What another recogniser heard, by recording: JSONL with `audio`, `text` and, if it was timed, `seconds`."""
    said = {}
    for number, line in _read_jsonl(path, PREDICTION_KEYS):
        text, seconds = line.get("text"), line.get("seconds", 0.0)
        if not isinstance(text, str) or not is_number(seconds):
            problem = "'text' must be text, and 'seconds' a number of them"
            raise EvaluationError(f"{path}, line {number}: {problem}.")
        said[line["audio"]] = (text, float(seconds))
    return said


def _check_writable(path: Path) -> None:
    """Raises EvaluationError now, not when everything has been heard."""
    try:
        path.open("a").close()
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}. Name another file.") from error


def _write_predictions(path: Path, heard: Sequence[Heard]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for h in heard:
            said = (
                {"segments": h.segments} if "utterances" in h.row else {"text": h.text, "seconds": round(h.seconds, 4)}
            )
            file.write(json.dumps({"audio": h.row["audio"], **said}, ensure_ascii=False) + "\n")
