"""Scores: what was heard, found and cut against what is known of the recordings.

Each kind of knowledge in a row has its measure: `text` the word error rate, `slots` (name → value that must be heard)
their recall and acceptance, `query_doc` (whose title must be found) search success and losses, `utterances`
endpointing. `noise`, `background`, `speaker` and `hard` slice them.
"""

import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from evaluation.rows import EvaluatedRow, Figures, Span
from evaluation.search_success import disturbances, losses, success, withheld
from evaluation.slices import NOISE, slices

COVERED = 0.5  # share of an utterance that one segment must cover to have detected it
TOUCHED = 0.05  # seconds that a segment must share with an utterance to be a right one

normalise = EnglishTextNormalizer()


@dataclass(frozen=True)
class Measure:
    """What is measured of the rows that it applies to, and by which of their keys they are sliced."""

    applies: Callable[[EvaluatedRow], bool]
    of: Callable[[Sequence[EvaluatedRow]], Figures]
    keys: Sequence[str] = NOISE


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number from 0 up, as seconds are."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def row_problem(row: Mapping[str, Any]) -> str:
    """What keeps a row from being scored; nothing where it can be."""
    text, slots, wanted, spans = (row.get(key) for key in ("text", "slots", "query_doc", "utterances"))
    if text is not None and not (isinstance(text, str) and _words(text)):
        return "'text' must be the words that are said; leave it out where there are none"
    if slots is not None and not (isinstance(slots, dict) and all(map(_is_slot_value, slots.values()))):
        return "'slots' must be an object of names and the texts that must be heard"
    if wanted is not None and not (isinstance(wanted, str) and wanted and text):
        return "'query_doc' must be the id of a document as text, with 'text' beside it: what is asked for it"
    if "utterances" in row and not (isinstance(spans, list) and spans and all(map(_is_span, spans))):
        return '\'utterances\' must be a list of {"start": seconds, "end": seconds}, and not empty'
    if not all(isinstance(row.get(key), str | None) for key in (*NOISE, "speaker")):
        return "'noise', 'background' and 'speaker' must be text or null"
    if not isinstance(row.get("hard"), bool | None):
        return "'hard' must be true, false or null"
    return ""


def _is_slot_value(value: object) -> bool:
    return isinstance(value, str) and bool(_slot_words(value).strip())


def _is_span(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    start, end = value.get("start"), value.get("end")
    return is_number(start) and is_number(end) and start < end


def figures(heard: Sequence[EvaluatedRow]) -> dict[str, dict[str, Figures]]:
    """What was measured: kind → slice of the rows → figures. Rates are shares from 0 to 1."""
    searched = (*NOISE, "speaker", "hard")
    measures = {
        "word error rate": Measure(
            lambda h: h.row.get("text") is not None and not h.row.get("utterances"), _word_errors, (*NOISE, "speaker")
        ),
        "slots": Measure(lambda h: bool(h.row.get("slots")), _slots),
        "search": Measure(lambda h: bool(h.row.get("query_doc")), success, searched),
        "search loss": Measure(lambda h: bool(h.row.get("query_doc")), losses, searched),
        "withheld": Measure(lambda h: h.is_unsure and bool(h.row.get("query_doc")), withheld, searched),
        "nothing asked for": Measure(lambda h: h.searched and not h.row.get("query_doc"), disturbances),
        "endpointing": Measure(lambda h: "utterances" in h.row, _endpointing),
        "latency, ms": Measure(lambda h: h.seconds > 0, _latency),
    }
    report: dict[str, dict[str, Figures]] = {}
    for name, measure in measures.items():
        if rows := [h for h in heard if measure.applies(h)]:
            report[name] = {part: measure.of(members) for part, members in slices(rows, measure.keys).items()}
    return report


def _words(text: str) -> str:
    """Whisper's English normal form, with numbers digit by digit: "one zero" and "10" are the same said."""
    spaced = re.sub(r"(\d)", r" \1 ", re.sub(r"\bone\b", "1", normalise(text)))
    return " ".join(spaced.split())


def _word_errors(heard: Sequence[EvaluatedRow]) -> Figures:
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


def _slots(heard: Sequence[EvaluatedRow]) -> Figures:
    hits = [[_slot_words(value) in _slot_words(h.text) for value in h.row["slots"].values()] for h in heard]
    values = [hit for row in hits for hit in row]
    return {
        "clips": len(hits),
        "slot_recall": sum(values) / len(values),
        "acceptance": sum(all(row) for row in hits) / len(hits),
    }


def _latency(heard: Sequence[EvaluatedRow]) -> Figures:
    milliseconds = sorted(1000 * h.seconds for h in heard)
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive") if len(heard) > 1 else milliseconds * 99
    return {
        "clips": len(heard),
        "p50": cuts[49],
        "p95": cuts[94],
        "p99": cuts[98],
        "times real time": 1000 * sum(h.duration for h in heard) / sum(milliseconds),
    }


def _endpointing(heard: Sequence[EvaluatedRow]) -> Figures:
    return endpointing(([(u["start"], u["end"]) for u in h.row["utterances"]], h.segments) for h in heard)


def endpointing(recordings: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> Figures:
    """How well segments are utterances, in seconds; of each recording first these, then what was cut out of it.

    An utterance is detected when one segment covers half of it, merged when that one detects another as well, and split
    when several have a part of it. A segment is right when it touches an utterance.
    """
    utterances = segments = detected = right = split = merged = 0
    for spans, cut in recordings:
        utterances += len(spans)
        segments += len(cut)
        detects = [[_shared(u, s) >= COVERED * (u[1] - u[0]) for u in spans] for s in cut]
        detected += sum(map(any, zip(*detects, strict=True)))
        merged += sum(sum(row) for row in detects if sum(row) > 1)
        right += sum(any(_shared(u, s) > TOUCHED for u in spans) for s in cut)
        split += sum(sum(_shared(u, s) > 2 * TOUCHED for s in cut) > 1 for u in spans)
    return {
        "utterances": utterances,
        "recall": detected / utterances,
        "precision": right / max(1, segments),
        "split": split / utterances,
        "merged": merged / utterances,
    }


def _shared(a: Span, b: Span) -> float:
    """Seconds that two spans have in common."""
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
