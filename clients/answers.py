"""What a server answers, as values. Fields that a newer server adds are passed over."""

import builtins
import types
from collections import abc
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from clients.errors import MalformedAnswer

T = TypeVar("T")


@dataclass(frozen=True)
class Alternative:
    """Another reading of what was said; `confidence` from 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What was heard: empty text where there was no speech. `duration` of the clip in seconds."""

    text: str
    language: str
    confidence: float
    duration: float
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class Result:
    """A document that was found. `score` compares with other results of the same answer only.

    `match` tells why: `text`, it has words that were heard; `sound`, it is called what sounds like a part of that;
    `acoustic`, the acoustic model finds that likely, too. `highlights`, where they are asked for, are HTML of the
    document's parts, with the query's words in `<mark>` and all else escaped.
    """

    id: str
    score: float
    title: str
    body: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    match: str = "text"
    highlights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Quality:
    """The clip's sound: `speech_seconds`, `level_dbfs` of the speech, the share of samples `clipped`.

    `verdict` is `ok`, `clipped`, `too_short`, `silent`, `no_speech` or `unsure`: then there are no results.
    """

    speech_seconds: float
    level_dbfs: float
    clipped: float
    verdict: str


@dataclass(frozen=True)
class VoiceSearchAnswer:
    """What was heard in a clip and what was found for it; `timings` in milliseconds.

    `total` documents match, None where the server does not tell; `facets` has, for each field that was asked for, how
    many of them have each value.
    """

    id: str
    model: str
    transcript: Transcript
    query: str
    results: tuple[Result, ...]
    quality: Quality
    timings: Mapping[str, float]
    total: int | None = None
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchAnswer:
    """What was found for a typed query; `total`, `facets` and `timings` as for a spoken one."""

    query: str
    results: tuple[Result, ...]
    timings: Mapping[str, float]
    total: int | None = None
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def read_answer(kind: type[T], value: Any) -> T:
    """`value`, as JSON gives it, as one of the dataclasses above, or as a plain type.

    Raises `MalformedAnswer`, naming the place, for anything that is missing or of another type.
    """
    answer: T = _read(kind, value, "the answer")
    return answer


def _read(kind: Any, value: Any, where: str) -> Any:
    match get_origin(kind), value:
        case builtins.tuple, list():
            item_kind = get_args(kind)[0]
            return tuple(_read(item_kind, item, f"{where}[{at}]") for at, item in enumerate(value))
        case abc.Mapping, dict():
            item_kind = get_args(kind)[1]
            return {key: _read(item_kind, item, f"{where}.{key}") for key, item in value.items()}
        case types.UnionType, _:
            return None if value is None else _read(get_args(kind)[0], value, where)
        case None, dict() if is_dataclass(kind):
            return _read_fields(kind, value, where)
    if kind is Any:
        return value
    if isinstance(kind, type) and type(value) is kind:
        return value
    if kind is float and type(value) is int:
        with suppress(OverflowError):
            return float(value)
    raise MalformedAnswer(f"{where} is {value!r:.80}: not what a Sayseek server says there.")


def _read_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    kinds = get_type_hints(kind)
    missing = [f.name for f in fields(kind) if f.name not in value and _is_required(f)]
    if missing:
        raise MalformedAnswer(f"{where} has no {missing[0]!r}: not what a Sayseek server says there.")
    known = {f.name: value[f.name] for f in fields(kind) if f.name in value}
    return kind(**{name: _read(kinds[name], item, f"{where}.{name}") for name, item in known.items()})


def _is_required(attribute: Field[Any]) -> bool:
    return attribute.default is MISSING and attribute.default_factory is MISSING
