"""Several catalogues in one server: each its own fields, its own documents, and its own troubles."""

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient, WebSocketDenialResponse

import server.catalogues
from search.catalogue.schema import Field, Schema
from search.configuration import CatalogueOptions
from search.errors import IndexAway, IndexUnavailable, InvalidConfiguration
from search.index import SearchIndex
from search.opening import open_index
from server.app import create_app
from server.catalogues import Catalogue
from server.settings import Settings
from tests.postgres_server import programs, running
from tests.server.conftest import Start
from tests.server.test_api import ask, assert_error

CONFIGURATION = """
default = "places"

[catalogues.places]
index = "places"
synonyms = [["big apple", "new york"]]

[catalogues.places.fields]
country = { filter = "value" }
population = { filter = "range" }

[catalogues.teas]
index = "teas"

[catalogues.teas.fields]
grower = { boost = 1.0, filter = "value" }
"""
PLACES = [
    {"id": "1", "title": "Reykjavík", "body": "Capital of Iceland", "country": "IS", "population": 118_918},
    {"id": "2", "title": "Akureyri", "body": "Town in Iceland", "country": "IS", "population": 16_563},
    {"id": "3", "title": "New York", "body": "City in the USA", "country": "US", "population": 8_175_133},
    {"id": "4", "title": "Reykjavik Street", "body": "A street in <Oslo>", "country": "NO", "popularity": 3},
]
TEAS = [{"id": "1", "title": "Darjeeling", "grower": "Castleton & <b>Sons</b>"}, {"id": "5", "title": "Sencha"}]


