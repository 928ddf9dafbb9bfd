"""Which model answers, and how it runs, in the form that OpenAI's clients read."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from server.routes import AppServices
from server.schemas import errors

router = APIRouter(prefix="/v1/models", tags=["operations"])


class Measured(BaseModel):
    encoder: dict[str, float] = Field(
        description="Of 3.7 seconds of sound.",
        examples=[{"int8 (avx2)": 45.1, "float32": 97.4}],
    )
    decoder: dict[str, float] = Field(
        description="Of a step with one row and one with eight.",
        examples=[{"int8 (avx2)": 8.2, "float32": 88.9}],
    )


class Model(BaseModel):
    id: str = Field(description="The model's name.", examples=["base"])
    object: Literal["model"] = Field(default="model", examples=["model"])
    created: int = Field(default=0, description="Always 0; OpenAI's clients expect it.", examples=[0])
    owned_by: str = Field(default="sayseek", examples=["sayseek"])
    compute: str = Field(
        description="The arithmetic it runs in, and where.",
        examples=["2 replicas, each encoder int8, decoder int8, 2 threads"],
    )
    measured: Measured | None = Field(
        description="Milliseconds by arithmetic, by which the fastest was chosen; null where there was no choice."
    )
    replicas: int = Field(description="Engines that share the work.", examples=[2])
    threads: int = Field(description="CPU threads of each of them.", examples=[2])


class Models(BaseModel):
    object: Literal["list"] = Field(default="list", examples=["list"])
    data: list[Model] = Field(description="One: a server serves one model.")


@router.get("", responses=errors(401, 403, 503))
async def list_models(services: AppServices) -> Models:
    """The model that is served."""
    transcriber, shares = services.transcriber, services.shares
    engine = transcriber.engine
    times = engine.measured
    model = Model(
        id=transcriber.name,
        compute=str(engine.compute),
        measured=Measured(encoder=dict(times.encoder), decoder=dict(times.decoder)) if times else None,
        replicas=shares.replicas,
        threads=shares.threads,
    )
    return Models(data=[model])
