"""`sayseek-server index`: a catalogue's file into a search index, and how far that is."""

import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from search.catalogue.document import Document, at_least_one
from search.catalogue.files import CatalogueFile, read_catalogue
from search.configuration import CatalogueOptions
from search.errors import CatalogueError
from search.index import SearchIndex
from search.opening import open_index

DOCUMENTS_PER_LOOK = 500  # at the progress bar: drawing it takes longer than reading a document


def run_indexing(target: CatalogueOptions, file: Path, *, replace: bool, out: Console, err: Console) -> None:
    """Write a file's documents to an index, and say what came of it.

    Raises SearchError; KeyboardInterrupt, at Ctrl-C, says what the catalogue holds then.
    """
    catalogue = read_catalogue(file)
    started = time.monotonic()
    with _opened(target, replace=replace) as index:
        with _reading(catalogue, err) as documents:
            if replace:
                none = CatalogueError(
                    file, None, "has no documents, and would leave none in the index; is it the right file?"
                )
                count = index.replace(at_least_one(documents, none), target.schema)
            else:
                count = index.upsert(documents)
        seconds = time.monotonic() - started
        total = index.count()
    rate = f"{count / max(seconds, 1e-3):,.0f} a second, with {_peak_megabytes():,.0f} MB of memory at most"
    told = (
        f"Indexed {count:,} documents into {_shown(target.index)} in {seconds:.1f} s ({rate}). It holds {total:,} now."
    )
    out.print(escape(told), highlight=False, soft_wrap=True)


def _shown(url: str) -> str:
    """Without what only its owner should see."""
    return re.sub("//[^/]*@", "//…@", url.partition("?")[0])


def _opened(target: CatalogueOptions, *, replace: bool) -> SearchIndex:
    """The index; one whose documents all go may have had other fields."""
    return open_index(target.index, None if replace else target.schema)


@contextmanager
def _reading(catalogue: CatalogueFile, err: Console) -> Iterator[Iterator[Document]]:
    """The documents, read under a progress bar, which goes on while the rest is written."""
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True, max_width=20)),  # all fits 80 columns then
        BarColumn(),
        TextColumn("{task.fields[documents]:,} documents"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TextColumn("{task.fields[megabytes]:,.0f} MB"),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err) as progress:
        bar = _Bar(catalogue, progress)
        try:
            yield iter(bar)
        except KeyboardInterrupt:
            progress.stop()
            raise KeyboardInterrupt(bar.interrupted) from None


class _Bar:
    """The documents of a catalogue; shows how many have been read, and when all are, that they are being written."""

    def __init__(self, catalogue: CatalogueFile, progress: Progress) -> None:
        self._catalogue = catalogue
        self._progress = progress
        self._name = escape(catalogue.path.name)
        self._started = time.monotonic()
        self._task = progress.add_task(f"Reading {self._name}", total=catalogue.size, **self._figures(0))
        self._is_read = False

    def __iter__(self) -> Iterator[Document]:
        count = 0
        for count, document in enumerate(self._catalogue, start=1):
            yield document
            if count % DOCUMENTS_PER_LOOK == 0:
                self._show(count)
        self._is_read = True
        self._show_writing(count)

    @property
    def interrupted(self) -> str:
        """What Ctrl-C has left."""
        if self._is_read:
            return "interrupted while it was written: the catalogue is as it was, or has all of the documents"
        return "interrupted: the catalogue is as it was"

    def _show(self, count: int) -> None:
        self._progress.update(self._task, completed=self._catalogue.bytes_read, **self._figures(count))

    def _show_writing(self, count: int) -> None:
        """How long that takes nobody knows: the bar moves, and promises nothing."""
        self._progress.remove_task(self._task)
        self._progress.add_task("Writing the index", total=None, **self._figures(count))

    def _figures(self, count: int) -> dict[str, Any]:
        rate = count / max(time.monotonic() - self._started, 1e-3)
        return {"documents": count, "rate": rate, "megabytes": _peak_megabytes()}


def _peak_megabytes() -> float:
    """The most memory that this process has held; macOS counts it in bytes, Linux in kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
