"""`sayseek-server index`: files into indexes, all or nothing."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from search.catalogue.document import Document
from search.catalogue.filters import parse_filters
from search.configuration import CatalogueOptions
from search.opening import open_index
from search.result import SearchOptions
from server.command import index as indexing
from server.command.cli import app
from server.command.index import run_indexing

TEAS = '{"id": "1", "title": "Darjeeling", "grower": "Castleton"}\n{"id": "2", "title": "Sencha", "grower": "Ito"}\n'
CATALOGUES = """
[catalogues.places]
index = "places"
[catalogues.teas]
index = "teas"
fields = { grower = { filter = "value" } }
"""


@pytest.fixture
def teas(tmp_path: Path) -> Path:
    file = tmp_path / "teas.jsonl"
    file.write_text(TEAS)
    return file


@pytest.fixture
def catalogues(tmp_path: Path) -> Path:
    file = tmp_path / "catalogues.toml"
    file.write_text(CATALOGUES)
    return file


def index(file: Path, *options: object) -> Result:
    return CliRunner().invoke(app, ["index", str(file), *map(str, options)], env={"COLUMNS": "200"})


def ids(folder: Path, *filters: str) -> set[str]:
    """The documents that there are, or those that pass filters."""
    with open_index(f"tantivy:{folder}") as index:
        if not filters:
            return {key for key in ("1", "2", "3") if index.get(key)}
        options = SearchOptions(filters=parse_filters(filters, index.schema))
        return {result.id for result in index.search("", options).results}


def test_a_file_goes_into_the_catalogue_that_is_named(teas: Path, catalogues: Path, tmp_path: Path) -> None:
    done = index(teas, "--catalogues", catalogues, "--catalogue", "teas")
    assert done.exit_code == 0, done.output
    assert "Indexed 2 documents" in done.output
    assert "a second" in done.output
    assert "MB of memory" in done.output
    assert ids(tmp_path / "teas", "grower:ito") == {"2"}
    assert index(teas, "--catalogues", catalogues).exit_code == 0
    assert ids(tmp_path / "places") == {"1", "2"}


def test_the_bar_tells_rate_memory_and_time_on_a_terminal_of_80_columns(tmp_path: Path) -> None:
    """The memory was told at the end only, and the time that is left never."""
    shown = _shown_at(80, tmp_path / "many.jsonl")
    assert re.search(r"1,000 documents +[\d,]+/s +[\d,]+ MB +0:00:\d\d", shown)


def test_the_bar_has_room_for_millions_whatever_the_file_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a gigabyte on, the time was cut off. A million at 12,000/s take 13 columns more than none."""
    monkeypatch.setattr(indexing, "_peak_megabytes", lambda: 1234.5)
    shown = _shown_at(80 - 13, tmp_path / "products-and-places.jsonl")
    assert re.search(r"Reading products.* 0 documents 0/s 1,234 MB 0:00:00 --:--", shown)


def _shown_at(columns: int, file: Path) -> str:
    """What the import of a thousand documents shows on a terminal."""
    file.write_text("".join(f'{{"id": {i}, "title": "Tea"}}\n' for i in range(1000)))
    screen = StringIO()
    terminal = Console(file=screen, force_terminal=True, color_system=None, width=columns)
    run_indexing(CatalogueOptions(f"tantivy:{file.parent / 'index'}"), file, replace=False, out=terminal, err=terminal)
    return screen.getvalue()


def test_replacing_leaves_what_the_file_has_and_gives_the_index_its_fields(
    teas: Path, catalogues: Path, tmp_path: Path
) -> None:
    with open_index(f"tantivy:{tmp_path / 'teas'}") as old:
        old.upsert([Document("3", "Assam")])
    refused = index(teas, "--catalogues", catalogues, "--catalogue", "teas")
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    assert ids(tmp_path / "teas") == {"3"}
    assert index(teas, "--catalogues", catalogues, "--catalogue", "teas", "--replace").exit_code == 0
    assert ids(tmp_path / "teas") == {"1", "2"}
    assert ids(tmp_path / "teas", "grower:castleton") == {"1"}


def test_a_file_without_documents_empties_nothing(teas: Path, tmp_path: Path) -> None:
    there = ("--index", f"tantivy:{tmp_path / 'index'}", "--replace")
    assert index(teas, *there).exit_code == 0
    empty = tmp_path / "empty.csv"
    empty.write_text("id,title\n")
    done = index(empty, *there)
    assert done.exit_code == 1
    assert "empty.csv: has no documents" in done.output
    assert ids(tmp_path / "index") == {"1", "2"}


@pytest.mark.parametrize("replace", [(), ("--replace",)])
def test_an_interrupt_leaves_what_was_there(
    teas: Path, tmp_path: Path, replace: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the second record is read."""
    there = ("--index", f"tantivy:{tmp_path / 'index'}")
    assert index(teas, *there).exit_code == 0
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "3", "title": "Assam"}\n{"id": "4", "title": "Ctrl-C"}\n')
    from_record = Document.from_record

    def interrupted(record: dict) -> Document:
        if record["title"] == "Ctrl-C":
            raise KeyboardInterrupt
        return from_record(record)

    with monkeypatch.context() as patched:
        patched.setattr(Document, "from_record", interrupted)
        done = index(more, *there, *replace)
    assert done.exit_code == 130
    assert "the catalogue is as it was" in done.output
    assert ids(tmp_path / "index") == {"1", "2"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--catalogue", "teas"), "--catalogues"),
        (("--catalogue", "coffees", "--catalogues", "catalogues.toml"), "places, teas"),
        (("--index", "x", "--catalogue", "teas"), "give one of them"),
        (("--index", "x", "--catalogues", "catalogues.toml"), "give one of them"),
    ],
)
def test_what_cannot_be_meant_is_told(
    teas: Path, catalogues: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(catalogues.parent)
    done = index(teas, *options)
    assert done.exit_code == 2
    assert said in done.output
