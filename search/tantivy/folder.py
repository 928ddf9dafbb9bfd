"""The folder that an embedded index lives in: made in one step, replaced in one step, and never someone else's.

An index is a generation of its own name; `HOME` is a link to the one that is searched. Another takes its place by
moving the link, which the file system does at once: whoever is killed meanwhile leaves the one or the other.
"""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from search.errors import IndexUnavailable

HOME = "index"
FORMAT_FILE = "sayseek-format"
_GENERATION = ".generation-"


def prepared_folder(path: Path, file_format: str, create: Callable[[Path], None]) -> Path:
    """The link inside `path` to the index; `create` fills the folder of a new one.

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


def current_generation(home: Path) -> Path:
    """The folder of the index that is searched."""
    return home.with_name(os.readlink(home))


def new_generation(home: Path, file_format: str, create: Callable[[Path], None]) -> Path:
    """A folder that `create` has filled, for `publish_generation`; nothing is left where that fails."""
    new = home.with_name(f"{_GENERATION}{uuid.uuid4().hex}")
    new.mkdir()
    try:
        create(new)
        (new / FORMAT_FILE).write_text(file_format)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return new


def publish_generation(home: Path, new: Path) -> None:
    """Have `new` be the index from now on, for all processes, for good."""
    link = home.with_name(f".link-{uuid.uuid4().hex}")
    link.symlink_to(new.name)
    os.replace(link, home)
    synchronise(home.parent)


def remove_leftovers(home: Path) -> None:
    """Delete what killed writers left. Only for who may write: another's new generation is a leftover until it is not.

    Whoever still reads a generation that is deleted has its files open.
    """
    current = os.readlink(home)
    for entry in os.scandir(home.parent):
        if entry.name.startswith(_GENERATION) and entry.name != current:
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name.startswith(".link-"):
            os.unlink(entry.path)


def synchronise(path: Path) -> None:
    """Have a file, or a folder's names, outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(home: Path, file_format: str, create: Callable[[Path], None]) -> None:
    """Make the index beside `home` and link it there when it is whole, so that no other process sees a part.

    Where two processes do so at once, the second finds the first's in its place and takes that.
    """
    if others := [entry.name for entry in home.parent.iterdir() if _is_foreign(entry.name)]:
        problem = f"holds other files ({min(others)}); choose an empty folder for the index"
        raise IndexUnavailable(f"{home.parent} {problem}")
    try:
        new = new_generation(home, file_format, create)
        try:
            home.symlink_to(new.name)
        except FileExistsError:
            shutil.rmtree(new, ignore_errors=True)
    except (OSError, ValueError):
        # The first may have begun to write, and have taken this one's for a leftover.
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
    if not home.is_symlink():  # nor were those of formats before
        copied = f"{_GENERATION}copied"
        problem = "is a folder, and has to be a link to one: whoever copied it followed links. Mend it with"
        raise IndexUnavailable(f"{home} {problem}: cd {home.parent} && mv {HOME} {copied} && ln -s {copied} {HOME}")
