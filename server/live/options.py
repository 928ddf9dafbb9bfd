"""What a listener may ask for: the parameters of `GET /v1/listen`, checked once, at connecting."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from starlette.datastructures import QueryParams

from search.text.spelling import nearest
from server.errors import ApiError, unknown_name
from server.keywords import MOST, validate_keywords
from server.schemas import LANGUAGE, Language
from server.search_requests import FILTER, INDEX, UNSURE_RESULTS

# Clients of the protocol name models that are only to be had elsewhere; they get the one that is served here.
MODELS_ELSEWHERE = ("nova", "flux", "enhanced", "base", "general", "whisper", "2-", "default")
# Who asks for one of these must not believe to have got it.
NOT_TO_BE_HAD = ("callback", "redact", "multichannel")


def _none_for_false(value: object) -> object:
    return None if str(value).strip().lower() == "false" else value


DEFAULT_ENDPOINTING_MS = 500
DEFAULT_BOUNDS_MS = (350, 900)
LEAST_ENDPOINTING_MS = 100  # shorter silences lie within words

Milliseconds = Annotated[int, Field(ge=100, le=10_000)]


class ListenOptions(BaseModel):
    """The parameters, by their names in the address. Others are taken and have no effect; `ignored` tells which.

    The clients of the protocol send some; one that is called much like a parameter is refused as misspelt.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str | None = Field(None, description="The server's model; it serves names of Deepgram's models, too.")
    language: Language | None = Field(None, description=LANGUAGE)
    encoding: Literal["linear16"] = Field("linear16", description="PCM, signed 16 bit little-endian; no container.")
    sample_rate: int = Field(16_000, ge=8_000, le=48_000, description="Hz.")
    channels: int = Field(1, ge=1, le=2, description="Two are mixed, so that speech in either is heard.")
    interim_results: bool = Field(False, description="Send interims while somebody speaks.")
    endpointing: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, BeforeValidator(_none_for_false)] = Field(
        DEFAULT_ENDPOINTING_MS,
        description="Milliseconds of silence that end an utterance, exactly, unless bounds are given; under 100 count "
        "as 100. `false`: the client decides and sends Finalize. Absent or `true`: 500, within the bounds 350 and 900.",
    )
    endpointing_min: Milliseconds | None = Field(
        None,
        description="A query that is surely complete ends after as little silence as this, in milliseconds; the more "
        "the model doubts it, the later.",
    )
    endpointing_max: Milliseconds | None = Field(
        None, description='One that breaks off ("hotels in") ends after as much as this.'
    )
    utterance_end_ms: Milliseconds | None = Field(
        None, description="Send UtteranceEnd after so much silence since an utterance's last word."
    )
    vad_events: bool = Field(False, description="Send SpeechStarted.")
    limit: int = Field(10, ge=1, le=100, description="Most results to give.")
    alternatives: int = Field(0, ge=0, le=10, description="Most other readings to give with a final.")
    search: Literal["true", "false", "interim"] = Field(
        "true", description="Search with finals; `interim`: with interims, too; `false`: not at all."
    )
    keywords: Annotated[tuple[str, ...], AfterValidator(validate_keywords)] = Field(
        (),
        description="Words or phrases that are expected, repeated or between commas; `word:3` expects one three times "
        f"as much as 1; above 4 or so nothing is gained. At most {MOST}.",
    )
    index: str | None = Field(None, description=INDEX)
    filter: tuple[str, ...] = Field((), description=FILTER)
    unsure_results: bool = Field(False, description=UNSURE_RESULTS)
    ignored: tuple[str, ...] = Field((), exclude=True)

    @model_validator(mode="after")
    def _bounds_fit(self) -> "ListenOptions":
        if self.endpointing is None:
            if self.endpointing_min or self.endpointing_max:
                raise _mismatch(
                    "is false: the client ends utterances, so leave out endpointing_min and endpointing_max"
                )
            return self
        least, most = self.hangover_bounds_ms
        if not least <= self.hangover_ms <= most:
            raise _mismatch("must lie between endpointing_min and endpointing_max")
        return self

    @property
    def hangover_ms(self) -> int:
        """How much silence ends an utterance, where the server decides on it."""
        assert self.endpointing is not None
        return max(self.endpointing, LEAST_ENDPOINTING_MS)

    @property
    def hangover_bounds_ms(self) -> tuple[int, int]:
        """Between how much that may vary with what was said."""
        least, most = self.endpointing_min, self.endpointing_max
        if "endpointing" not in self.model_fields_set:
            least, most = least or DEFAULT_BOUNDS_MS[0], most or DEFAULT_BOUNDS_MS[1]
        return least or self.hangover_ms, most or self.hangover_ms

    @property
    def is_adaptive(self) -> bool:
        """Whether it varies at all."""
        return self.endpointing is not None and self.hangover_bounds_ms != (self.hangover_ms, self.hangover_ms)

    def served_by(self, model: str) -> bool:
        """Whether a server whose model has this name has what is asked for."""
        asked = (self.model or "").lower()
        return not asked or asked == model.lower() or asked.startswith(MODELS_ELSEWHERE)


PARAMETERS = set(ListenOptions.model_fields) - {"ignored"}
REPEATED = {"filter", "keywords"}


def parse_options(query: QueryParams | Mapping[str, str]) -> ListenOptions:
    """The options in a query string. Raises ApiError (400) with what to mend."""
    query = QueryParams(query)
    for name in NOT_TO_BE_HAD:
        if query.get(name, "false").lower() != "false":
            raise ApiError(400, "invalid_request", f"{name} is not to be had here; leave it out.", param=name)
    others = sorted(set(query) - PARAMETERS)
    for name in others:
        if nearest(name, PARAMETERS):
            raise unknown_name(name, PARAMETERS, "a parameter here")
    given: dict[str, str | list[str]] = {name: value for name, value in query.items() if name in PARAMETERS}
    given |= {name: query.getlist(name) for name in REPEATED}
    if query.get("endpointing", "").lower() == "true":
        del given["endpointing"]
    try:
        options = ListenOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        param = str(first["loc"][0]) if first["loc"] else "endpointing"
        raise ApiError(400, "invalid_request", f"{param}: {first['msg']}.", param=param) from None
    return options.model_copy(update={"ignored": tuple(others)})


def _mismatch(what: str) -> PydanticCustomError:
    """Of a ValueError pydantic would tell the type, too."""
    return PydanticCustomError("mismatch", "{what}", {"what": what})
