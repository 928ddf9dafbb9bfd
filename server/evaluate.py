"""`sayseek-server evaluate`: accuracy and speed on recordings whose meaning is known.

A manifest is JSONL beside its audio. What a row says decides what is measured: `text` the word error rate,
`slots` (name → value that must be heard) their recall and acceptance, `query_doc` (the id that must be found)
search success, typed and spoken, and `utterances` ({start, end} in seconds) endpointing. `noise` groups rows.
"""

import json
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from whisper_normalizer.english import EnglishTextNormalizer

from asr.audio import SAMPLE_RATE, AudioLimits, decode_audio
from asr.errors import AsrError
from asr.transcriber import Transcriber
from search.catalogue import read_catalogue
from search.index import SearchIndex, open_index
from search.voice_query import find
from server.routes.voice_search import DEFAULT_ALTERNATIVES
from server.services import load_transcriber
from server.settings import Settings
from vad.detector import FRAME_SECONDS, SpeechDetector
from vad.endpointer import Endpointer, EndpointerOptions, Event, UtteranceEnded
from vad.frames import FrameCutter

Figures = dict[str, float | int]
Span = tuple[float, float]

COVERED = 0.5  # share of an utterance that one segment must cover to have detected it
TOUCHED = 0.05  # seconds that a segment must share with an utterance to be a right one

normalise = EnglishTextNormalizer()


class EvaluationError(Exception):
    """A manifest or a recording cannot be used; the message says which and how to mend it."""


