import json
import os
import re
from pathlib import Path

import pytest

from search.catalogue.document import Document
from search.catalogue.files import read_catalogue
from search.catalogue.json_records import MAX_RECORD_BYTES
from search.errors import CatalogueError

REYKJAVIK = Document(id="1", title="Reykjavík", body="Capital of Iceland", fields={"country": "Iceland"})
SKOPJE = Document(id="2", title="Скопје", body='A "city", in Macedonia\nwith lines', fields={"country": "Macedonia"})
JSON_LINES = "".join(json.dumps(d.to_record(), ensure_ascii=False) + "\n" for d in (REYKJAVIK, SKOPJE))
TABLE = (
    "id,title,body,country\n"
    "1,Reykjavík,Capital of Iceland,Iceland\n"
    '2,Скопје,"A ""city"", in Macedonia\nwith lines",Macedonia\n'
)


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cities.jsonl", JSON_LINES),
        ("cities.ndjson", "\n\n" + JSON_LINES.replace("\n", "\r\n\r\n")),
        ("cities.json", json.dumps([REYKJAVIK.to_record(), SKOPJE.to_record()], indent=2)),
        ("cities.json", JSON_LINES),
        ("cities", "\n".join(json.dumps(document.to_record(), indent=4) for document in (REYKJAVIK, SKOPJE))),
        ("cities", "\n [" + JSON_LINES.strip().replace("\n", "\n,") + "]\n"),
        ("cities.csv", TABLE),
        ("cities", TABLE),
        ("cities.csv", TABLE.replace("\n", "\r\n").replace("\r\nwith", "\nwith")),
        ("cities.csv", "\n" + TABLE.replace("id,title", " ID ,Title", 1)),
        ("cities.txt", TABLE.replace(",", ";").replace(';""', ',""').replace('""; in', '"", in')),
        ("cities.tsv", TABLE.replace(",", "\t").replace('""\t in', '"", in')),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_every_form_gives_the_same_documents(tmp_path: Path, name: str, content: str, mark: bytes) -> None:
    path = written(tmp_path, name, mark + content.encode())

    assert list(read_catalogue(path)) == [REYKJAVIK, SKOPJE]


def test_cells_of_reserved_columns(tmp_path: Path) -> None:
    table = "id,title,Aliases,popularity,note\n1,Köln,Cologne | Keulen|,1087863,\n2,Bonn,,1.5,x\n3,Trier,,,\n"

    koeln, bonn, trier = read_catalogue(written(tmp_path, "cities.csv", table))

    assert koeln == Document(id="1", title="Köln", aliases=("Cologne", "Keulen"), popularity=1087863)
    assert bonn == Document(id="2", title="Bonn", popularity=1.5, fields={"note": "x"})
    assert trier == Document(id="3", title="Trier")


