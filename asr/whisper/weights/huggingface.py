"""Weights in the Hugging Face layout: a folder with config.json, safetensors and tokenizer.json."""

import json
import re
from pathlib import Path
from typing import Any

import safetensors.torch
import tokenizers
from torch import Tensor

from asr.errors import CheckpointError
from asr.whisper.model import ModelDimensions
from asr.whisper.weights.format import Weights, checked_dimensions

# Hugging Face's names → the reference's, applied in this order.
RENAMED = (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"\.embed_tokens\.", ".token_embedding."),
    (r"\.embed_positions\.weight$", ".positional_embedding"),
)


# What config.json calls the dimensions, in their order.
DIMENSIONS = (
    "num_mel_bins",
    "max_source_positions",
    "d_model",
    "encoder_attention_heads",
    "encoder_layers",
    "vocab_size",
    "max_target_positions",
    "d_model",
    "decoder_attention_heads",
    "decoder_layers",
)

# What a folder must hold, and all that is fetched from the hub.
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)


def read_folder(folder: Path) -> Weights:
    """Read a local folder. Raises CheckpointError that names the file that is missing or wrong."""
    config = _read_json(folder / "config.json")
    generation = _read_json(folder / "generation_config.json", needed=False)
    dims = _dimensions(config, folder)
    return Weights(
        dims=dims,
        tensors={_renamed(name): tensor for name, tensor in _read_tensors(folder).items() if name != "proj_out.weight"},
        bpe=read_tokenizer(folder / "tokenizer.json"),
        suppress=_token_ids("suppress_tokens", generation, config, dims.n_vocab, folder),
        suppress_at_start=_token_ids("begin_suppress_tokens", generation, config, dims.n_vocab, folder),
    )


def read_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Read a tokenizer.json. Raises CheckpointError when it is missing or damaged."""
    if not path.is_file():
        raise CheckpointError(f"{path} is missing. A model folder needs the tokenizer.json that it was published with.")
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more precise
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}") from error


def _read_json(path: Path, *, needed: bool = True) -> dict[str, Any]:
    if not path.is_file():
        if needed:
            raise CheckpointError(f"{path} is missing. A model folder needs: {', '.join(FILES)}.")
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object.")
    return content


def _dimensions(config: dict[str, Any], folder: Path) -> ModelDimensions:
    if config.get("model_type") != "whisper":
        raise CheckpointError(f"{folder} holds a {config.get('model_type')!r} model; Sayseek runs Whisper models.")
    return checked_dimensions([(key, config.get(key)) for key in DIMENSIONS], folder / "config.json")


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors, or of all the parts that its index names."""
    tensors: dict[str, Tensor] = {}
    for name in _parts(folder):
        path = folder / Path(name).name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing. Sayseek reads safetensors only; convert older weights first.")
        try:
            tensors.update(safetensors.torch.load_file(path))
        except Exception as error:  # a damaged file may raise more than safetensors' own
            raise CheckpointError(f"{path} is damaged: {error!r}. Fetch it again.") from error
    return tensors


def _parts(folder: Path) -> list[str]:
    path = folder / "model.safetensors.index.json"
    if not path.is_file():
        return ["model.safetensors"]
    parts = _read_json(path).get("weight_map")
    if not isinstance(parts, dict) or not all(isinstance(name, str) for name in parts.values()):
        raise CheckpointError(f"{path} must name each tensor's file under 'weight_map'. Fetch it again.")
    return sorted(set(parts.values()))


def _renamed(name: str) -> str:
    for theirs, ours in RENAMED:
        name = re.sub(theirs, ours, name)
    return name


def _token_ids(
    key: str, generation: dict[str, Any], config: dict[str, Any], n_vocab: int, folder: Path
) -> tuple[int, ...]:
    """The first list under this key; an entry of -1 or none at all means that nothing is suppressed."""
    listed = generation.get(key) or config.get(key) or []
    if not isinstance(listed, list) or not all(type(token) is int and -1 <= token < n_vocab for token in listed):
        file = folder / ("generation_config.json" if generation.get(key) else "config.json")
        raise CheckpointError(f"{file}: {key!r} must be a list of token ids from -1 to {n_vocab - 1}.")
    return tuple(token for token in listed if token >= 0)