@dataclass
class Heard:
    """A row of the manifest and what became of it; `found` are titles, the best first, and `seconds` the time."""

    row: Mapping[str, Any]
    text: str = ""
    seconds: float = 0.0
    found: list[str] = field(default_factory=list)
    found_typed: list[str] = field(default_factory=list)
    segments: list[Span] = field(default_factory=list)


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
    catalogue = catalogue or manifest.parent / "catalogue.jsonl"
    if "utterances" in rows[0]:
        heard = [Heard(row, segments=_segments(manifest.parent / row["audio"])) for row in rows]
    elif others:
        heard = _read_predictions(others, rows)
    else:
        heard = _hear_all(settings, rows, manifest.parent, err)
    if catalogue.is_file():
        _search_all(heard, catalogue)
    if predictions:
        _write_predictions(predictions, heard)
    report = figures(heard)
    if as_json:
        out.print_json(json.dumps(report))
    else:
        _print(report, out)


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """The rows of a manifest. Raises EvaluationError that names the line of a bad one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not (path.parent / row["audio"]).is_file():
                raise EvaluationError(f"{path}, line {number}: there is no file {row['audio']!r} beside the manifest.")
        except (ValueError, KeyError, TypeError) as error:
            raise EvaluationError(
                f"{path}, line {number}: every line is a JSON object with the key 'audio' ({error!r})."
            ) from error
        rows.append(row)
    if not rows:
        raise EvaluationError(f"{path} is empty.")
    return rows


def _hear_all(settings: Settings, rows: Sequence[Mapping[str, Any]], folder: Path, err: Console) -> list[Heard]:
    transcriber = load_transcriber(settings)
    with transcriber.engine:
        _hear(rows[0], folder, transcriber)  # not counted: the first call allocates
        return [_hear(row, folder, transcriber) for row in track(rows, "Listening", console=err, transient=True)]


def _hear(row: Mapping[str, Any], folder: Path, transcriber: Transcriber) -> Heard:
    data = (folder / row["audio"]).read_bytes()
    started = time.perf_counter()
    try:
        text = transcriber.transcribe(data, transcriber.options(alternatives=DEFAULT_ALTERNATIVES)).text
    except AsrError as error:
        raise EvaluationError(f"{row['audio']}: {error}") from error
    return Heard(row, text, time.perf_counter() - started)


def _search_all(heard: Sequence[Heard], catalogue: Path) -> None:
    """Search a catalogue for what was heard and, beside it, for what was said; the search counts as time."""
    with tempfile.TemporaryDirectory() as scratch, open_index(f"tantivy:{scratch}/index") as index:
        index.upsert(read_catalogue(catalogue))
        for h in heard:
            started = time.perf_counter()
            h.found = _titles(h.text, index)
            h.seconds += time.perf_counter() - started
            h.found_typed = _titles(h.row.get("text") or "", index)
            if wanted := h.row.get("query_doc"):
                h.row = {**h.row, "title": _title(wanted, index)}


def _titles(query: str, index: SearchIndex) -> list[str]:
    return [result.title for result in find(query, index, 5).results]


def _title(document_id: str, index: SearchIndex) -> str:
    document = index.get(document_id)
    if document is None:
        raise EvaluationError(f"The catalogue has no document {document_id!r}, which the manifest says must be found.")
    return document.title


def _segments(path: Path) -> list[Span]:
    """The utterances of a recording, as the edge would cut them: start and end in seconds."""
    samples = decode_audio(path.read_bytes(), AudioLimits(max_seconds=3600.0, max_decoding_seconds=60.0)).samples
    detector = SpeechDetector(SAMPLE_RATE)
    endpointer = Endpointer(EndpointerOptions(), FRAME_SECONDS)
    pcm = np.round(samples * 32767).astype("<i2").tobytes()
    events: list[Event] = []
    for frame in FrameCutter(2 * detector.frame_samples).push(pcm):
        events += endpointer.push(detector.is_speech(frame))
    events += endpointer.flush()
    return [
        (round(event.start * FRAME_SECONDS, 3), round(event.end * FRAME_SECONDS, 3))
        for event in events
        if isinstance(event, UtteranceEnded)
    ]


def figures(heard: Sequence[Heard]) -> dict[str, dict[str, Figures]]:
    """What was measured: kind → group of rows → figures. Rates are shares from 0 to 1."""
    measures: dict[str, tuple[Callable[[Heard], bool], Callable[[Sequence[Heard]], Figures]]] = {
        "word error rate": (
            lambda h: h.row.get("text") is not None and not h.row.get("utterances"),
            _word_errors,
        ),
        "slots": (lambda h: bool(h.row.get("slots")), _slots),
        "search": (lambda h: bool(h.row.get("query_doc")), _search),
        "endpointing": (lambda h: "utterances" in h.row, _endpointing),
        "latency, ms": (lambda h: h.seconds > 0, _latency),
    }
    report: dict[str, dict[str, Figures]] = {}
    for name, (applies, measure) in measures.items():
        if rows := [h for h in heard if applies(h)]:
            report[name] = {group: measure(members) for group, members in _groups(rows).items()}
    return report


def _groups(heard: Iterable[Heard]) -> dict[str, list[Heard]]:
    """All rows, then those of each kind of noise, where the manifest tells them apart."""
    groups: dict[str, list[Heard]] = defaultdict(list)
    for h in heard:
        groups["all"].append(h)
        for key in ("noise", "background"):
            if key in h.row:
                groups[h.row[key] or "clean"].append(h)
    return groups if len(groups) > 2 else {"all": groups["all"]}


def _words(text: str) -> str:
    """Whisper's English normal form, with numbers digit by digit: "one zero" and "10" are the same said."""
    spaced = re.sub(r"(\d)", r" \1 ", re.sub(r"\bone\b", "1", normalise(text)))
    return " ".join(spaced.split())


def _word_errors(heard: Sequence[Heard]) -> Figures:
    pairs = [(_words(h.row["text"]), _words(h.text)) for h in heard]
    pairs = [(reference, hypothesis) for reference, hypothesis in pairs if reference]
    counted = jiwer.process_words([r for r, _ in pairs], [h for _, h in pairs])
    return {
        "clips": len(pairs),
        "wer": counted.wer,
        "exact": sum(r == h for r, h in pairs) / len(pairs),
        "substituted": counted.substitutions,
        "deleted": counted.deletions,
        "inserted": counted.insertions,
    }


