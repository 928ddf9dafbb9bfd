"""The real application with the smaller model and a small catalogue, called without a socket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from search.catalogue.document import Document
from search.opening import open_index
from server.app import create_app
from server.services import Services
from server.settings import Settings

CATALOGUE = [
    Document("1", "Reykjavík", "Capital of Iceland", fields={"country": "Iceland"}),
    Document("2", "Copenhagen", "Capital of Denmark"),
    Document("3", "Ólafsvík", "Town in Iceland"),
]

Start = Callable[..., "contextmanager[TestClient]"]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start an application with these settings; its index holds `CATALOGUE`."""

    @contextmanager
    def starting(**settings: object) -> Iterator[TestClient]:
        folder: Path = tmp_path_factory.mktemp("index")
        url = f"tantivy:{folder / 'index'}"
        with open_index(url) as index:
            index.upsert(CATALOGUE)
        app = create_app(Settings(model="tiny.en", index=url, **settings))
        with TestClient(app, raise_server_exceptions=False) as client:
            services: Services = app.state.services
            client.portal.call(services.ready.wait)
            yield client

    return starting


@pytest.fixture(scope="module")
def client(start: Start) -> Iterator[TestClient]:
    with start(max_upload_bytes=1_000_000, max_upload_memory=3_000_000, max_audio_seconds=20) as client:
        yield client
