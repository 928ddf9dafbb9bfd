"""The shapes of requests and answers that several routes share, with an example for every field."""

from typing import Any

from pydantic import BaseModel, Field

from search.result import Match, Result


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
        description="Why it is here: `text`, it has words that were heard; `acoustic`, it is called what sounds like a "
        "part of that, and what the acoustic model finds likely.",
    )

    @classmethod
    def of(cls, result: Result) -> "SearchResult":
        return cls(
            id=result.id,
            score=round(result.score, 4),
            title=result.title,
            body=result.body,
            fields=dict(result.fields),
            match=result.match,
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
    """The error answers of a route, for its documentation."""
    return {status: {"model": ErrorBody} for status in statuses}
