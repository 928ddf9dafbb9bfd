"""What a search gives back."""

from collections.abc import Mapping
from dataclasses import dataclass

from search.document import JSON


@dataclass(frozen=True)
class Result:
    """A document that was found. `score` compares with the other results of the same search only."""

    id: str
    score: float
    title: str
    body: str
    fields: Mapping[str, JSON]
