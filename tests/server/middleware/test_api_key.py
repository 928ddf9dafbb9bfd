"""The owner's two keys: one for everything, one for pages, which can search and listen only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.server.conftest import Start

OWNER = {"Authorization": "Bearer owner"}
PAGE = {"Authorization": "Bearer page"}


@pytest.fixture(scope="module")
def client(start: Start) -> Iterator[TestClient]:
    with start(api_key="owner", page_key="page") as client:
        yield client


def test_the_page_key_searches_and_listens(client: TestClient, sample_files: list[Path]) -> None:
    assert client.get("/v1/search?q=iceland", headers=PAGE).json()["total"] == 2
    assert client.head("/v1/search?q=iceland", headers=PAGE).status_code == 200
    assert client.get("/v1/indexes", headers=PAGE).json()["default"]
    clip = {"file": ("clip", sample_files[0].read_bytes())}
    assert client.post("/v1/voice-search", files=clip, headers=PAGE).json()["transcript"]["text"]
    with client.websocket_connect("/v1/listen", subprotocols=["token", "page"]) as socket:
        assert socket.receive_json()["type"] == "Metadata"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/documents"),
        ("PUT", "/v1/documents?replace=true"),
        ("DELETE", "/v1/documents/1"),
        ("GET", "/v1/documents/1"),
        ("GET", "/v1/models"),
        ("PUT", "/v1/search"),
        ("GET", "/v1/search/"),
        ("GET", "/v1/none"),
    ],
)
def test_it_may_do_nothing_else(client: TestClient, method: str, path: str) -> None:
    refused = client.request(method, path, content=b'[{"id": "1", "title": "Oslo"}]', headers=PAGE)
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert error["code"] == "not_permitted"
    assert "API key" in error["message"]
    assert client.get("/v1/documents/1", headers=OWNER).json()["title"] == "Reykjavík"


def test_the_owners_key_may_do_everything(client: TestClient) -> None:
    put = client.put("/v1/documents", json=[{"id": "9", "title": "Nine"}], headers=OWNER)
    assert put.json() == {"indexed": 1}
    assert client.delete("/v1/documents/9", headers=OWNER).json() == {"deleted": 1}
    assert client.get("/v1/search?q=iceland", headers=OWNER).status_code == 200


def test_any_other_key_is_refused(client: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer pageowner"}):
        for path in ("/v1/search?q=x", "/v1/documents/1"):
            assert client.get(path, headers=headers).status_code == 401


def test_with_the_page_key_alone_nobody_changes_the_catalogue(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with start(page_key="page") as client:
        assert client.get("/v1/search?q=iceland", headers=PAGE).status_code == 200
        assert client.get("/v1/search?q=iceland").status_code == 401
        assert client.put("/v1/documents", json=[]).status_code == 401
        refused = client.put("/v1/documents", json=[], headers=PAGE)
        assert refused.status_code == 403
        assert "SAYSEEK_API_KEY" in refused.json()["error"]["message"]
    assert "SAYSEEK_API_KEY" in caplog.text, "the owner is told at start"
