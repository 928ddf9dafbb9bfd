"""Behind a reverse proxy's prefix, all works: the page, its scripts, live listening and the documentation."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from websockets.sync.client import connect

from tests.e2e.browsing import browser, sync_api
from tests.e2e.conftest import Server, StartServer
from tests.e2e.reverse_proxy import reverse_proxy
from tests.server.routes.test_page import references

PREFIX = "/find/by-voice"


@pytest.fixture(scope="module")
def guarded(start_server: StartServer) -> Iterator[Server]:
    with start_server(model="tiny.en", sample_catalogue="false", root_path=f"{PREFIX}/", api_key="sesame") as server:
        yield server


@pytest.fixture(scope="module", params=["strips", "leaves"])
def address(guarded: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    with reverse_proxy(guarded.address, PREFIX, strips=request.param == "strips") as address:
        yield address


def test_all_that_pages_refer_to_is_under_the_prefix(address: str) -> None:
    waiting, seen = ["", "docs", "redoc", "openapi.json"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        response = httpx.get(urljoin(address, name))
        assert response.status_code == 200 or name.endswith(".wasm"), name
        if "bundle" in name or "standalone" in name:
            continue
        for found in references(response.text):
            other = urljoin(str(response.url), "".join(found))
            assert other.startswith((address, "data:")), other
            waiting += {other.removeprefix(address)} - seen
    assert {"web/page/page.js", "static-offline-docs/swagger-ui.css"} <= seen


def test_the_key_is_asked_for_under_the_prefix_too(address: str) -> None:
    assert httpx.get(f"{address}v1/search?q=x").status_code == 401
    headers = {"Authorization": "Bearer sesame"}
    assert httpx.get(f"{address}v1/search?q=x", headers=headers).status_code == 200
    with connect(f"{address.replace('http', 'ws')}v1/listen", additional_headers=headers) as socket:
        socket.send('{"type": "CloseStream"}')
        assert '"Metadata"' in socket.recv(10)


def test_without_the_last_slash_the_page_is_found(guarded: Server) -> None:
    with reverse_proxy(guarded.address, PREFIX, strips=False) as address:
        response = httpx.get(address.removesuffix("/"), follow_redirects=True)
    assert (response.status_code, str(response.url)) == (200, address)


def test_the_documentation_can_be_tried_in_a_browser(address: str) -> None:
    requests: list[Any] = []
    with sync_api.sync_playwright() as playwright, browser(playwright) as page:
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{address}docs")
        page.click("#operations-operations-alive_healthz_get .opblock-summary-control")
        page.click("text=Try it out")
        page.click("text=Execute")
        page.wait_for_selector(".live-responses-table")
    assert f"{address}healthz" in requests
    assert all(url.startswith((address, "data:")) for url in requests), requests
