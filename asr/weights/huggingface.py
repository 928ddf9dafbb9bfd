"""Weights in the Hugging Face layout: a folder with config.json, safetensors and tokenizer.json."""

import json
import re
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import tokenizers
from torch import Tensor

from asr.errors import CheckpointError
from asr.model import ModelDimensions
from asr.weights import Weights

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
    return Weights(
        dims=_dimensions(config, folder),
        tensors={_renamed(name): tensor for name, tensor in _read_tensors(folder).items() if name != "proj_out.weight"},
        bpe=read_tokenizer(folder / "tokenizer.json"),
        suppress=_token_ids("suppress_tokens", generation, config),
        suppress_at_start=_token_ids("begin_suppress_tokens", generation, config),
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
    except ValueError as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object.")
    return content


def _dimensions(config: dict[str, Any], folder: Path) -> ModelDimensions:
    if config.get("model_type") != "whisper":
        raise CheckpointError(f"{folder} holds a {config.get('model_type')!r} model; Sayseek runs Whisper models.")
    try:
        return ModelDimensions(
            n_mels=int(config["num_mel_bins"]),
            n_audio_ctx=int(config["max_source_positions"]),
            n_audio_state=int(config["d_model"]),
            n_audio_head=int(config["encoder_attention_heads"]),
            n_audio_layer=int(config["encoder_layers"]),
            n_vocab=int(config["vocab_size"]),
            n_text_ctx=int(config["max_target_positions"]),
            n_text_state=int(config["d_model"]),
            n_text_head=int(config["decoder_attention_heads"]),
            n_text_layer=int(config["decoder_layers"]),
        )
    except KeyError as error:
        raise CheckpointError(f"{folder / 'config.json'} does not say {error}.") from error


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors, or of all the parts that its index names, as float32."""
    index = _read_json(folder / "model.safetensors.index.json", needed=False)
    names = sorted(set(index["weight_map"].values())) if index else ["model.safetensors"]
    tensors: dict[str, Tensor] = {}
    for name in names:
        path = folder / Path(name).name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing. Sayseek reads safetensors only; convert older weights first.")
        try:
            loaded = safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is damaged: {error}. Fetch it again.") from error
        tensors.update({name: tensor.float() for name, tensor in loaded.items()})
    return tensors


def _renamed(name: str) -> str:
    for theirs, ours in RENAMED:
        name = re.sub(theirs, ours, name)
    return name


def _token_ids(key: str, *sources: dict[str, Any]) -> tuple[int, ...]:
    """The first list under this key; an entry of -1 or none at all means that nothing is suppressed."""
    listed: list[Any] = next((source[key] for source in sources if source.get(key)), [])
    return tuple(int(token) for token in listed if int(token) >= 0)
