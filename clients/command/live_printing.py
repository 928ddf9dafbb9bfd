"""What a stream tells, on the terminal: words as they come, then what was found; or as one JSON object a line."""

from dataclasses import asdict
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from clients.command.listening import Sent
from clients.command.printing import (
    clock,
    error_record,
    json_line,
    printable,
    said,
    show_found,
    span,
    unsure,
    what_to_do,
)
from clients.live.events import Event, Failure, Final, Interim, Interruption

LISTENING = Text("Listening. Ctrl-C ends it.", style="dim")


class LivePrinter(Protocol):
    """Shows events as they come, in a `with` block, and how much was sent at the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self) -> None:
        """The sound is there."""

    def show(self, event: Event) -> None: ...

    def conclude(self, sent: Sent | None) -> None: ...


class JsonLivePrinter:
    """`{"type": "Final", …}` with the event's fields; first `Listening`, and last `Sent` where not all is sent."""

    def __init__(self, console: Console) -> None:
        self._file = console.file
        self._only_ascii = not console.encoding.startswith("utf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self) -> None:
        self._print("Listening", {})

    def show(self, event: Event) -> None:
        match event:
            case Failure() | Interruption():
                self._print(type(event).__name__, vars(event) | {"error": error_record(event.error)})
            case _:
                self._print(type(event).__name__, asdict(event))

    def conclude(self, sent: Sent | None) -> None:
        if sent:
            self._print("Sent", {"heard_bytes": sent.heard, "sent_bytes": sent.sent, "saved": round(sent.saved, 4)})

    def _print(self, kind: str, fields: dict[str, Any]) -> None:
        self._file.write(json_line({"type": kind} | fields, self._only_ascii))
        self._file.flush()


class TextLivePrinter:
    """On a terminal the words that are being said stand in the last line; elsewhere each change of them is a line."""

    def __init__(self, console: Console, errors: Console) -> None:
        self._console = console
        self._errors = errors
        self._line = Live(LISTENING, console=console, auto_refresh=False, transient=True)
        self._words = ""
        self._was_heard = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.stop()

    def begin(self) -> None:
        if self._console.is_terminal:
            self._line.start(refresh=True)

    def show(self, event: Event) -> None:
        match event:
            case Interim():
                self._show_words(event)
            case Final():
                self._show_final(event)
            case Failure():
                self._warn(what_to_do(event.error))
            case Interruption():
                self._warn(f"{event.error} Trying again in {event.wait:.1f} s.")

    def conclude(self, sent: Sent | None) -> None:
        if not self._was_heard:
            self._console.print(Text("Nothing was heard (no speech).", style="yellow"))
        if sent:
            self._errors.print(f"{sent.sent:,} of {sent.heard:,} bytes were sent: {sent.saved:.0%} saved.", style="dim")

    def _show_words(self, interim: Interim) -> None:
        if self._console.is_terminal:
            self._line.update(_words(interim), refresh=True)
        elif interim.text != self._words:
            self._console.print(Text(f"{clock(interim.start)}  {printable(interim.text)} …"), soft_wrap=True)
        self._words = interim.text

    def _show_final(self, final: Final) -> None:
        self._line.update(LISTENING, refresh=True)
        self._words = ""
        if not final.text:
            return
        self._was_heard = True
        heard = span(final.start, final.end).append_text(
            unsure(final.text) if final.unsure and not final.results else said(final.text, found=bool(final.results))
        )
        self._console.print(heard, soft_wrap=True)
        if final.results:
            show_found(self._console, final.query, final.results)
        self._console.print()

    def _warn(self, message: str) -> None:
        self._errors.print(Text(printable(message), style="yellow"), soft_wrap=True)


def _words(interim: Interim) -> Text:
    """What will stay is bright, what may still change is not."""
    stable = len(printable(interim.stable))
    words = printable(interim.text)
    return Text().append(words[:stable], style="bold").append(words[stable:], style="dim")