@pytest.fixture(scope="module")
def client(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    file = tmp_path_factory.mktemp("catalogues") / "catalogues.toml"
    file.write_text(CONFIGURATION)
    with start(catalogues=file) as client:
        assert client.put("/v1/documents", json=PLACES).json() == {"indexed": 4}
        assert client.put("/v1/documents?index=teas", json=TEAS).json() == {"indexed": 2}
        yield client


@pytest.fixture(scope="module")
def reykjavik(sample_files: list[Path]) -> bytes:
    return next(file for file in sample_files if "reykjavik" in file.name).read_bytes()


def search(client: TestClient, **params: object) -> dict:
    response = client.get("/v1/search", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def found(client: TestClient, **params: object) -> list[str]:
    return [result["id"] for result in search(client, **params)["results"]]


def test_filters_say_which_documents_may_be_found(client: TestClient) -> None:
    assert found(client, q="reykjavik") == ["1", "4"]
    assert found(client, q="reykjavik", filter="country:NO") == ["4"]
    assert found(client, q="reykjavik", filter="-country:no") == ["1"]
    assert found(client, q="iceland", filter=["country:IS,NO", "population:100000.."]) == ["1"]
    assert found(client, q="iceland", filter=["country:NO", ""]) == []


def test_a_filter_alone_finds_all_that_pass(client: TestClient) -> None:
    assert set(found(client, filter="country:IS")) == {"1", "2"}
    assert found(client, q="", filter="-country:IS")[0] == "4"  # which is the most popular
    assert_error(client.get("/v1/search", params={"q": ""}), 400, "invalid_request", "q")


def test_pages_totals_and_facets(client: TestClient) -> None:
    first = search(client, q="iceland reykjavik", limit=2, facets="country")
    rest = search(client, q="iceland reykjavik", limit=2, offset=2)
    assert first["total"] == rest["total"] == 3
    assert first["facets"] == {"country": {"IS": 2, "NO": 1}}
    assert "facets" not in rest
    assert len({result["id"] for result in first["results"] + rest["results"]}) == 3
    assert search(client, q="iceland", offset=900)["results"] == []


def test_snippets_are_there_where_they_are_asked_for(client: TestClient) -> None:
    plain = search(client, q="oslo street")["results"][0]
    assert "highlights" not in plain
    told = search(client, q="oslo street", snippets=True)["results"][0]
    assert told.pop("highlights") == {
        "title": "Reykjavik <mark>Street</mark>",
        "body": "A <mark>street</mark> in &lt;<mark>Oslo</mark>&gt;",
    }
    assert told == plain
    tea = search(client, q="castleton", index="teas", snippets=True)["results"][0]
    assert tea["highlights"]["grower"] == "<mark>Castleton</mark> &amp; &lt;b&gt;Sons&lt;/b&gt;"


def test_synonyms_are_marked_too(client: TestClient) -> None:
    told = search(client, q="big apple", snippets=True)["results"][0]
    assert told["highlights"]["title"] == "<mark>New</mark> <mark>York</mark>"


@pytest.mark.parametrize(
    ("params", "code", "param", "said"),
    [
        ({"filter": "country"}, "invalid_filter", "filter", "field:value"),
        ({"filter": "state:TX"}, "invalid_filter", "filter", "country, population"),
        ({"filter": "title:x"}, "invalid_filter", "filter", "country, population"),
        ({"filter": "population:many"}, "invalid_filter", "filter", "population:10..20"),
        ({"filter": "population:20..10"}, "invalid_filter", "filter", "ends before it begins"),
        ({"filter": 'country:"IS'}, "invalid_filter", "filter", "quotes"),
        ({"filter": "country:" + "x" * 3000}, "invalid_filter", "filter", "field:value"),
        ({"filter": ["country:IS"] * 21}, "invalid_filter", "filter", "at most 20"),
        ({"filter": "\x00:\ud83d\ude00".encode("utf-16", "surrogatepass")}, "invalid_filter", "filter", ""),
        ({"filter": "grower:x"}, "invalid_filter", "filter", "country, population"),
        ({"facets": "country,population"}, "invalid_filter", "facets", "country"),
        ({"facets": "x" * 9000}, "invalid_filter", "facets", "country"),
        ({"offset": 995}, "invalid_request", "offset", "1000"),
        ({"offset": 1001}, "invalid_request", "offset", ""),
        ({"offset": -1}, "invalid_request", "offset", ""),
        ({"offset": 10**30}, "invalid_request", "offset", ""),
        ({"snippets": "perhaps"}, "invalid_request", "snippets", ""),
    ],
)
def test_what_cannot_be_asked_is_told(client: TestClient, params: dict, code: str, param: str, said: str) -> None:
    message = assert_error(client.get("/v1/search", params={"q": "iceland", **params}), 400, code, param)
    assert said in message


PIECES = st.sampled_from(
    ["country:", "population:", "-", "..", ",", '"', '""', "1e308", "2026-01-31", "IS", " ", "\x00"]
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.text(max_size=5)), st.text(max_size=20), st.sampled_from(["filter", "facets", "index"]))
def test_whatever_is_asked_the_answer_is_honest(client: TestClient, pieces: list[str], q: str, name: str) -> None:
    asked = urlencode({"q": q, name: "".join(pieces), "snippets": "true"}, errors="surrogatepass")
    response = client.get(f"/v1/search?{asked}")
    if response.status_code != 200:
        assert response.status_code == (404 if name == "index" and "index_not" in response.text else 400), response.text
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_each_catalogue_has_its_own_documents(client: TestClient) -> None:
    assert client.get("/v1/documents/1").json()["title"] == "Reykjavík"
    assert client.get("/v1/documents/1?index=teas").json()["title"] == "Darjeeling"
    assert found(client, q="sencha", index="teas") == ["5"]
    assert found(client, q="sencha", index="") == []
    assert client.delete("/v1/documents/5?index=teas").json() == {"deleted": 1}
    assert_error(client.get("/v1/documents/5?index=teas"), 404, "document_not_found", "id")
    assert client.put("/v1/documents?index=teas", json=TEAS).json() == {"indexed": 2}


def test_an_index_that_is_not_there_is_told_with_those_that_are(client: TestClient, reykjavik: bytes) -> None:
    for response in (
        client.get("/v1/search", params={"q": "x", "index": "coffees"}),
        client.put("/v1/documents?index=coffees", json=[]),
        client.get("/v1/documents/1?index=coffees"),
        client.delete("/v1/documents/1?index=coffees"),
        ask(client, reykjavik, index="coffees"),
    ):
        assert "places, teas" in assert_error(response, 404, "index_not_found", "index")


def test_interfaces_learn_what_there_is(client: TestClient) -> None:
    told = client.get("/v1/indexes").json()
    assert told["default"] == "places"
    places, teas = told["indexes"]
    assert (places["name"], places["status"], places["documents"]) == ("places", "open", 4)
    assert places["fields"] == [
        {"name": "country", "filter": "value", "searched": False, "sound": False},
        {"name": "population", "filter": "range", "searched": False, "sound": False},
    ]
    assert teas["fields"] == [{"name": "grower", "filter": "value", "searched": True, "sound": False}]
    ready = client.get("/readyz").json()
    assert ready["documents"] == 6
    assert ready["indexes"][1] == {"name": "teas", "status": "open", "documents": 2}


def test_a_spoken_query_is_filtered_as_a_typed_one(client: TestClient, reykjavik: bytes) -> None:
    answer = ask(client, reykjavik, filter=["country:IS", "population:..200000"], facets="country", snippets="true")
    told = answer.json()
    assert told["results"][0]["title"] == "Reykjavík"
    assert told["results"][0]["highlights"]["title"] == "<mark>Reykjavík</mark>"
    assert {result["fields"]["country"] for result in told["results"]} == {"IS"}
    assert told["facets"]["country"] == {"IS": told["total"]}
    elsewhere = ask(client, reykjavik, filter="country:US").json()
    assert "Reykjavík" not in [result["title"] for result in elsewhere["results"]]
    assert ask(client, reykjavik, index="teas").json()["results"] == []
    silence = io.BytesIO()
    soundfile.write(silence, [0.0] * 32_000, 16_000, format="WAV")
    assert ask(client, silence.getvalue(), facets="country").json()["facets"] == {"country": {}}
    assert_error(ask(client, reykjavik, filter="state:TX"), 400, "invalid_filter", "filter")
    assert_error(ask(client, reykjavik, facets="population"), 400, "invalid_filter", "facets")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("index=coffees", 404, "index_not_found"),
        ("filter=state:TX", 400, "invalid_filter"),
        ("index=teas&filter=country:IS", 400, "invalid_filter"),
        ("search=false&index=coffees", 404, "index_not_found"),
    ],
)
def test_listeners_are_refused_what_is_not_there(client: TestClient, query: str, status: int, code: str) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(f"/v1/listen?{query}"):
        pass
    assert refused.value.status_code == status
    assert refused.value.json()["error"]["code"] == code


