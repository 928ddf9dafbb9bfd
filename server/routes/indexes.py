"""The catalogues that there are, and what can be done with their fields: for whoever builds an interface."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from search.catalogue.schema import Schema
from server.routes import AppServices
from server.schemas import Status, errors, status_of

router = APIRouter(prefix="/v1", tags=["catalogue"])


class FieldBody(BaseModel):
    """A field of the documents that more is done with than to keep it and give it back."""

    name: str = Field(examples=["country"])
    filter: Literal["value", "range"] | None = Field(
        description="How it can be filtered by: its values (and counted, as a facet), numbers and dates in a range, or "
        "not at all.",
        examples=["value"],
    )
    searched: bool = Field(description="Whether words of a query are looked for in it.", examples=[False])
    sound: bool = Field(description="Whether it is found by how it sounds, as a title is.", examples=[False])


class IndexBody(BaseModel):
    name: str = Field(description="What `index=` takes.", examples=["default"])
    status: Status
    documents: int = Field(description="Documents in it, as far as that is known.", examples=[34006])
    fields: list[FieldBody]


class IndexList(BaseModel):
    default: str = Field(description="The one that is meant where none is named.", examples=["default"])
    indexes: list[IndexBody]


@router.head("/indexes", include_in_schema=False)
@router.get("/indexes", responses=errors(401, 403))
async def list_indexes(services: AppServices) -> IndexList:
    """The catalogues, how large they are, and by what their documents can be filtered."""
    catalogues = services.catalogues
    states = await catalogues.states()
    return IndexList(
        default=catalogues.default,
        indexes=[
            IndexBody(name=name, status=status_of(state), documents=state.documents or 0, fields=_fields(state.schema))
            for name, state in states.items()
        ],
    )


def _fields(schema: Schema) -> list[FieldBody]:
    searched = schema.searched()
    return [
        FieldBody(name=name, filter=field.filter, searched=name in searched, sound=field.sound)
        for name, field in schema.fields.items()
    ]
