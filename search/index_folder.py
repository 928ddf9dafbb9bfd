"""The folder that an embedded index lives in: made in one step, and never someone else's."""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from search.errors import IndexUnavailable

HOME = "index"
FORMAT_FILE = "sayseek-format"


def prepared_folder(path: Path, file_format: str, create: Callable[[Path], None]) -> Path:
    """The folder inside `path` that the index has for itself; `create` fills a new one.

    Raises `IndexUnavailable` where `path` holds something else, an index of another `file_format`, or nothing
    can be made there.
    """
    home = path / HOME
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not home.exists():
            _make(home, file_format, create)
        _check_format(home, file_format)
    except OSError as error:
        raise IndexUnavailable(f"{path} cannot hold an index: {error.strerror or error}") from error
    return home


def _make(home: Path, file_format: str, create: Callable[[Path], None]) -> None:
    """Make the index beside `home` and move it there when it is whole, so that no other process sees a part.

    Where two processes do so at once, the second finds the first's in its place and takes that.
    """
    if others := [entry.name for entry in home.parent.iterdir() if _is_foreign(entry.name)]:
        problem = f"holds other files ({min(others)}); choose an empty folder for the index"
        raise IndexUnavailable(f"{home.parent} {problem}")
    new = home.with_name(f".new-{uuid.uuid4().hex}")
    new.mkdir()
    try:
        create(new)
        (new / FORMAT_FILE).write_text(file_format)
        os.rename(new, home)
    except OSError:
        shutil.rmtree(new)
        if not home.exists():
            raise


def _is_foreign(name: str) -> bool:
    """Whether a file is a reason not to make an index beside it; what a new disk comes with is none."""
    return not name.startswith(".") and name not in {HOME, "lost+found"}


def _check_format(home: Path, file_format: str) -> None:
    file = home / FORMAT_FILE
    if not file.exists():
        raise IndexUnavailable(f"{home} is not Sayseek's; choose an empty folder for the index")
    if (found := file.read_text()) != file_format:
        problem = f'is an index of the format "{found[:40]}", and this version reads "{file_format}"'
        raise IndexUnavailable(f"{home} {problem}; delete it and index the catalogue again")
