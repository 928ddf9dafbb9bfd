"""Which model answers, and how it runs, in the form that OpenAI's clients read."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from server.routes import AppServices
from server.schemas import errors

router = APIRouter(prefix="/v1/models", tags=["operations"])


class Model(BaseModel):
    id: str = Field(description="The model's name.", examples=["base"])
    object: Literal["model"] = Field(default="model", examples=["model"])
    created: int = Field(default=0, description="Always 0; OpenAI's clients expect it.", examples=[0])
    owned_by: str = Field(default="sayseek", examples=["sayseek"])
    compute: str = Field(
        description="The arithmetic it runs in, and where.",
        examples=["2 replicas, each encoder int8, decoder int8, 2 threads"],
    )
    replicas: int = Field(description="Engines that share the work.", examples=[2])
    threads: int = Field(description="CPU threads of each of them.", examples=[2])


class Models(BaseModel):
    object: Literal["list"] = Field(default="list", examples=["list"])
    data: list[Model] = Field(description="One: a server serves one model.")


@router.get("", responses=errors(401, 503))
async def list_models(services: AppServices) -> Models:
    """The model that is served."""
    transcriber, shares = services.transcriber, services.shares
    compute = str(transcriber.engine.compute)
    model = Model(id=transcriber.name, compute=compute, replicas=shares.replicas, threads=shares.threads)
    return Models(data=[model])
