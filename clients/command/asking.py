"""Files in, outcomes out: each file cut into utterances, each utterance asked, several files at once."""

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from clients.answers import VoiceSearchAnswer
from clients.client import Client
from clients.errors import SayseekError, UnreadableRecording
from clients.sound.utterances import as_flac, is_readable, utterances

STANDARD_INPUT = "-"
BLOCK_BYTES = 1 << 20
LARGEST_BYTES = 1_000_000_000  # that are held in memory; a pipe may never end


@dataclass(frozen=True)
class Question:
    """What is asked about every recording. `whole` sends files as they are, without cutting."""

    model: str | None = None
    language: str | None = None
    limit: int | None = None
    whole: bool = False
    keywords: Sequence[str] = ()
    filters: Sequence[str] = ()
    index: str | None = None
    unsure_results: bool = False


@dataclass(frozen=True)
class Piece:
    """What is sent of a recording: an utterance from `start` to `end`, in seconds, or the file as it is.

    `cut` says which. Files in formats that cannot be cut here are sent as they are, too.
    """

    filename: str
    audio: bytes = field(repr=False)
    cut: bool = False
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a piece: an answer or an error. Neither: there is no speech in the file.

    `piece` is None where there was none to send; `alone` says that it is the file's only one.
    """

    file: str
    piece: Piece | None = None
    answer: VoiceSearchAnswer | None = None
    error: OSError | SayseekError | None = None
    alone: bool = True


def ask_files(client: Client, files: Sequence[str], question: Question, jobs: int) -> Iterator[Iterator[Outcome]]:
    """For each file, in order, its outcomes as they come; `jobs` files are in work at once.

    The threads are daemons: whoever stops listening early may leave.
    """
    outcomes: list[SimpleQueue[Outcome | Exception | None]] = [SimpleQueue() for _ in files]
    waiting = iter(list(zip(files, outcomes, strict=True)))

    def work() -> None:
        for file, queue in waiting:
            try:
                for outcome in ask_file(client, file, question):
                    queue.put(outcome)
            except Exception as exc:  # whatever it is, the listener must hear of it
                queue.put(exc)
            queue.put(None)

    for _ in range(min(jobs, len(files))):
        Thread(target=work, daemon=True).start()
    for queue in outcomes:
        yield _until_none(queue)


def _until_none(queue: SimpleQueue[Outcome | Exception | None]) -> Iterator[Outcome]:
    while (outcome := queue.get()) is not None:
        if isinstance(outcome, Exception):
            raise outcome
        yield outcome


def ask_file(client: Client, file: str, question: Question) -> Iterator[Outcome]:
    """At least one outcome. An error of one piece does not keep the next from being asked."""
    pieces = _pieces_and_error(file, question.whole)
    first = list(islice(pieces, 2))
    if not first:
        yield Outcome(file)
    for piece in chain(first, pieces):
        if isinstance(piece, Piece):
            yield _ask_piece(client, file, piece, question, alone=len(first) == 1)
        else:
            yield Outcome(file, error=piece)


def _ask_piece(client: Client, file: str, piece: Piece, question: Question, alone: bool) -> Outcome:
    try:
        answer = client.voice_search(
            piece.audio,
            filename=piece.filename,
            model=question.model,
            language=question.language,
            limit=question.limit,
            keywords=question.keywords,
            filters=question.filters,
            index=question.index,
            unsure_results=question.unsure_results,
        )
    except SayseekError as exc:
        return Outcome(file, piece, error=exc, alone=alone)
    return Outcome(file, piece, answer, alone=alone)


def _pieces_and_error(file: str, whole: bool) -> Iterator[Piece | OSError | SayseekError]:
    """A file's pieces, and at the end what kept the rest of it from being read."""
    try:
        yield from _pieces(file, whole)
    except (OSError, SayseekError) as exc:
        yield exc


def _pieces(file: str, whole: bool) -> Iterator[Piece]:
    recording = recording_of(file)
    name = Path(file).name if isinstance(recording, Path) else "clip"
    if whole or not is_readable(recording):
        yield Piece(name, _content(recording))
        return
    for utterance in utterances(recording):
        yield Piece(f"{Path(name).stem}.flac", as_flac(utterance.samples), True, utterance.start, utterance.end)


def recording_of(file: str) -> Path | BinaryIO:
    """The recording as something that can be read twice, which standard input and pipes cannot. Raises `OSError`."""
    if file == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        return _in_memory(sys.stdin.buffer)
    path = Path(file)
    return path if path.is_file() else _read(path)


def _content(recording: Path | BinaryIO) -> bytes:
    if isinstance(recording, Path):
        return _read(recording).getvalue()
    recording.seek(0)
    return recording.read()


def _read(path: Path) -> io.BytesIO:
    with path.open("rb") as file:
        return _in_memory(file)


def _in_memory(file: BinaryIO) -> io.BytesIO:
    content = io.BytesIO()
    while block := file.read(BLOCK_BYTES):
        content.write(block)
        if content.tell() > LARGEST_BYTES:
            raise UnreadableRecording(
                f"More than {LARGEST_BYTES:,} bytes can neither be sent nor taken from a pipe. "
                "Files that are wav, flac, ogg or mp3 are cut here and may be of any length."
            )
    return content
