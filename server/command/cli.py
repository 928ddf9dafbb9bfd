"""`sayseek-server`: serve · index · migrate · models · evaluate."""

import errno
import inspect
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from rich.console import Console
from rich.markup import escape

from asr.errors import AsrError
from search.configuration import CatalogueOptions, read_configuration
from search.errors import SearchError
from search.postgres.migration import migrate as migrate_tables
from server.command.index import run_indexing
from server.settings import Settings, misspelt_variables, variable_of

app = typer.Typer(
    help="Sayseek's server: say it, find it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)


def main() -> None:
    """The console entry."""
    app()


def fail(message: str, code: int = 1) -> typer.Exit:
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    return typer.Exit(code)


def load_settings(**flags: Any) -> Settings:
    """Settings from the environment, then flags. Ends the program with what to mend when one is wrong."""
    if misspelt := misspelt_variables(os.environ):
        for told in misspelt:
            fail(told)
        raise typer.Exit(2)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors():
            name, message = str(problem["loc"][0]), problem["msg"].removeprefix("Value error, ")
            err.print(
                f"[bold red]error:[/] {flag_of(name)} (or {variable_of(name)}): {escape(message)}",
                highlight=False,
                soft_wrap=True,
            )
        raise typer.Exit(2) from None


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def with_setting_flags(command: Any) -> Any:
    """Give a command a flag for every setting, so that each is described in one place: `server.settings`."""

    def parameter(name: str) -> inspect.Parameter:
        field = Settings.model_fields[name]
        default = "" if field.default in (None, (), PydanticUndefined) else f" [default: {_shown(field.default)}]"
        option = typer.Option(flag_of(name), help=f"{field.description}{default} [{variable_of(name)}]")
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
        )

    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=[*own, *map(parameter, Settings.model_fields)])
    return command


def _shown(default: Any) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default).lower()


@app.command()
@with_setting_flags
def serve(**flags: str | None) -> None:
    """Serve voice search until SIGTERM or Ctrl-C."""
    settings = load_settings(**flags)
    for obeyed in (signal.SIGTERM, signal.SIGINT):
        signal.signal(obeyed, lambda *_: os._exit(0))  # until the server itself obeys there is nothing to put in order
    err.print(f"Starting Sayseek with the model [bold]{escape(settings.model)}[/] ...")
    from server.serve import serve as run  # torch takes seconds to import: --help need not wait for it

    try:
        failure = run(settings, announce=_say_what_to_try)
    except SearchError as error:
        raise fail(str(error)) from None
    except OSError as error:
        raise fail(_why_no_listening(settings.host, settings.port, error)) from None
    if failure:
        raise fail(str(failure))


def _why_no_listening(host: str, port: int, error: OSError) -> str:
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        advice = "Choose another port: make serve PORT=8001, or --port 8001"
    else:
        advice = "--host takes an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for every interface"
    return f"cannot listen on port {port} of {host}: {error.strerror or error}. {advice}"


def _say_what_to_try(address: str) -> None:
    program = Path(sys.argv[0]).absolute().with_name("sayseek")
    shown = os.path.relpath(program) if program.is_relative_to(Path.cwd()) else "sayseek"
    server = "" if address == "http://127.0.0.1:8000" else f" --server {address}"
    err.print(f"\n[bold green]Sayseek is ready at {address}[/]   Try, in another terminal:\n")
    tries = (
        f"{shown} ask{server} samples/*.flac",
        f"curl -F file=@samples/hotels-in-reykjavik.flac {address}/v1/voice-search",
        f"{address} in a browser: press and speak",
        f"{address}/docs in a browser",
    )
    for line in tries:
        err.print(f"  {line}", highlight=False, soft_wrap=True)
    err.print()


CataloguesFile = Annotated[
    Path | None, typer.Option(help="The TOML file that names your catalogues. [SAYSEEK_CATALOGUES]")
]
CatalogueName = Annotated[str | None, typer.Option(metavar="NAME", help="Which of them; without it the default one.")]