@pytest.mark.parametrize(("query", "ids"), [("", ["1", "4"]), ("&filter=country:NO", ["4"]), ("&index=teas", [])])
def test_what_a_listener_says_is_filtered_too(
    client: TestClient, sample_files: list[Path], query: str, ids: list[str]
) -> None:
    clip = next(file for file in sample_files if "reykjavik" in file.name)
    pcm, _ = soundfile.read(clip, dtype="int16")
    with client.websocket_connect(f"/v1/listen?endpointing=false{query}") as listener:
        listener.send_bytes(pcm.tobytes())
        listener.send_json({"type": "CloseStream"})
        messages = [listener.receive_json() for _ in range(2)]
    found = [result["id"] for result in messages[1]["search"]["results"] if "Reykjav" in result["title"]]
    assert sorted(found) == ids


def test_a_catalogue_is_replaced_as_a_whole(client: TestClient) -> None:
    def replace(body: bytes, query: str = ""):
        return client.put(f"/v1/documents?index=teas&replace=true{query}", content=body)

    assert replace(b'{"id": "7", "title": "Assam", "grower": "Mangalam"}').json() == {"indexed": 1}
    assert_error(client.get("/v1/documents/1?index=teas"), 404, "document_not_found", "id")
    assert found(client, filter="grower:mangalam", index="teas") == ["7"]
    for body in (b"", b"[]", b"\n\n", b'{"id": "8", "title": "x"}\n{}'):
        assert_error(replace(body), 400, "invalid_document", "documents")
        assert client.get("/v1/documents/7?index=teas").status_code == 200
    assert replace(b"[]", "&allow_empty=true").json() == {"indexed": 0}
    assert client.get("/readyz").json()["indexes"][1]["documents"] == 0
    assert client.put("/v1/documents?index=teas", json=TEAS).json() == {"indexed": 2}


