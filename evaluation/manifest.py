"""Manifests: recordings and what is known of them; and predictions, what was recognised in them."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.measures import is_number, row_problem
from evaluation.rows import EvaluatedRow
from evaluation.slices import NOISE
from search.text.spelling import nearest, not_known

ROW_KEYS = ("audio", "text", "slots", "query_doc", "utterances", *NOISE, "speaker", "hard")
PREDICTION_KEYS = ("audio", "text", "seconds", "segments")


class EvaluationError(Exception):
    """A manifest or a recording cannot be used; the message says which and how to mend it."""


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


def read_predictions(path: Path) -> dict[str, tuple[str, float]]:
    """What another recogniser heard, by recording: JSONL with `audio`, `text` and, if it was timed, `seconds`."""
    said = {}
    for number, line in _read_jsonl(path, PREDICTION_KEYS):
        text, seconds = line.get("text"), line.get("seconds", 0.0)
        if not isinstance(text, str) or not is_number(seconds):
            problem = "'text' must be text, and 'seconds' a number of them"
            raise EvaluationError(f"{path}, line {number}: {problem}.")
        said[line["audio"]] = (text, float(seconds))
    return said


def check_writable(path: Path) -> None:
    """Raises EvaluationError now, not when everything has been heard."""
    try:
        path.open("a").close()
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}. Name another file.") from error


def write_predictions(path: Path, heard: Sequence[EvaluatedRow]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for h in heard:
            said = (
                {"segments": h.segments} if "utterances" in h.row else {"text": h.text, "seconds": round(h.seconds, 4)}
            )
            file.write(json.dumps({"audio": h.row["audio"], **said}, ensure_ascii=False) + "\n")