def test_empty_array_has_no_documents(tmp_path: Path) -> None:
    assert list(read_catalogue(written(tmp_path, "none.json", " [ ] "))) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("c.jsonl", "", "c.jsonl: is empty"),
        ("c.csv", "\n\n", "c.csv: is empty"),
        ("c.jsonl", '{"id": 1, "title": "a"}\n\n{"id": 2}', 'c.jsonl, line 3: "title" is missing; every record needs'),
        ("c.jsonl", '{"id": 1, "title": "a"}\n{"id": 2,}', "c.jsonl, line 2: not JSON"),
        ("c.jsonl", "id,title\n1,a\n", "c.jsonl, line 1: not JSON"),
        ("c.jsonl", '{"id": 1, "title": "a"}\n["b"]\n', "c.jsonl, line 2: this is not a JSON object"),
        ("c.jsonl", b'{"id": 1, "title": "a"}\n{"id": 2, "title": "\xe9"}\n', "c.jsonl, line 2: not UTF-8"),
        ("c.jsonl", '{"id": 1, "title": "a", "x": NaN}', "c.jsonl, line 1: it holds NaN"),
        ("c.jsonl", '{"id": 1, "title": ' + "[" * 100_000, "c.jsonl, line 1: its fields are nested more than"),
        ("c.jsonl", '{"id": 1, "title": "' + "a" * MAX_RECORD_BYTES, "c.jsonl, line 1: longer than"),
        ("c.json", '[\n{"id": 1, "title": "a"},\n\n{"id": 2}]', 'c.json, line 4: "title" is missing'),
        ("c.json", '[\n{"id": 1, "title": "a"}\n{"id": 2, "title": "b"}]', 'c.json, line 2: after this record, ","'),
        ("c.json", '[\n{"id": 1, "title": "a"},\n{"id": 2, oops}]', "c.json, line 3: not JSON"),
        ("c.json", '[{"id": 1, "title": "a"}', 'c.json, line 1: after this record, ","'),
        ("c.json", '[{"id": 1, "title": "a"},', 'c.json: the array must end with "]"'),
        ("c.json", '[{"id": 1, "title": "a"}] {}', 'c.json: the array must end with "]"'),
        ("c.json", b'[{"id": 1,\n "title": "\xe9"}]', "c.json, line 2: not UTF-8"),
        ("c.json", "[" * 100_000, "c.json, line 1: its fields are nested more than"),
        ("c.csv", "name,title\n1,a\n", 'c.csv, line 1: no column is called "id"'),
        ("c.jsonl", '{"id": 1, "title": "a", "x": ' + "9" * 5000 + "}", "c.jsonl, line 1: not JSON that can be read"),
        ("c.csv", ",,\n;\n", 'c.csv, line 2: no column is called "id"'),
        ("c.csv", "id,title,Title\n1,a,b\n", 'c.csv, line 1: two columns are called "title"'),
        ("c.csv", 'id,title\n1,"a\nb"\n2\n', 'c.csv, line 4: "title" is missing'),
        ("c.csv", "id,title\n1,Paris, France\n", "c.csv, line 2: 3 cells, but 2 columns; put quotes"),
        ("c.csv", 'id,title\n1,a\n2,"b\n3,c\n', "c.csv, line 3: not a table's row"),
        ("c.csv", "id,title,popularity\n1,a,many\n", 'c.csv, line 2: "popularity" is text'),
        ("c.csv", "id,title\n1,a\n".encode("utf-16"), "c.csv, line 1: not UTF-8"),
    ],
)
def test_error_names_the_file_and_the_line(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    path = written(tmp_path, name, content)

    with pytest.raises(CatalogueError) as caught:
        list(read_catalogue(path))

    assert told in str(caught.value)
    assert caught.value.path == path


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"none\.jsonl: cannot be opened: No such file"):
        read_catalogue(tmp_path / "none.jsonl")


def test_what_is_no_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder was told without its name, and a pipe was waited for without end."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")

    for name in (".", "pipe", "/dev/null"):
        with pytest.raises(CatalogueError, match=f"^{re.escape(Path(name).name or name)}: is no file"):
            read_catalogue(name)


def test_a_million_columns_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match='two columns are called "a"'):
        list(read_catalogue(written(tmp_path, "wide.csv", "id,title" + ",a" * 1_000_000)))


@pytest.mark.parametrize("name", ["many.jsonl", "many.json", "many.csv"])
def test_progress_counts_the_bytes_read(tmp_path: Path, name: str) -> None:
    records = [{"id": str(i), "title": f"Title {i}"} for i in range(2000)]
    contents = {
        "many.jsonl": "\n".join(map(json.dumps, records)),
        "many.json": json.dumps(records),
        "many.csv": "id,title\n" + "\n".join(f"{r['id']},{r['title']}" for r in records),
    }
    catalogue = read_catalogue(written(tmp_path, name, contents[name]))

    seen = [catalogue.bytes_read for _ in catalogue]

    assert seen == sorted(seen)
    assert seen[0] < catalogue.size / 100
    assert seen[1000] == pytest.approx(catalogue.size / 2, rel=0.1)
    assert seen[-1] == pytest.approx(catalogue.size, abs=1)


def test_reading_stops_where_the_reader_stops(tmp_path: Path) -> None:
    """A fault far down a file must not keep its first documents from being read."""
    path = written(tmp_path, "long.jsonl", '{"id": 1, "title": "a"}\n' * 3 + "broken")

    documents = iter(read_catalogue(path))

    assert [next(documents).title for _ in range(3)] == ["a", "a", "a"]
    with pytest.raises(CatalogueError, match="line 4"):
        next(documents)