def test_a_file_that_is_not_understood_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"none\.toml: cannot be read"):
        create_app(Settings(catalogues=tmp_path / "none.toml"))


def test_an_index_with_other_fields_keeps_it_from_starting_and_is_told_how_to_mend_that(tmp_path: Path) -> None:
    url = f"tantivy:{tmp_path / 'index'}"
    open_index(url, Schema({"country": Field(filter="value")})).close()
    file = tmp_path / "catalogues.toml"
    file.write_text('[catalogues.places]\nindex = "index"\nfields = { state = { filter = "value" } }\n')
    failures: list[Exception] = []
    app = create_app(Settings(model="tiny.en", catalogues=file), on_failure=failures.append)
    with TestClient(app) as client:
        client.portal.call(lambda: app.state.services._loading)
        assert client.get("/readyz").status_code == 503
    (failure,) = failures
    assert '"places"' in str(failure)
    assert "--replace" in str(failure)


def test_a_catalogue_that_is_away_is_opened_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database is a stand-in, which is there at the second try, but of use only at the third."""
    tries = []

    def opened(url: str, schema: Schema | None) -> SearchIndex:
        tries.append(url)
        if len(tries) == 1:
            raise IndexAway(f"{url} does not answer", "the database does not answer")
        if len(tries) == 2:
            raise IndexUnavailable(f"{url} is PostgreSQL 8; use 13 or later")
        return open_index(url, schema)

    monkeypatch.setattr(server.catalogues, "open_index", opened)
    monkeypatch.setattr(server.catalogues, "RETRY_SECONDS", 0.001)
    catalogue = Catalogue("teas", CatalogueOptions(f"tantivy:{tmp_path / 'index'}", Schema()))

    async def lived() -> None:
        assert not await catalogue.open()
        assert (await catalogue.state()).documents is None
        with pytest.raises(IndexAway) as caught:
            _ = catalogue.index
        assert caught.value.reason == "the database does not answer"
        await catalogue.open_when_it_is_back()
        assert (await catalogue.state()).documents == 0
        await catalogue.close()

    asyncio.run(lived())
    assert len(tries) == 3
    assert "PostgreSQL 8" in caplog.text


def test_who_waits_for_a_catalogue_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind those who wait for a database that does not answer, others once waited without end."""
    monkeypatch.setattr(server.catalogues, "READ_SECONDS", 0.05)
    catalogue = Catalogue("teas", CatalogueOptions(f"tantivy:{tmp_path / 'index'}", Schema()))
    is_back = threading.Event()

    async def lived() -> None:
        waiting = [catalogue.reading(is_back.wait, 30) for _ in range(10)]
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(error, IndexUnavailable) for error in told] == [True] * 10
        is_back.set()
        assert await catalogue.reading(lambda: "back") == "back"
        await catalogue.close()

    asyncio.run(lived())


def test_a_lost_database_is_told_and_found_again(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = programs() or pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    monkeypatch.setattr(server.catalogues, "RETRY_SECONDS", 0.01)
    with running(where) as database:
        (tmp_path / "c.toml").write_text(
            f'[catalogues.places]\nindex = "places"\n[catalogues.teas]\nindex = "{database.url("teas")}"\n'
        )
        database.stop()
        with start(catalogues=tmp_path / "c.toml") as client:
            assert_error(client.get("/v1/search?q=x&index=teas"), 503, "index_unavailable")
            assert client.get("/v1/search?q=x").status_code == 200
            assert [index["status"] for index in client.get("/readyz").json()["indexes"]] == ["open", "unavailable"]
            database.start()
            catalogue = client.app.state.services.catalogues.named("teas")
            client.portal.call(lambda: asyncio.wait_for(catalogue.open_when_it_is_back(), 10))
            assert client.put("/v1/documents?index=teas", json=TEAS).json() == {"indexed": 2}
            with database.stopped():
                assert_error(client.get("/v1/search?q=sencha&index=teas"), 503, "index_unavailable")
            assert found(client, q="sencha", index="teas") == ["5"]
