"""Every setting, once: from `SAYSEEK_*` environment variables, or flags of `sayseek-server serve`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.options import RecognitionOptions, split_at_commas
from search.text.spelling import not_known

PREFIX = "SAYSEEK_"
RENAMED = {"compiled_code": "cache"}  # settings of earlier versions, and what they are called now
CLIENTS = ("server",)  # beside `api_key`, what the `sayseek` command reads
# Kubernetes tells each container of its services, one of which may be called sayseek-something.
_OF_SERVICES = re.compile(r"\w*_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_\w+)?")

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_PORT = 65_535
HOST_NAME = re.compile(r"[a-z0-9._-]+")
ORIGIN = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>{HOST_NAME.pattern}|\[[0-9a-f:.]+\])(:(?P<port>\d{{1,5}}))?/?", re.ASCII
)
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # what browsers take as a subprotocol: RFC 9110, 5.6.2


class Settings(RecognitionOptions, BaseSettings):
    """Checked once, at start; after that nothing changes it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # compose files set to nothing what the owner did not set
        frozen=True,
        extra="ignore",
        validate_default=True,
        allow_inf_nan=False,
        str_strip_whitespace=True,
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=0, le=MAX_PORT, description="Port to listen on; 0 for any free one.")
    root_path: str = Field(
        "", description="Prefix under which a reverse proxy serves all this, such as /voice; it may leave it there."
    )
    api_key: SecretStr | None = Field(
        None,
        description="When set, every /v1 request needs it: 'Authorization: Bearer KEY'. Empty, without a page key: "
        "open to all.",
    )
    page_key: SecretStr | None = Field(
        None,
        description="A second key, for web pages, whose visitors can read it: it allows to search and listen, and "
        "nothing else. Where it is the only key, nobody can change the catalogue over HTTP.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins of web pages that may use the server beside its own page, comma-separated: "
        "https://shop.example. Pages of all others are refused.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names of the server, comma-separated: sayseek.example. Where set, a request to any other name is "
        "refused (addresses and localhost always pass), which stops DNS rebinding. Empty: any name.",
    )

    index: str = Field(
        "tantivy:sayseek-data/index",
        min_length=1,
        description="Where the catalogue's search index is: tantivy:FOLDER, or postgresql://USER@HOST/DATABASE.",
    )
    sample_catalogue: bool = Field(True, description="Fill an empty index with the world's cities at start.")
    catalogues: Path | None = Field(
        None,
        description="TOML file that names your catalogues, where their indexes are and what their fields are for; "
        "SAYSEEK_INDEX and the sample catalogue have no effect then.",
    )

    max_connections: int = Field(
        1_000, ge=1, description="Connections that may be open at once; at most a third of the file descriptors."
    )
    max_upload_bytes: int = Field(25_000_000, ge=1_000, description="Largest request body, in bytes.")
    max_upload_memory: int = Field(
        256_000_000, ge=1_000, description="Bytes that all request bodies together may hold in memory."
    )
    upload_timeout: float = Field(30.0, gt=0, description="Seconds that a request body may take to arrive.")
    max_queue: int = Field(64, ge=1, le=10_000, description="Clips that may be in work or waiting at once.")
    max_delay: float = Field(
        4.0, ge=0, description="Seconds that a clip may have to wait for those before it; with more it gets no place."
    )
    queue_wait: float = Field(
        0.5, ge=0, le=60, description="Seconds that a request waits for a place before it is answered 503."
    )
    answer_timeout: float = Field(
        60.0, gt=0, description="Seconds that a clip may take once it has a place, before it is given up: 503."
    )
    max_listeners: int = Field(200, ge=0, le=10_000, description="Live connections that may be open at once.")
    listener_timeout: float = Field(
        30.0, gt=0, description="Seconds that a live connection may bring neither audio nor KeepAlive."
    )
    shutdown_timeout: float = Field(20.0, ge=0, description="Seconds that requests in flight get to finish at SIGTERM.")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_transcripts: bool = Field(
        False, description="Log what was heard and searched for. Off: nothing that was said is kept anywhere."
    )

    @field_validator("api_key", "page_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        key = value.get_secret_value().strip() if value else ""
        if not key.isascii() or not key.isprintable():
            raise ValueError("the key has characters that no header can carry; make one of letters and digits")
        return SecretStr(key) if key else None

    @field_validator("root_path")
    @classmethod
    def _a_path(cls, value: str) -> str:
        path = value.strip("/")
        if path and not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path, re.ASCII):
            raise ValueError("write a path of letters, digits and slashes, such as /voice")
        return f"/{path}" if path else ""

    @field_validator("page_key")
    @classmethod
    def _fits_a_page(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value and not TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("the key has characters that a page cannot send; make one of letters and digits")
        if value and value == info.data.get("api_key"):
            raise ValueError("it is the API key, too, and a page's visitors could change the catalogue; make another")
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _of_this_server(cls, value: object) -> object:
        """Kubernetes sets SAYSEEK_PORT=tcp://10.0.0.7:8000 where a service is called sayseek."""
        if isinstance(value, str) and value.startswith(("tcp://", "udp://")):
            return cls.model_fields["port"].default
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("allowed_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_at_commas(value)

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_origin, value))

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in value if not HOST_NAME.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} is no host's name; write it without scheme, port and path: sayseek.example")
        return value


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def misspelt_variables(environment: Mapping[str, str]) -> list[str]:
    """What to tell of each variable that is called like a setting, and is none; one that is set to nothing is none."""
    named = {name.upper(): value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    known = [variable_of(name) for name in (*Settings.model_fields, *CLIENTS)]
    return [
        _told(variable, known)
        for variable, value in sorted(named.items())
        if value and variable not in known and not _tells_of_a_service(variable, value)
    ]


def _tells_of_a_service(variable: str, value: str) -> bool:
    return bool(_OF_SERVICES.fullmatch(variable)) or (variable.endswith("_PORT") and "://" in value)


def _told(variable: str, known: list[str]) -> str:
    name = variable.removeprefix(PREFIX).lower()
    if name in RENAMED:
        return f"{variable} is called {variable_of(RENAMED[name])} now"
    listed = "sayseek-server serve --help lists them"
    return not_known(variable, known, "a setting", prefix=PREFIX, listed=listed)


def _origin(text: str) -> str:
    """An origin as browsers send it, without the scheme's usual port; `text` is in lower case. Raises ValueError."""
    match = ORIGIN.fullmatch(text)
    if not match or match["scheme"] in ("ws", "wss") or int(match["port"] or 0) > MAX_PORT:
        raise ValueError(
            f"{text!r} is no origin; write scheme, host and, where it is not the usual one, port: https://shop.example"
        )
    scheme, host, port = match["scheme"], match["host"], match["port"]
    is_usual = port is None or int(port) == DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{int(port)}"
