"""The page's files, as they are served: whole, of the right types, and from here alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.routes.page import WEB
from server.settings import Settings


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """An application that is not started: the page is there before the model is."""
    return TestClient(create_app(Settings()))


def references(text: str) -> list[str]:
    """The other files that a file names."""
    return re.findall(r"""(?:src|href)="([^"]+)"|from "([^"]+)"|new URL\("([^"]+)", import""", text)


def files() -> list[Path]:
    """The page's own, without what npm installed."""
    return [path for path in WEB.rglob("*.*") if "node_modules" not in path.parts]


def test_all_that_the_page_refers_to_is_there(client: TestClient) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        address = waiting.pop()
        seen.add(address)
        response = client.get(address)
        assert response.status_code == 200 or address.endswith(".wasm"), address
        named = {str(response.url.join("".join(found)).path) for found in references(response.text)}
        waiting += named - seen
    served = {address.removeprefix("/web/") for address in seen}
    ours = {path.relative_to(WEB).as_posix() for path in files() if path.suffix in (".js", ".css", ".svg")}
    assert ours <= served, "a file of the page that nothing refers to"


@pytest.mark.parametrize(
    ("address", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/web/page/page.js", "text/javascript; charset=utf-8"),
        ("/web/page/style.css", "text/css; charset=utf-8"),
        ("/web/icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_their_types_and_may_load_nothing_from_elsewhere(
    client: TestClient, address: str, media_type: str
) -> None:
    response = client.get(address)
    assert response.headers["content-type"] == media_type
    assert response.headers["x-content-type-options"] == "nosniff"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert set(re.findall(r"'[a-z-]+'", policy)) == {"'none'", "'self'", "'wasm-unsafe-eval'"}
    assert "http" not in policy


def test_a_file_is_sent_again_only_when_it_has_changed(client: TestClient) -> None:
    first = client.get("/web/page/page.js")
    again = client.get("/web/page/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/web/page/page.js", headers={"If-None-Match": '"other"'})
    assert other.content == first.content
    assert client.head("/").headers["etag"] == client.get("/").headers["etag"]


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "package.json",
        "node_modules",
        "%2e%2e",
        "%00.js",
        "%2e%2e%2fcli.py",
        "audio",
        "audio/%2e%2e/package.json",
    ],
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    response = client.get(f"/web/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_the_page_names_no_other_site() -> None:
    for path in files():
        if path.suffix in (".html", ".js", ".css"):
            addresses = re.findall(r"(?:https?:)?//\w[^\s\"']*\.\w", path.read_text())
            assert addresses == [], path.name


def test_the_page_works_under_any_prefix() -> None:
    for path in WEB.glob("*.[hj]*"):
        assert not re.findall(r"""["'`]/(?:web|v1)""", path.read_text()), path.name
