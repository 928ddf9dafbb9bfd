"""The catalogue's documents: put, get, delete. What is answered is durable."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from search.catalogue.document import Document, at_least_one, documents_from
from search.catalogue.json_records import Record, first_character, json_array, json_lines
from search.errors import InvalidDocument
from search.index import SearchIndex
from server.errors import ApiError
from server.memory import trim_malloc
from server.routes import AskedCatalogue
from server.schemas import errors

router = APIRouter(prefix="/v1/documents", tags=["catalogue"])

NO_DOCUMENTS = "There are no documents, and all that are there would go. Send allow_empty=true to mean it."
LARGE_BYTES = 1_000_000
RECORDS_PER_PAUSE = 128
PAUSE_SECONDS = 0.0001

EXAMPLE = {"id": "3413829", "title": "Reykjavík", "body": "Capital of Iceland", "country": "Iceland"}


class DocumentBody(BaseModel, extra="allow"):
    """A document; fields beyond these are kept and come back with results."""

    id: str | int = Field(description="What tells it from every other.", examples=["3413829"])
    title: str = Field(description="What people would call it.", examples=["Reykjavík"])
    body: str = Field("", description="More text to find it by.", examples=["Capital of Iceland"])
    aliases: list[str] = Field([], description="Other names it is found by, like a title.", examples=[["Reykjavik"]])
    popularity: float | None = Field(
        None, ge=0, description="Decides between documents that match about equally.", examples=[118918]
    )


class Indexed(BaseModel):
    indexed: int = Field(description="Documents that are now durably in the catalogue.", examples=[2])


class Deleted(BaseModel):
    deleted: int = Field(examples=[1])


REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "array", "items": DocumentBody.model_json_schema()},
            "example": [EXAMPLE],
        },
        "application/x-ndjson": {"schema": {"type": "string"}, "example": json.dumps(EXAMPLE) + "\n"},
    },
}


@router.put("", responses=errors(400, 401, 403, 404, 408, 413, 503), openapi_extra={"requestBody": REQUEST_BODY})
async def put_documents(
    request: Request,
    catalogue: AskedCatalogue,
    replace: Annotated[
        bool,
        Query(
            description="Make these all the documents that there are, at once: who searches meanwhile finds the old "
            "ones, then the new. (More than fit into a request: `sayseek-server index --replace`.)",
            examples=[False],
        ),
    ] = False,
    allow_empty: Annotated[
        bool, Query(description="Replace all documents by none, too, which is refused else.", examples=[False])
    ] = False,
) -> Indexed:
    """Add documents, or replace those with the same id: a JSON array, or objects one after the other (NDJSON)."""
    index = catalogue.index
    body = await request.body()
    write = partial(_replace, allow_empty=allow_empty) if replace else _upsert
    # Parsing 25 MB takes longer than the event loop may be away.
    return Indexed(indexed=await catalogue.writing(write, index, body))


@router.head("/{document_id:path}", include_in_schema=False)
@router.get("/{document_id:path}", responses=errors(401, 403, 404, 503))
async def get_document(document_id: str, catalogue: AskedCatalogue) -> dict[str, Any]:
    """One document, as it was put."""
    document = await catalogue.reading(catalogue.index.get, document_id)
    if document is None:
        raise _unknown(document_id)
    return dict(document.to_record())


@router.delete("/{document_id:path}", responses=errors(401, 403, 404, 503))
async def delete_document(document_id: str, catalogue: AskedCatalogue) -> Deleted:
    """Take one document out of the catalogue."""
    deleted = await catalogue.writing(catalogue.index.delete, [document_id])
    if not deleted:
        raise _unknown(document_id)
    return Deleted(deleted=deleted)


def _unknown(document_id: str) -> ApiError:
    return ApiError(404, "document_not_found", f"There is no document with the id {document_id!r}.", param="id")


def _upsert(index: SearchIndex, body: bytes) -> int:
    with _memory_given_back(body):
        return index.upsert(_documents(body))


def _replace(index: SearchIndex, body: bytes, *, allow_empty: bool) -> int:
    with _memory_given_back(body):
        documents = _documents(body)
        return index.replace(documents if allow_empty else at_least_one(documents, InvalidDocument(NO_DOCUMENTS)))


@contextmanager
def _memory_given_back(body: bytes) -> Iterator[None]:
    try:
        yield
    finally:
        if len(body) > LARGE_BYTES:
            trim_malloc()


def _documents(body: bytes) -> Iterator[Document]:
    return documents_from(record.value for record in _with_pauses(_records(body)))


def _with_pauses(records: Iterator[Record]) -> Iterator[Record]:
    """The records, and now and then a moment in which the event loop comes to run.

    Python takes the interpreter from a thread only when another has waited for 5 ms in one go. The index lets go of it
    more often, but for so short a time that who waits comes too late, again and again, for seconds.
    """
    for number, record in enumerate(records):
        if number % RECORDS_PER_PAUSE == 0:
            time.sleep(PAUSE_SECONDS)
        yield record


def _records(body: bytes) -> Iterator[Record]:
    """The records of a JSON array, or of NDJSON. Raises InvalidDocument that says where the body goes wrong."""
    start = first_character(body)
    if not start:
        raise InvalidDocument("The body is empty. Send a JSON array of documents, or one JSON object a line.")
    return json_array(body) if start == b"[" else json_lines(BytesIO(body))