def _slot_words(text: str) -> str:
    """A form in which a slot's value is looked for, padded with spaces: numbers as digits, units in full.

    Endings that are barely heard do not count: "iced tea" and "ice tea", "two shots" and "two shot".
    """
    text = re.sub(r"(\d+)\s*oz\b", r"\1 ounce", normalise(text.replace("-", " ")))
    words = (re.sub(r"(?<=[a-z]{3})(?<!s)s$|(?<=[a-z]e)d$", "", word) for word in text.split())
    return f" {' '.join(words)} "


def _slots(heard: Sequence[Heard]) -> Figures:
    hits = [[_slot_words(value) in _slot_words(h.text) for value in h.row["slots"].values()] for h in heard]
    values = [hit for row in hits for hit in row]
    return {
        "clips": len(hits),
        "slot_recall": sum(values) / len(values),
        "acceptance": sum(all(row) for row in hits) / len(hits),
    }


def _search(heard: Sequence[Heard]) -> Figures:
    def success(titles: Sequence[Sequence[str]]) -> float:
        return sum(h.row["title"] in found for h, found in zip(heard, titles, strict=True)) / len(heard)

    return {
        "queries": len(heard),
        "typed@1": success([h.found_typed[:1] for h in heard]),
        "typed@5": success([h.found_typed for h in heard]),
        "spoken@1": success([h.found[:1] for h in heard]),
        "spoken@5": success([h.found for h in heard]),
    }


def _latency(heard: Sequence[Heard]) -> Figures:
    milliseconds = sorted(1000 * h.seconds for h in heard)
    audio = sum(h.row.get("duration", 0.0) for h in heard)
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive") if len(heard) > 1 else milliseconds * 99
    return {
        "clips": len(heard),
        "p50": cuts[49],
        "p95": cuts[94],
        "p99": cuts[98],
        "times real time": 1000 * audio / sum(milliseconds),
    }


def _endpointing(heard: Sequence[Heard]) -> Figures:
    """An utterance is detected when one segment covers half of it; a segment is right when it touches one."""
    detected = utterances = right = segments = split = 0
    for h in heard:
        spans = [(u["start"], u["end"]) for u in h.row["utterances"]]
        utterances += len(spans)
        segments += len(h.segments)
        detected += sum(any(_shared(u, s) >= COVERED * (u[1] - u[0]) for s in h.segments) for u in spans)
        right += sum(any(_shared(u, s) > TOUCHED for u in spans) for s in h.segments)
        split += sum(sum(_shared(u, s) > 2 * TOUCHED for s in h.segments) > 1 for u in spans)
    return {
        "utterances": utterances,
        "recall": detected / utterances,
        "precision": right / max(1, segments),
        "split": split / utterances,
    }


def _shared(a: Span, b: Span) -> float:
    """Seconds that two spans have in common."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def _read_predictions(path: Path, rows: Sequence[Mapping[str, Any]]) -> list[Heard]:
    """What another recogniser heard: JSONL with `audio`, `text` and, if it was timed, `seconds`."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        said = {line["audio"]: (line["text"], float(line.get("seconds", 0.0))) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"{path} must be JSONL with 'audio' and 'text' in every line ({error!r}).") from error
    return [Heard(row, *said.get(row["audio"], ("", 0.0))) for row in rows]


def _write_predictions(path: Path, heard: Sequence[Heard]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for h in heard:
            said = (
                {"segments": h.segments} if "utterances" in h.row else {"text": h.text, "seconds": round(h.seconds, 4)}
            )
            file.write(json.dumps({"audio": h.row["audio"], **said}, ensure_ascii=False) + "\n")


def _print(report: Mapping[str, Mapping[str, Figures]], out: Console) -> None:
    for name, groups in report.items():
        columns = list(next(iter(groups.values())))
        table = Table(name, *columns, box=None, header_style="bold", pad_edge=False)
        for group, measured in groups.items():
            table.add_row(group, *(_shown(measured[column], column) for column in columns))
        out.print(table)
        out.print()


def _shown(value: float, column: str) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if column.startswith(("p5", "p9", "times")) else f"{100 * value:.1f} %"
