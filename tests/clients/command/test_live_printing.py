"""What people see of a stream."""

import io

import pytest
from rich.console import Console

from clients.answers import Result
from clients.command.listening import Sent
from clients.command.live_printing import TextLivePrinter
from clients.errors import ServerError, ServerUnreachable
from clients.live.events import Event, Failure, Final, Interim, Interruption, SpeechStarted

INTERIM = Interim("Find me a\x1b[2J good", "Find me", 1.0, 2.0, 0.9)
FOUND = Final("Find me.", 1.04, 62.46, 0.9, results=(Result("1", 12.5, "Toronto", "City in Canada"),))


def shown(*events: Event, sent: Sent | None = None, terminal: bool = False) -> tuple[str, str]:
    """What stands on standard output, and on standard error."""
    out, errors = io.StringIO(), io.StringIO()
    colours = "standard" if terminal else None
    console = Console(file=out, force_terminal=terminal, highlight=False, width=100, color_system=colours)
    with TextLivePrinter(console, Console(file=errors, width=100)) as printer:
        printer.begin()
        for event in events:
            printer.show(event)
    printer.conclude(sent)
    return out.getvalue(), errors.getvalue()


def test_changed_words_are_lines_where_there_is_no_terminal() -> None:
    out, errors = shown(SpeechStarted(1.0), INTERIM, INTERIM, FOUND)
    assert out.splitlines()[:2] == ["0:01.0  Find me a [2J good …", '0:01.0 - 1:02.5  "Find me."']
    assert out.splitlines()[2].split() == ["1", "Toronto", "City", "in", "Canada", "12.5"]
    assert "Listening" not in out
    assert errors == ""


def test_on_a_terminal_what_will_stay_is_bold_and_the_rest_is_dim() -> None:
    out, _ = shown(INTERIM, terminal=True)
    assert "\x1b[1mFind me\x1b[0m\x1b[2m a [2J good\x1b[0m" in out


@pytest.mark.parametrize("events", [[], [Final("", 0, 1, 0.0)]])
def test_where_nothing_was_said_that_is_told_once(events: list[Event]) -> None:
    assert shown(*events)[0].strip() == "Nothing was heard (no speech)."


def test_what_went_wrong_is_told_beside() -> None:
    failure, lost = ServerError(500, "A bug."), ServerUnreachable("The connection broke off.")
    out, errors = shown(Failure(failure), Interruption(lost, 0.51), FOUND)
    assert "A bug." in errors
    assert "The connection broke off. Trying again in 0.5 s." in errors
    assert "bug" not in out


def test_how_much_was_saved() -> None:
    assert "1,000 of 4,000 bytes were sent: 75% saved." in shown(FOUND, sent=Sent(4_000, 1_000))[1]
    assert Sent().saved == 0
