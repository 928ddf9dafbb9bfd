"""Pages of other origins in a real browser: one that the server allows searches there, any other gets nothing."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.browsing import browser, sync_api
from tests.e2e.conftest import Server, StartServer
from tests.e2e.listening import recording, silence

# What another site's page may try. `key` is right: it is not what keeps a foreign page out.
TRIES = """async ([server, key]) => {
  const headers = {Authorization: `Bearer ${key}`};
  const clip = async () => {
    const form = new FormData();
    form.append("file", await (await fetch("clip.flac")).blob());
    return form;
  };
  const asked = async (path, options) => {
    try {
      const response = await fetch(server + path, options);
      return {status: response.status, body: await response.json().catch(() => null)};
    } catch (error) {
      return {status: error.name, body: null};
    }
  };
  const listened = async () => {
    const pcm = await (await fetch("clip.pcm")).arrayBuffer();
    const messages = [];
    const opened = await new Promise((resolve) => {
      let opened = false;
      const socket = new WebSocket(`${server.replace("http", "ws")}/v1/listen?sample_rate=16000`, ["token", key]);
      socket.onopen = () => {
        opened = true;
        for (let at = 0; at < pcm.byteLength; at += 3200) socket.send(pcm.slice(at, at + 3200));
        socket.send(JSON.stringify({type: "CloseStream"}));
      };
      socket.onmessage = ({data}) => messages.push(JSON.parse(data));
      socket.onclose = () => resolve(opened);
    });
    const final = messages.find((message) => message.is_final);
    return {opened, messages: messages.length, title: final?.search.results[0]?.title};
  };
  const image = new Image();
  const shown = new Promise((resolve) => (image.onload = image.onerror = ({type}) => resolve(type)));
  image.src = `${server}/v1/search?q=toronto`;
  await shown;
  return {
    typed: await asked("/v1/search?q=toronto", {headers}),
    spoken: await asked("/v1/voice-search", {method: "POST", headers, body: await clip()}),
    simple: await asked("/v1/voice-search", {method: "POST", mode: "no-cors", body: await clip()}),
    put: await asked("/v1/documents", {method: "PUT", headers, body: '[{"id": "x", "title": "X"}]'}),
    listened: await listened(),
  };
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and writes no log."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sample_files: list[Path]) -> Iterator[int]:
    """The port of another site, whose page has a recording to send."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>Shop</title>")
    toronto = next(path for path in sample_files if "toronto" in path.name)
    (folder / "clip.flac").write_bytes(toronto.read_bytes())
    (folder / "clip.pcm").write_bytes(recording(toronto).tobytes() + silence(1.5).tobytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http.server_port
        http.shutdown()


@pytest.fixture(scope="module")
def server(start_server: StartServer, site: int) -> Iterator[Server]:
    """A server that allows pages of http://localhost, and has a key for them."""
    settings = {"allowed_origins": f"http://localhost:{site}", "api_key": "owner", "page_key": "page"}
    with start_server(model="tiny.en", **settings) as server:
        yield server


def tried(server: Server, address: str, key: str) -> dict[str, Any]:
    """What the page at this address gets from the server."""
    with sync_api.sync_playwright() as playwright, browser(playwright) as page:
        page.goto(address)
        outcome: dict[str, Any] = page.evaluate(TRIES, [server.address, key])
        return outcome


def test_a_page_of_another_origin_gets_nothing(server: Server, site: int) -> None:
    counted = ("sayseek_audio_seconds_total", 'sayseek_requests_total{method="GET",route="/v1/search"')
    before = [server.metric(name) for name in counted]
    outcome = tried(server, f"http://127.0.0.1:{site}", key="owner")
    assert outcome["listened"] == {"opened": False, "messages": 0, "title": None}
    for kind in ("typed", "spoken", "put"):
        assert outcome[kind] == {"status": "TypeError", "body": None}, kind
    assert outcome["simple"] == {"status": 0, "body": None}  # opaque, as of every answer without CORS
    assert [server.metric(name) for name in counted] == before, "a clip was recognised, or the catalogue searched"
    owner = {"Authorization": "Bearer owner"}
    assert httpx.get(f"{server.address}/v1/documents/x", headers=owner).status_code == 404


def test_a_page_that_is_allowed_searches_and_listens_and_changes_nothing(server: Server, site: int) -> None:
    outcome = tried(server, f"http://localhost:{site}", key="page")
    assert outcome["typed"]["body"]["results"][0]["title"] == "Toronto"
    assert outcome["spoken"]["body"]["results"][0]["title"] == "Toronto"
    assert outcome["listened"]["title"] == "Toronto"
    assert outcome["put"]["status"] == 403
    assert outcome["put"]["body"]["error"]["code"] == "not_permitted"
