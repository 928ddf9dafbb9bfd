"""What can go wrong in search. `SearchError` is the root; the server maps each leaf to one answer."""

from pathlib import Path


class SearchError(Exception):
    """Root of every error this package raises on purpose."""


class InvalidDocument(SearchError):
    """A record is not a document; the message says which one and how to mend it.

    `problem` is the message without the position; `position` counts the records of one request from 1, and `line`
    the lines of what they were read from.
    """

    def __init__(self, problem: str, position: int | None = None, line: int | None = None) -> None:
        super().__init__(problem if position is None else f"document {position}: {problem}")
        self.problem = problem
        self.position = position
        self.line = line


class CatalogueError(SearchError):
    """A catalogue file cannot be read; the message names the file, the line (from 1) and how to mend it."""

    def __init__(self, path: Path, line: int | None, problem: str) -> None:
        name = path.name or path  # the folder "." has none
        super().__init__(f"{name}: {problem}" if line is None else f"{name}, line {line}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


class InvalidConfiguration(SearchError):
    """The file that names the owner's catalogues is not understood; the message says where and how to mend it."""


class InvalidSchema(SearchError):
    """What an owner's configuration says of an index's fields cannot be done; the message says how to mend it."""


class InvalidFilter(SearchError):
    """A filter, or a facet, cannot be understood or is about a field that has none; the message says how to mend it."""


class IndexBusy(SearchError):
    """Someone else is writing to the index and did not finish in time: try again.

    The message names the index's folder, for the owner; `reason` leaves it out, for those who only ask.
    """

    reason = "another writer has the index; try again when it is done"


class IndexUnavailable(SearchError):
    """The index cannot be opened or used; the message names its folder and says what to do about it.

    `reason` says it without the folder, for those who only ask.
    """

    def __init__(self, message: str, reason: str = "the index cannot be used") -> None:
        super().__init__(message)
        self.reason = reason


class IndexAway(IndexUnavailable):
    """The index cannot be opened because what holds it, a database, does not answer now: try again later."""
