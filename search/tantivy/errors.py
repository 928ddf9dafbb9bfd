"""What Tantivy and the file system say, as this package's errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import IndexBusy, IndexUnavailable


class Translator:
    """Translates errors about the index at `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @contextmanager
    def reading(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError) as error:
            # Reading takes a lock, too, which is a file in the folder.
            if self._home.is_dir() and not os.access(self._home, os.R_OK | os.W_OK | os.X_OK):
                raise self._unwritable(error) from error
            advice = "if its files are damaged, delete the folder and index the catalogue again"
            message = f"the index in {self._home} cannot be read ({error}); {advice}"
            raise IndexUnavailable(message, "the index cannot be read") from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError) as error:
            raise self._unwritable(error) from error

    def busy(self) -> IndexBusy:
        return IndexBusy(f"another writer has the index in {self._home}; try again when it is done")

    def _unwritable(self, error: Exception) -> IndexUnavailable:
        advice = "let the user that this runs as write to the folder, and its disk have room"
        message = f"the index in {self._home} cannot be written ({error}); {advice}"
        return IndexUnavailable(message, "the index cannot be written")
