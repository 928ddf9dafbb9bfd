"""A catalogue of any size, the same each time: the world's places with all their names, then made-up products.

python -m benchmarks.large_catalogue FILE [--documents 1000000]
"""

import json
import random
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import typer

from search.catalogue.document import Document
from search.catalogue.sample_cities import documents as places
from search.catalogue.schema import Field, Schema

SCHEMA = Schema(
    {
        "countrycode": Field("value"),
        "population": Field("range"),
        "brand": Field("value", boost=1.0),
        "kind": Field("value"),
        "price": Field("range"),
    }
)

# What made-up brands are put together from, and what is sold under them.
ONSETS, NUCLEI, CODAS = (
    sounds.split(" ")
    for sounds in (
        "b br c ch d dr f fl g gl h j k l m n p pr r s sh st t tr v w z",
        "a e i o u ai ee oo ia",
        "   n r x l s t m nd",
    )
)
PRODUCTS = "travel mug,running shoes,desk lamp,espresso machine,rain jacket,office chair,backpack,tent,monitor"
KINDS = PRODUCTS.split(",")


def large_catalogue(count: int) -> Iterator[Document]:
    """So many documents: the 234,908 places of 500 inhabitants or more, with their alternate names, come first."""
    return islice(chain(places(500), _products()), count)


def _products() -> Iterator[Document]:
    pick = random.Random(1).choice
    number = 0
    while True:
        number += 1
        brand = "".join(pick(ONSETS) + pick(NUCLEI) + pick(CODAS) for _ in range(pick((2, 2, 3)))).capitalize()
        version, kind = pick(("", "", "Pro ", "Max ", f"{number % 90} ")), pick(KINDS)
        fields = {"brand": brand, "kind": kind, "price": number % 500 + 0.99}
        yield Document(id=f"product-{number}", title=f"{brand} {version}{kind}", fields=fields)


def main(file: Path, documents: int = 1_000_000) -> None:
    """Write a catalogue as JSON lines."""
    with file.open("w") as lines:
        for document in large_catalogue(documents):
            lines.write(json.dumps(document.to_record(), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    typer.run(main)
