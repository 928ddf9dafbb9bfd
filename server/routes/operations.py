"""For those who run the server: is it alive, is it ready, what does it do."""

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from server.errors import busy
from server.metrics import CONTENT_TYPE
from server.routes import AppServices
from server.schemas import Status, errors, status_of

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])


class IndexState(BaseModel):
    name: str = Field(examples=["default"])
    status: Status
    documents: int = Field(description="Documents in it, as far as that is known.", examples=[34006])


class Readiness(BaseModel):
    status: str = Field(examples=["ready"])
    model: str = Field(description="The model that answers.", examples=["base"])
    documents: int = Field(description="Documents in all catalogues.", examples=[34006])
    indexes: list[IndexState]


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def alive() -> Health:
    """Is the process alive? Answers at once, however busy the model is."""
    return Health(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=errors(503))
async def ready(services: AppServices) -> Readiness:
    """Are the model and the indexes loaded? 503 until they are, and while none of them can be used."""
    model = services.transcriber.name
    states = await services.catalogues.states()
    if all(state.documents is None for state in states.values()):
        raise busy("No index can be used. The server's log says why.", 5, code="index_unavailable")
    indexes = [
        IndexState(name=name, status=status_of(state), documents=state.documents or 0) for name, state in states.items()
    ]
    return Readiness(status="ready", model=model, documents=sum(index.documents for index in indexes), indexes=indexes)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: AppServices) -> Response:
    """Counts and times in Prometheus' format."""
    return Response(services.metrics.exposition(), media_type=CONTENT_TYPE)
