"""Where utterances are found, how long after their last sample they end, and what following a stream costs.

    python -m benchmarks.endpointing MANIFEST --hangover 0.5

The manifest's rows have `audio`, `background` and `utterances` ({start, end} in seconds); recordings are 16 kHz mono.
`evaluation.measures.endpointing` says what counts as found. With `--right 0.9` a made-up recogniser says at every
pause, 0.2 s into it, whether the query is complete, and is right in nine of ten cases: what an adaptive hangover can
reach.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import soundfile
import typer

from benchmarks.report import percentile, table
from evaluation.measures import endpointing
from evaluation.rows import Span
from vad.endpointer import EndpointerOptions, Event, SpeechPaused, UtteranceEnded
from vad.frames import FRAME_SECONDS, SAMPLE_RATE
from vad.utterances import Samples, UtteranceStream

ANSWER_SECONDS = 0.12  # from the pause's announcement to the recogniser's word
WITHIN_SECONDS = 0.25  # a pause further before the utterance's end than this lies within it
COMPLETE_SECONDS, OPEN_SECONDS = 0.3, 0.8  # of silence, where the recogniser finds the query so
SHARES = ("recall", "precision", "split", "merged")


@dataclass
class Found:
    """The segments of one recording, beside its utterances, and the seconds from an utterance's end to its decision."""

    utterances: list[Span]
    segments: list[Span] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)


class Recogniser:
    """Says how long a pause is to be, by whether the query is complete; right in `share` of the cases."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._random = random.Random(1)

    def hangover(self, at: float, utterances: Sequence[Span]) -> float:
        complete = not any(start < at < end - WITHIN_SECONDS for start, end in utterances)
        right = self._random.random() < self._share
        return COMPLETE_SECONDS if complete == right else OPEN_SECONDS


def main(manifest: Path, hangover: float = 0.5, right: Annotated[float | None, typer.Option()] = None) -> None:
    options = replace(EndpointerOptions(), hangover=hangover)
    recogniser = None if right is None else Recogniser(right)
    groups: dict[str, list[Found]] = {"all": []}
    for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
        samples, _ = soundfile.read(manifest.parent / row["audio"], dtype="int16")
        utterances = [(utterance["start"], utterance["end"]) for utterance in row["utterances"]]
        found = follow(samples, utterances, options, recogniser)
        groups["all"].append(found)
        groups.setdefault(row["background"], []).append(found)
    columns = ["background", *SHARES, "delay, median", "p95"]
    print(table(columns, [[name, *figures(rows)] for name, rows in groups.items()]))
    for seconds in (FRAME_SECONDS, 5 * FRAME_SECONDS):
        print(f"messages of {seconds * 1000:.0f} ms: {cost(samples, seconds):.0f} µs for each 20 ms frame")


def follow(
    samples: Samples, utterances: list[Span], options: EndpointerOptions, recogniser: Recogniser | None
) -> Found:
    """Streams a recording in messages of 20 ms."""
    found = Found(utterances)
    stream = UtteranceStream(options)
    asked: tuple[float, float] | None = None  # when the recogniser's word is due, and where the pause began
    for now, message in messages(samples, FRAME_SECONDS):
        heard = [event for event, _ in stream.push(message)]
        for event in heard:
            asked = (now + ANSWER_SECONDS, event.end * FRAME_SECONDS) if isinstance(event, SpeechPaused) else None
        if recogniser and asked and now >= asked[0]:
            heard += [event for event, _ in stream.expect(recogniser.hangover(asked[1], utterances))]
            asked = None
        note(found, heard, now)
    ended, utterance = stream.flush()
    found.segments += [(utterance.start, utterance.end)] if ended else []
    return found


def note(found: Found, events: Sequence[Event], now: float) -> None:
    for event in events:
        if isinstance(event, UtteranceEnded):
            segment = (event.start * FRAME_SECONDS, event.end * FRAME_SECONDS)
            found.segments.append(segment)
            ended = [end for start, end in found.utterances if start < segment[1] and end > segment[0]]
            found.delays += [now - end for end in ended[-1:] if now > end]


def messages(samples: Samples, seconds: float) -> Iterator[tuple[float, bytes]]:
    """The recording in messages, each with the time at which it is complete."""
    length = round(seconds * SAMPLE_RATE)
    for at in range(0, len(samples) - length + 1, length):
        yield (at + length) / SAMPLE_RATE, samples[at : at + length].tobytes()


def figures(rows: Sequence[Found]) -> list[str]:
    scored = endpointing((row.utterances, row.segments) for row in rows)
    delays = [delay for row in rows for delay in row.delays]
    times = (median(delays), percentile(delays, 0.95))
    shares = [f"{100 * scored[name]:.1f} %" for name in SHARES]
    return [*shares, *(f"{1000 * seconds:.0f} ms" for seconds in times)]


def cost(samples: Samples, seconds: float) -> float:
    """Processor time to follow a stream: µs for each 20 ms frame."""
    stream = UtteranceStream()
    pushed = [message for _, message in messages(np.tile(samples, 2), seconds)]
    started = time.process_time()
    for message in pushed:
        stream.push(message)
    return (time.process_time() - started) * 1e6 / (len(pushed) * seconds / FRAME_SECONDS)


if __name__ == "__main__":
    typer.run(main)
