from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from search.catalogue.schema import Schema
from search.index import SearchIndex
from search.opening import open_index
from tests.postgres_server import PostgresServer

Opener = Callable[..., SearchIndex]

_numbers = count()


@pytest.fixture
def catalogue(postgres: PostgresServer) -> str:
    """The URL of a catalogue in PostgreSQL that nobody has used."""
    return postgres.url(f"test_{next(_numbers)}")


@pytest.fixture(params=["tantivy", "postgresql"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the test's index, of every kind there is; each call gives another view of the same documents.

    It is given the schema, if the index is to have one.
    """
    is_tantivy = request.param == "tantivy"
    url = f"tantivy:{tmp_path / 'index'}" if is_tantivy else request.getfixturevalue("catalogue")

    def opened(schema: Schema | None = None) -> SearchIndex:
        return open_index(url, schema)

    return opened


@pytest.fixture
def index(open_again: Opener) -> Iterator[SearchIndex]:
    with open_again() as index:
        yield index
