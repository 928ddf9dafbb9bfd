"""The `sayseek` command: ask a server about spoken queries in files."""

import io
import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clients.asking import STANDARD_INPUT, Outcome, Question, ask_files
from clients.client import TIMEOUT_SECONDS, Client
from clients.errors import Busy, NotAuthorized, ServerUnreachable
from clients.printing import JsonPrinter, Printer, TextPrinter
from clients.protocol import LONGEST_TIMEOUT_SECONDS
from sayseek import __version__

FILES_WITHOUT_BAR = 3

app = typer.Typer(
    help="Say it, find it: ask a Sayseek server.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
)


class ExitCode(IntEnum):
    """What the command's exit status says."""

    ANSWERED = 0
    SOME_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    BUSY = 4
    INTERRUPTED = 130


def main() -> None:
    """The entry point of the `sayseek` command."""
    try:
        _check_output()
        app()
    except KeyboardInterrupt:
        _leave(ExitCode.INTERRUPTED)
    except SystemExit as exc:
        _leave(exc.code if isinstance(exc.code, int) else 0)
    except OSError as exc:  # files and the network have their own: this one came from printing
        with suppress(OSError):
            typer.echo(f"The answers cannot be printed: {exc.strerror or exc}.", err=True)
        _leave(ExitCode.SOME_FAILED)


def _check_output() -> None:
    """Makes standard output print what its encoding does not have as `?`. Raises `OSError` where it is closed."""
    if sys.stdout is None:
        raise OSError("standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _leave(status: int) -> NoReturn:
    """Ends the process at once: threads that still wait for answers, or cut recordings, are not waited for.

    Python's own way out would stop them inside the resampler's C++, which aborts the process.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            if stream is not None:
                stream.flush()
    os._exit(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sayseek {__version__}")
        raise typer.Exit


@app.callback()
def sayseek(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Say it, find it: ask a Sayseek server."""


@app.command()
def ask(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings; - is standard input.")],
    server: Annotated[
        str | None,
        typer.Option(envvar="SAYSEEK_SERVER", metavar="URL", help="The server's address. \\[http://127.0.0.1:8000]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per utterance, a line each.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, max=100, help="Most results per utterance.")] = None,
    language: Annotated[str | None, typer.Option(metavar="CODE", help="Language spoken, such as en.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model to ask.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Files in work at once.")] = 4,
    whole: Annotated[bool, typer.Option("--whole", help="Send files as they are; do not cut out speech.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=LONGEST_TIMEOUT_SECONDS, metavar="SECONDS", help="For each answer.")
    ] = TIMEOUT_SECONDS,
    api_key: Annotated[
        str | None, typer.Option(envvar="SAYSEEK_API_KEY", show_envvar=True, metavar="KEY", help="The server's key.")
    ] = None,
) -> None:
    """Cut the speech out of recordings, ask about each utterance, print what was heard and found.

    Exit status:
    0: all were answered
    1: some could not be read, were refused, or could not be printed
    2: wrong usage
    3: no server answers
    4: the server stayed busy
    130: interrupted
    """
    if files.count(STANDARD_INPUT) > 1:
        raise typer.BadParameter("standard input (-) can be read only once")
    question = Question(model, language, limit, whole)
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    printer = JsonPrinter(console) if as_json else TextPrinter(console, errors, several_files=len(files) > 1)
    try:
        with _client(server, api_key, timeout) as client:
            status = _show_all(client, files, question, jobs, printer, errors)
    except KeyboardInterrupt:
        status = ExitCode.INTERRUPTED
    raise typer.Exit(status)


def _client(server: str | None, api_key: str | None, timeout: float) -> Client:
    try:
        return Client(server, api_key=api_key, timeout=timeout)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def _show_all(
    client: Client, files: list[str], question: Question, jobs: int, printer: Printer, errors: Console
) -> ExitCode:
    """Shows every outcome; stops where the next files could only meet with the same error."""
    status = ExitCode.ANSWERED
    with _progress(errors, len(files)) as progress:
        for outcomes in progress.track(ask_files(client, files, question, jobs), total=len(files)):
            for outcome in outcomes:
                _show(outcome, printer, progress)
                status = max(status, _status(outcome))
                if isinstance(outcome.error, ServerUnreachable | NotAuthorized):
                    return status
    return status


def _show(outcome: Outcome, printer: Printer, progress: Progress) -> None:
    # The bar may be on the same terminal: it makes way for what is printed.
    progress.stop()
    printer.show(outcome)
    progress.start()


def _status(outcome: Outcome) -> ExitCode:
    match outcome.error:
        case None:
            return ExitCode.ANSWERED
        case ServerUnreachable():
            return ExitCode.UNREACHABLE
        case Busy():
            return ExitCode.BUSY
        case _:
            return ExitCode.SOME_FAILED


def _progress(console: Console, files: int) -> Progress:
    return Progress(
        TextColumn("Asking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=files <= FILES_WITHOUT_BAR or not console.is_terminal,
    )


if __name__ == "__main__":
    main()
