"""A process for tests to kill: writes pairs of documents, and says which once they are acknowledged.

Run as `acknowledging_writer.py FOLDER FIRST`, it counts up from FIRST; with a third argument it puts everything
into one call that never ends, and says how many documents that call has taken.
"""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from search.document import Document
from search.tantivy_index import TantivyIndex


def pair(number: int) -> list[Document]:
    return [Document(id=f"{number}-{twin}", title=f"Thing {number}", body="to be found") for twin in "ab"]


def write_pairs(index: TantivyIndex, first: int) -> None:
    for number in itertools.count(first):
        index.upsert(pair(number))
        print(number, flush=True)  # noqa: T201


def endless(first: int) -> Iterator[Document]:
    for number in itertools.count(first):
        yield from pair(number)
        print(number, flush=True)  # noqa: T201


if __name__ == "__main__":
    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    with TantivyIndex(folder) as index:
        if len(sys.argv) > 3:
            index.upsert(endless(first))
        write_pairs(index, first)
