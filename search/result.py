"""What a search gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from search.document import JSON

Match = Literal["text", "acoustic"]
"""Why a document is among the results: it has words of the text that was heard or typed; or it is called what sounds
like a part of that, and what the acoustic model finds likely."""


@dataclass(frozen=True)
class Result:
    """A document that was found. `score` compares with the other results of the same search only."""

    id: str
    score: float
    title: str
    body: str
    fields: Mapping[str, JSON]
    match: Match = "text"
