"""The file that names the catalogues: what it says is done, and what it cannot say is refused where it stands."""

from pathlib import Path

import pytest

from search.catalogue.schema import Field
from search.configuration import Configuration, read_configuration
from search.errors import InvalidConfiguration

WHOLE = """
default = "places"

[catalogues.places]
index = "tantivy:data/places"
synonyms = [["nyc", "new york city"], ["couch", "sofa"]]
boosts = { title = 3.0 }

[catalogues.places.fields]
country = { filter = "value" }
population = { filter = "range" }
brand = { boost = 1.5, filter = "value", sound = true }

[catalogues.teas]
index = "postgresql://localhost/teas"
"""


def configuration(folder: Path, text: str) -> Configuration:
    file = folder / "catalogues.toml"
    file.write_text(text, encoding="utf-8")
    return read_configuration(file)


def test_all_that_a_file_may_say(tmp_path: Path) -> None:
    read = configuration(tmp_path, WHOLE)
    assert (read.default, list(read.catalogues)) == ("places", ["places", "teas"])
    places, teas = read.catalogues.values()
    assert places.index == f"tantivy:{tmp_path}/data/places"
    assert teas.index == "postgresql://localhost/teas"
    assert places.schema
    assert places.schema.fields == {
        "country": Field(filter="value"),
        "population": Field(filter="range"),
        "brand": Field(filter="value", boost=1.5, sound=True),
    }
    assert places.schema.boosts["title"] == 3.0
    assert places.schema.synonyms == (("nyc", "new york city"), ("couch", "sofa"))
    assert teas.schema
    assert not teas.schema.fields


def test_the_first_is_meant_where_none_is_called_the_default(tmp_path: Path) -> None:
    text = '[catalogues.b]\nindex = "x"\n[catalogues.a]\nindex = "/y"\n'
    read = configuration(tmp_path, "\ufeff" + text)
    assert read.default == "b"
    assert [catalogue.index for catalogue in read.catalogues.values()] == [f"tantivy:{tmp_path}/x", "tantivy:/y"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there are 0 catalogues"),
        ("catalogues = 3", "write [catalogues]"),
        ("catalogs = {}", "catalogs is not a key here; did you mean catalogues?"),
        ("[catalogues.a]", '[catalogues.a]: it has no index; write, for example, index = "tantivy:data/places"'),
        ("[catalogues.a]\nindex = 1", "it has no index"),
        ('[catalogues."a b"]\nindex = "x"', '"a b" cannot be a catalogue\'s name'),
        ('default = "b"\n[catalogues.a]\nindex = "x"', "default is 'b', but there are only: a"),
        ('default = []\n[catalogues.a]\nindex = "x"', "default is []"),
        ('[catalogues.a]\nindex = "x"\n[catalogues.b]\nindex = "./x"', "[catalogues.b]: it has the index of a"),
        ('[catalogues.a]\nindex = "solr:x"', '[catalogues.a]: "solr:" is no index that can be opened here'),
        ('[catalogues.a]\nindex = "x\\u0000"', "x\\x00' cannot be a folder's name"),
        ('[catalogues.a]\nindex = "postgresql://h:p@ss@h/d"', "[catalogues.a]: the database's address cannot be read"),
        ("[catalogues.a]\nfields = 1", "write [catalogues.a.fields]"),
        ("[catalogues.a.fields]\nb = 1", "write [catalogues.a.fields.b]"),
        ('[catalogues.a.fields]\nb = { filtr = "value" }', "filtr is not a key here; did you mean filter?"),
        (
            "[catalogues.a.fields]\nb = { filter = true }",
            '[catalogues.a.fields.b]: filter is neither; write filter = "v',
        ),
        ("[catalogues.a.fields]\nb = { filter = [] }", "filter is neither"),
        ("[catalogues.a.fields]\nb = { sound = 1 }", "sound is neither"),
        ("[catalogues.a.fields]\nb = { boost = true }", "boost is no number; write boost = 1.5"),
        ("[catalogues.a.fields]\nb = { boost = nan }", 'the boost of "b" must lie between'),
        ("[catalogues.a.fields]\ntitle = {}", 'no field of yours can be called "title"'),
        ("[catalogues.a.boosts]\nheading = 1", '"heading" has no boost of its own'),
        ('[catalogues.a.boosts]\ntitle = "3"', "[catalogues.a.boosts]: title is no number"),
        ("[catalogues.a]\nsynonyms = 1", 'synonyms = [["nyc", "new york city"]]'),
        ('[catalogues.a]\nsynonyms = [["nyc"]]', "each of synonyms must be a list of texts"),
        ("[catalogues.a]\nsynonyms = [[1, 2]]", "each of synonyms must be a list of texts"),
        ("[catalogues.a", "is not TOML"),
        ("a = " + "[" * 10_000, "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        configuration(tmp_path, text)
    assert said in str(caught.value)
    assert str(tmp_path / "catalogues.toml") in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tantivy:a", "./a/"),
        ("a", "b/../a"),
        ("a", "link"),
        ("a/b", "tantivy:link/b"),
        ("postgresql://h/d", "postgres://H:5432/d?catalogue=documents"),
        ("postgresql://one@h/d", "postgresql://other:secret@/d?host=h&sslmode=require"),
        ("postgresql://localhost/d", "postgresql:///d"),
        ("postgresql://127.0.0.1/d", "postgresql://[::1]/d"),
        ("postgresql://d@h", "postgresql://h/d"),
    ],
)
def test_one_index_in_two_spellings_is_refused(tmp_path: Path, one: str, other: str) -> None:
    """Two catalogues wrote into one index then, each with a schema of its own."""
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(InvalidConfiguration, match=r"\[catalogues\.b\]: it has the index of a"):
        configuration(tmp_path, _two(one, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "a/b"),
        ("postgresql://h/d", "postgresql://h:5433/d"),
        ("postgresql://h/d", "postgresql://h/e"),
        ("postgresql://h/d", "postgresql://h/d?catalogue=more"),
        ("postgresql://h/d", "postgresql:///d?host=/run/postgresql"),
        ("postgresql:///?service=a", "postgresql:///?service=b"),
    ],
)
def test_indexes_that_are_apart_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    monkeypatch.delenv("PGPORT", raising=False)
    assert len(configuration(tmp_path, _two(one, other)).catalogues) == 2


def _two(one: str, other: str) -> str:
    return f'[catalogues.a]\nindex = "{one}"\n[catalogues.b]\nindex = "{other}"'


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="No such file"):
        read_configuration(tmp_path / "none.toml")
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        read_configuration(tmp_path)
    (tmp_path / "latin").write_bytes(b'default = "caf\xe9"')
    with pytest.raises(InvalidConfiguration, match="is not TOML"):
        read_configuration(tmp_path / "latin")
