from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.index import SearchIndex, open_index

Opener = Callable[..., SearchIndex]


@pytest.fixture(params=["tantivy"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the test's index, of every kind there is; each call gives another view of the same documents.

    It is given the schema, if the index is to have one.
    """
    return lambda schema=None: open_index(f"{request.param}:{tmp_path / 'index'}", schema)


@pytest.fixture
def index(open_again: Opener) -> Iterator[SearchIndex]:
    with open_again() as index:
        yield index
