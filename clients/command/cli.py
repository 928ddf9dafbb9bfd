"""The `sayseek` command: ask a server about spoken queries, in files or as they are spoken."""

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from enum import IntEnum, StrEnum
from functools import partial
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from clients.async_client import AsyncClient
from clients.client import Client
from clients.command.asking import STANDARD_INPUT, Outcome, Question, ask_files, recording_of
from clients.command.listening import listen as listen_to
from clients.command.live_printing import JsonLivePrinter, LivePrinter, TextLivePrinter
from clients.command.printing import JsonPrinter, Printer, TextPrinter, printable, shown_name, what_to_do
from clients.errors import (
    Busy,
    MicrophoneUnavailable,
    NotAuthorized,
    SayseekError,
    ServerUnreachable,
    UnreadableRecording,
)
from clients.live.events import Event, Failure
from clients.live.stream import Stream
from clients.protocol import LONGEST_TIMEOUT_SECONDS, TIMEOUT_SECONDS
from clients.sound.microphone import NO_MICROPHONE, Microphone, devices
from clients.sound.playback import played
from clients.sound.speech_gate import SpeechGate
from sayseek import __version__

FILES_WITHOUT_BAR = 3

Server = Annotated[
    str | None,
    typer.Option(envvar="SAYSEEK_SERVER", metavar="URL", help="The server's address. \\[http://127.0.0.1:8000]"),
]
Limit = Annotated[int | None, typer.Option(min=1, max=100, help="Most results per utterance.")]
Language = Annotated[str | None, typer.Option(metavar="CODE", help="Language spoken, such as en.")]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="The model to ask.")]
Keywords = Annotated[
    list[str] | None,
    typer.Option(
        "--keyword",
        metavar="WORD[:N]",
        help="Expect this word or phrase, N times as much as others. May be repeated.",
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="FIELD:VALUE",
        help="Find only such: country:IS, price:10..20, -brand:acme. May be repeated.",
    ),
]
Index = Annotated[str | None, typer.Option("--index", metavar="NAME", help="The catalogue to search.")]
UnsureResults = Annotated[
    bool, typer.Option("--unsure-results", help="Show results, too, where it is unsure what was said.")
]
ApiKey = Annotated[
    str | None, typer.Option(envvar="SAYSEEK_API_KEY", show_envvar=True, metavar="KEY", help="The server's key.")
]

app = typer.Typer(
    help="Say it, find it: ask a Sayseek server.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
)


class Endpointing(StrEnum):
    """Who finds where utterances end."""

    SERVER = "server"
    CLIENT = "client"


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
    server: Server = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per utterance, a line each.")] = False,
    limit: Limit = None,
    keywords: Keywords = None,
    filters: Filters = None,
    index: Index = None,
    unsure_results: UnsureResults = False,
    language: Language = None,
    model: Model = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Files in work at once.")] = 4,
    whole: Annotated[bool, typer.Option("--whole", help="Send files as they are; do not cut out speech.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=LONGEST_TIMEOUT_SECONDS, metavar="SECONDS", help="For each answer.")
    ] = TIMEOUT_SECONDS,
    api_key: ApiKey = None,
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
    question = Question(model, language, limit, whole, keywords or (), filters or (), index, unsure_results)
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    printer = JsonPrinter(console) if as_json else TextPrinter(console, errors, several_files=len(files) > 1)
    try:
        with _client(Client, server, api_key, timeout) as client:
            status = _show_all(client, files, question, jobs, printer, errors)
    except KeyboardInterrupt:
        status = ExitCode.INTERRUPTED
    raise typer.Exit(status)


@app.command()
def listen(
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Play a recording at its own pace; - is standard input.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="The microphone: its number, or a part of its name.")
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Print the microphones that there are.")] = False,
    server: Server = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per event, a line each.")] = False,
    limit: Limit = None,
    keywords: Keywords = None,
    filters: Filters = None,
    index: Index = None,
    unsure_results: UnsureResults = False,
    language: Language = None,
    model: Model = None,
    endpointing: Annotated[
        Endpointing, typer.Option(help="Who finds where utterances end; client: only speech is sent.")
    ] = Endpointing.SERVER,
    api_key: ApiKey = None,
) -> None:
    """Listen to a microphone: print the words as they are spoken, and what was found when the speaker stops.

    Ctrl-C ends it, after the answer to what was said until then.

    Exit status:
    0: all was answered
    1: no microphone, a recording that cannot be read, or an utterance that was refused
    2: wrong usage
    3: no server answers, also after more tries
    4: the server stayed busy
    130: interrupted twice
    """
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    printer = JsonLivePrinter(console) if as_json else TextLivePrinter(console, errors)
    gate = SpeechGate() if endpointing is Endpointing.CLIENT else None
    client = _client(AsyncClient, server, api_key, TIMEOUT_SECONDS)
    asking = partial(
        client.stream,
        model=model,
        language=language,
        limit=limit,
        keywords=keywords or (),
        filters=filters or (),
        index=index,
        unsure_results=unsure_results,
        endpointing=gate is None,
    )
    try:
        if list_devices:
            _print_devices(console)
            raise typer.Exit
        sound = Microphone(device) if file is None else nullcontext(played(recording_of(file)))
        status = asyncio.run(_listen(client, asking, sound, gate, printer))
    except KeyboardInterrupt:
        status = ExitCode.INTERRUPTED
    except (OSError, SayseekError) as error:
        errors.print(Text(_what_to_do(error, file), style="red"), soft_wrap=True)
        status = _status(error)
    raise typer.Exit(status)


async def _listen(
    client: AsyncClient,
    asking: Callable[[], Stream],
    sound: AbstractContextManager[AsyncIterable[bytes]],
    gate: SpeechGate | None,
    printer: LivePrinter,
) -> ExitCode:
    """Shows every event of what is heard."""
    statuses = [ExitCode.ANSWERED]

    def show(event: Event) -> None:
        printer.show(event)
        if isinstance(event, Failure):
            statuses.append(_status(event.error))

    async with client:
        with sound as heard, printer:
            sent = await listen_to(asking(), heard, gate, printer.begin, show)
    printer.conclude(sent if gate else None)
    return max(statuses)


def _print_devices(console: Console) -> None:
    found = devices()
    for device in found:
        mark = "*" if device.is_default else " "
        console.print(Text(f"{mark} {device.number:>3}  {printable(device.name)}"), soft_wrap=True)
    if not found:
        raise MicrophoneUnavailable(NO_MICROPHONE)


AnyClient = TypeVar("AnyClient", Client, AsyncClient)


def _client(kind: type[AnyClient], server: str | None, api_key: str | None, timeout: float) -> AnyClient:
    try:
        return kind(server, api_key=api_key, timeout=timeout)
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
                status = max(status, _status(outcome.error))
                if isinstance(outcome.error, ServerUnreachable | NotAuthorized):
                    return status
    return status


def _show(outcome: Outcome, printer: Printer, progress: Progress) -> None:
    # The bar may be on the same terminal: it makes way for what is printed.
    progress.stop()
    printer.show(outcome)
    progress.start()


def _what_to_do(error: OSError | SayseekError, file: str | None) -> str:
    """With the file's name, where it is the file that cannot be read."""
    if file is None or not isinstance(error, OSError | UnreadableRecording):
        return what_to_do(error)
    return f"{shown_name(file)}: {what_to_do(error)}"


def _status(error: OSError | SayseekError | None) -> ExitCode:
    match error:
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
