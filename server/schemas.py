"""The shapes of requests and answers that several routes share, with an example for every field."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field

from asr.languages import parse_language
from search.result import Match, Result
from server.catalogues import State

Total: TypeAlias = Annotated[
    int, Field(description="Documents that match, of which `results` are a page.", examples=[1])
]
Facets: TypeAlias = Annotated[
    Mapping[str, Mapping[str, int]] | None,
    Field(
        description="For each field that was asked for, how many of the documents that match have each value; the most "
        "frequent first, 100 at most.",
        examples=[{"country": {"Iceland": 1}}],
    ),
]

LANGUAGE = "The language that is spoken: `en`, `en-US` or `English`. Found by the model when absent or `multi`."
# As it was written in a request; the code after that, or None where any may be spoken.
Language: TypeAlias = Annotated[str, AfterValidator(parse_language)]

Status: TypeAlias = Annotated[
    Literal["open", "unavailable"],
    Field(description="`unavailable`: its database is away; it is tried again by itself.", examples=["open"]),
]


def status_of(state: State) -> Status:
    return "unavailable" if state.documents is None else "open"


class SearchResult(BaseModel):
    """One document that was found."""

    id: str = Field(description="The document's id.", examples=["3413829"])
    score: float = Field(description="How well it matches; comparable within one answer only.", examples=[12.4])
    title: str = Field(examples=["Reykjavík"])
    body: str = Field(examples=["Capital of Iceland"])
    fields: dict[str, Any] = Field(
        description="The document's other fields, as they were indexed.", examples=[{"country": "Iceland"}]
    )
    match: Match = Field(
        "text",
        examples=["text"],
        description="Why it is here: `text`, it has words that were heard; `sound`, it is called what sounds like a "
        "part of that; `acoustic`, the acoustic model finds that likely, too.",
    )
    highlights: Mapping[str, str] | None = Field(
        None,
        description="Where snippets are asked for: HTML of the title, of the part of the body that has most of the "
        "query's words, and of other fields that have some. Escaped, with these words in `<mark>`.",
        examples=[{"title": "<mark>Reykjavík</mark>", "body": "Capital of Iceland"}],
    )

    @classmethod
    def of(cls, result: Result, highlights: Mapping[str, str] | None = None) -> "SearchResult":
        return cls(
            id=result.id,
            score=round(result.score, 4),
            title=result.title,
            body=result.body,
            fields=dict(result.fields),
            match=result.match,
            highlights=highlights,
        )


class ErrorDetail(BaseModel):
    message: str = Field(
        description="What is wrong and how to mend it.",
        examples=["The file is empty. Send a complete recording."],
    )
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="The part of the request that is at fault.", examples=["file"])
    code: str = Field(description="For programs.", examples=["invalid_audio"])


class ErrorBody(BaseModel):
    """Every error has this body."""

    error: ErrorDetail


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its documentation; `default` is there in place of FastAPI's own 422."""
    told: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in statuses}
    return told | {"default": {"model": ErrorBody, "description": "Every other error has the same body."}}
