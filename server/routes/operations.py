"""For those who run the server: is it alive, is it ready, what does it do."""

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from server.metrics import CONTENT_TYPE
from server.routes import AppServices
from server.schemas import errors

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    status: str = Field(examples=["ready"])
    model: str = Field(description="The model that answers.", examples=["base"])
    documents: int = Field(description="Documents in the catalogue.", examples=[34006])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def alive() -> Health:
    """Is the process alive? Answers at once, however busy the model is."""
    return Health(status="ok")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=errors(503))
async def ready(services: AppServices) -> Readiness:
    """Are the model and the index loaded? 503 until they are."""
    model = services.transcriber.name
    documents = await services.in_search_thread(services.index.count)
    return Readiness(status="ready", model=model, documents=documents)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: AppServices) -> Response:
    """Counts and times in Prometheus' format."""
    return Response(services.metrics.exposition(), media_type=CONTENT_TYPE)
