"""Outcomes on the terminal: for people, or as one JSON object a line."""

import json
import os
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.answers import Result, VoiceSearchAnswer
from clients.command.asking import Outcome
from clients.errors import Busy, NotAuthorized, SayseekError, ServerError, ServerUnreachable

BODY_CHARACTERS = 60


class Printer(Protocol):
    """Shows outcomes as they come."""

    def show(self, outcome: Outcome) -> None: ...


class JsonPrinter:
    """`{"file", "start", "end", "cut"}` with `"answer"` or `"error"`; the answer is null where nothing was heard."""

    def __init__(self, console: Console) -> None:
        self._file = console.file
        self._only_ascii = not console.encoding.startswith("utf")

    def show(self, outcome: Outcome) -> None:
        self._file.write(json_line(_record(outcome), self._only_ascii))
        self._file.flush()


class TextPrinter:
    """The transcript, then what was found; errors on `errors`."""

    def __init__(self, console: Console, errors: Console, several_files: bool) -> None:
        self._console = console
        self._errors = errors
        self._several_files = several_files
        self._file: str | None = None

    def show(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            message = f"{shown_name(outcome.file)}: {printable(what_to_do(outcome.error))}"
            self._errors.print(Text(message, style="red"), soft_wrap=True)
            return
        if self._several_files and outcome.file != self._file:
            self._console.print(Text(shown_name(outcome.file), style="bold cyan"), soft_wrap=True)
        self._file = outcome.file
        self._console.print(_heard(outcome), soft_wrap=True)
        if outcome.answer is not None and outcome.answer.results:
            show_found(self._console, outcome.answer.query, outcome.answer.results)
        self._console.print()


def what_to_do(error: OSError | SayseekError) -> str:
    """The error in words, with what to do about it."""
    match error:
        case OSError():
            return f"cannot be read: {error.strerror or error}."
        case ServerUnreachable():
            return f"{error} Is it running? Start it with: make serve"
        case NotAuthorized(status=401):
            return f"{error} Give the key with --api-key or in SAYSEEK_API_KEY."
        case Busy():
            return f"{error} The server stayed busy: try again later, or with less at once."
        case _:
            return str(error)


def _record(outcome: Outcome) -> dict[str, Any]:
    piece = outcome.piece
    record: dict[str, Any] = {
        "file": _in_utf8(outcome.file),
        "start": piece.start if piece else None,
        "end": piece.end if piece else None,
        "cut": piece.cut if piece else False,
    }
    if outcome.error is not None:
        return record | {"error": error_record(outcome.error)}
    return record | {"answer": outcome.answer}


def json_line(record: dict[str, Any], only_ascii: bool) -> str:
    """`record` as JSON; characters that would drive a terminal are escaped."""
    line = json.dumps(record, ensure_ascii=only_ascii, default=vars)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line) + "\n"


def error_record(error: OSError | SayseekError) -> dict[str, Any]:
    """As the server's error body has it, with the status of the answer."""
    if isinstance(error, ServerError):
        kind, code, param, status = error.type, error.code, error.param, error.status
    else:
        kind, code, param, status = type(error).__name__, None, None, None
    return {"message": what_to_do(error), "type": kind, "param": param, "code": code, "status": status}


def _heard(outcome: Outcome) -> Text:
    text = Text()
    if outcome.piece is not None and outcome.piece.start is not None and not outcome.alone:
        text.append_text(span(outcome.piece.start, outcome.piece.end or 0))
    answer = outcome.answer
    if answer is None or not answer.transcript.text:
        return text.append(_nothing_heard(answer), style="yellow")
    if answer.quality.verdict == "unsure" and not answer.results:
        return text.append_text(unsure(answer.transcript.text))
    return text.append_text(said(answer.transcript.text, found=bool(answer.results)))


def show_found(console: Console, query: str, results: tuple[Result, ...]) -> None:
    """What was found, and for what, where that is not what was heard."""
    if results[0].match != "text":
        console.print(Text(f"Showing results for: {printable(query)}", style="dim"), soft_wrap=True)
    console.print(table(results))


def span(start: float, end: float) -> Text:
    """When something was said, before what it was."""
    return Text().append(f"{clock(start)} - {clock(end)}  ", style="dim")


def said(transcript: str, *, found: bool) -> Text:
    """What was said, and whether that led to nothing."""
    text = Text().append(f'"{printable(transcript)}"', style="bold")
    return text if found else text.append("  nothing found", style="yellow")


def unsure(transcript: str) -> Text:
    """What may have been said, for which nothing was searched."""
    return Text().append(f'"{printable(transcript)}"?', style="bold").append("  not sure: say it again", style="yellow")


def _nothing_heard(answer: VoiceSearchAnswer | None) -> str:
    reason = answer.quality.verdict.replace("_", " ") if answer and answer.quality.verdict != "ok" else "no speech"
    return f"Nothing was heard ({printable(reason)})."


def table(results: tuple[Result, ...]) -> Table:
    """What was found, the best first."""
    rows = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    rows.add_column(justify="right", style="dim")
    rows.add_column(overflow="fold")
    rows.add_column(style="dim", overflow="ellipsis", no_wrap=True, ratio=1)
    rows.add_column(justify="right", style="dim")
    for rank, result in enumerate(results, start=1):
        rows.add_row(str(rank), Text(printable(result.title)), Text(_shortened(result.body)), f"{result.score:.1f}")
    return rows


def _shortened(text: str) -> str:
    line = printable(text)
    return line if len(line) <= BODY_CHARACTERS else f"{line[: BODY_CHARACTERS - 1].rstrip()}…"


def printable(text: str) -> str:
    """`text` on one line, and without the control characters that would drive the terminal."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def shown_name(file: str) -> str:
    """A file's name on one line; what is not printable in it is escaped."""
    name = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in _in_utf8(file))
    return name or "''"


def _in_utf8(file: str) -> str:
    """A file's name, which may hold any bytes: those that are not UTF-8 are escaped."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")


def clock(seconds: float) -> str:
    """83.456 → 1:23.5"""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