@app.command()
def index(
    file: Annotated[Path, typer.Argument(help="JSON, JSONL or CSV; every record needs an id and a title.")],
    into: Annotated[
        str | None, typer.Option("--index", help="Where the index is: tantivy:FOLDER or postgresql://… [SAYSEEK_INDEX]")
    ] = None,
    catalogues: CataloguesFile = None,
    catalogue: CatalogueName = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make these all the documents that there are, at once, when all are read.")
    ] = False,
) -> None:
    """Add a catalogue's documents to the search index; those with an id that is there already replace it.

    A server may run and search meanwhile. Until all is written, and where that is interrupted, it finds what was there.
    """
    try:
        run_indexing(_target(into, catalogues, catalogue), file, replace=replace, out=out, err=err)
    except SearchError as error:
        raise fail(str(error)) from None
    except KeyboardInterrupt as interrupt:
        raise fail(str(interrupt) or "interrupted", 130) from None


def _target(into: str | None, catalogues: Path | None, name: str | None) -> CatalogueOptions:
    """The catalogue that is meant. Raises InvalidConfiguration; ends the program where flags contradict each other."""
    if into and (catalogues or name):
        raise fail("--index says where the index is, and --catalogue which one the file names: give one of them", 2)
    settings = load_settings(index=into, catalogues=None if into else catalogues)
    if into or not settings.catalogues:
        if name:
            raise fail("--catalogue names one of the file that --catalogues names: give that, too", 2)
        return CatalogueOptions(settings.index)
    configuration = read_configuration(settings.catalogues)
    named = configuration.catalogues.get(name or configuration.default)
    if named is None:
        raise fail(f'{settings.catalogues} has no catalogue "{name}"; it has {", ".join(configuration.catalogues)}', 2)
    return named


@app.command()
def migrate(
    into: Annotated[
        str | None,
        typer.Option("--index", help="The catalogue: postgresql://USER@HOST/DATABASE?catalogue=NAME. [SAYSEEK_INDEX]"),
    ] = None,
    catalogues: CataloguesFile = None,
    catalogue: CatalogueName = None,
) -> None:
    """Bring a catalogue's tables in PostgreSQL to this version. Stop what is older and make a backup first."""
    try:
        before, after = migrate_tables(_target(into, catalogues, catalogue).index)
    except SearchError as error:
        raise fail(str(error)) from None
    did = f"went from version {before} to {after}" if before < after else f"had version {after} already"
    out.print(f"The catalogue's tables {did}.", highlight=False)


@app.command()
def models(
    measure: Annotated[
        bool, typer.Option("--measure", help="Time what could compute the model here, and say what is chosen.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Model to measure. [SAYSEEK_MODEL]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of each replica. [SAYSEEK_THREADS]")] = None,
) -> None:
    """List the models that can be served, and where others come from; or measure what computes one the fastest."""
    if measure:
        from server.command.models import print_measurement

        try:
            print_measurement(load_settings(model=model, threads=threads), out)
        except AsrError as error:
            raise fail(str(error)) from None
    else:
        _list_models()


def _list_models() -> None:
    from rich.table import Table

    from asr.whisper.checkpoints import PACKAGED

    table = Table("model", "what it is", box=None, header_style="bold")
    for name, packaged in PACKAGED.items():
        table.add_row(
            name, packaged.description + (" (default)" if name == Settings.model_fields["model"].default else "")
        )
    table.add_row("FOLDER", "a Whisper in the Hugging Face layout (safetensors, tokenizer.json, config.json)")
    table.add_row("FILE.pt", "an OpenAI Whisper checkpoint")
    table.add_row("OWNER/NAME", "a Whisper on the Hugging Face hub, such as openai/whisper-small")
    out.print(table)


@app.command()
def evaluate(
    manifest: Annotated[Path, typer.Argument(help="JSONL: audio, and text, slots, query_doc or utterances.")],
    catalogue: Annotated[
        Path | None, typer.Option(help="Documents to search (default: catalogue.jsonl beside the manifest).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model to evaluate. [SAYSEEK_MODEL]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads for the model. [SAYSEEK_THREADS]")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write what was heard here, as JSONL.")] = None,
    others: Annotated[
        Path | None, typer.Option(help="Score what another recogniser heard: JSONL with audio and text.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Measure accuracy and speed on recordings whose meaning is known."""
    from evaluation.manifest import EvaluationError
    from evaluation.run import run_evaluation

    settings = load_settings(model=model, threads=threads)
    try:
        run_evaluation(settings, manifest, catalogue, predictions, others, out=out, err=err, as_json=as_json)
    except (EvaluationError, AsrError, SearchError) as error:
        raise fail(str(error)) from None


if __name__ == "__main__":
    main()
