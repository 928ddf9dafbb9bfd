"""Where models come from: packages, folders, the hub's cache, OpenAI's files. And what is not trusted."""

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

import asr.whisper.checkpoints
from asr.errors import CheckpointError
from asr.whisper.checkpoints import PACKAGED, Checkpoint, load_checkpoint
from asr.whisper.weights.ctranslate2 import dimensions, read_tensors
from tests.asr.reference import random_reference
from tests.asr.whisper.test_model import TURBO_LIKE

TO_HUGGING_FACE = (
    (r"\.blocks\.", ".layers."),
    (r"\.cross_attn_ln\.", ".encoder_attn_layer_norm."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"\.cross_attn\.", ".encoder_attn."),
    (r"\.attn\.", ".self_attn."),
    (r"\.query\.", ".q_proj."),
    (r"\.key\.", ".k_proj."),
    (r"\.value\.", ".v_proj."),
    (r"\.out\.", ".out_proj."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
    (r"encoder\.ln_post\.", "encoder.layer_norm."),
    (r"decoder\.ln\.", "decoder.layer_norm."),
    (r"\.token_embedding\.", ".embed_tokens."),
    (r"\.positional_embedding$", ".embed_positions.weight"),
)


def in_hugging_face_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in tensors.items():
        for ours, theirs in TO_HUGGING_FACE:
            name = re.sub(ours, theirs, name)
        renamed["model." + name] = tensor.half().contiguous()
    return renamed


def write_hugging_face_folder(folder: Path, checkpoint: Checkpoint, *, parts: int = 1) -> Path:
    """A model folder as it is published: half precision, in one safetensors file or in several with an index."""
    dims = checkpoint.model.dims
    folder.mkdir(parents=True)
    config = {
        "model_type": "whisper",
        "num_mel_bins": dims.n_mels,
        "max_source_positions": dims.n_audio_ctx,
        "d_model": dims.n_audio_state,
        "encoder_attention_heads": dims.n_audio_head,
        "encoder_layers": dims.n_audio_layer,
        "vocab_size": dims.n_vocab,
        "max_target_positions": dims.n_text_ctx,
        "decoder_attention_heads": dims.n_text_head,
        "decoder_layers": dims.n_text_layer,
    }
    packaged = PACKAGED[checkpoint.name].folder
    rules = json.loads((packaged / "config.json").read_text())
    generation = {
        "suppress_tokens": rules["suppress_ids"],
        "begin_suppress_tokens": rules["suppress_ids_begin"],
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps(generation))
    shutil.copy(packaged / "tokenizer.json", folder)
    tensors = in_hugging_face_names(checkpoint.model.state_dict())
    if parts == 1:
        safetensors.torch.save_file(tensors, folder / "model.safetensors")
        return folder
    names = {name: f"model-{i % parts + 1:05}-of-{parts:05}.safetensors" for i, name in enumerate(tensors)}
    for file in set(names.values()):
        safetensors.torch.save_file({n: t for n, t in tensors.items() if names[n] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return folder


def assert_same_model(ours: Checkpoint, theirs: Checkpoint) -> None:
    assert ours.model.dims == theirs.model.dims
    assert ours.suppress == theirs.suppress
    assert ours.suppress_at_start == theirs.suppress_at_start
    assert ours.tokenizer.languages == theirs.tokenizer.languages
    expected = theirs.model.state_dict()
    for name, tensor in ours.model.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], atol=0, rtol=0)


def test_packaged_models_load(tiny_en: Checkpoint, base: Checkpoint) -> None:
    assert not tiny_en.tokenizer.is_multilingual
    assert base.tokenizer.is_multilingual
    assert len(base.tokenizer.languages) == 99


def test_damaged_packaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = dataclasses.replace(PACKAGED["tiny.en"], sha256="0" * 64)
    monkeypatch.setitem(asr.whisper.checkpoints.PACKAGED, "tiny.en", packaged)
    with pytest.raises(CheckpointError, match="Reinstall"):
        load_checkpoint("tiny.en")


@pytest.mark.parametrize("parts", [1, 3])
def test_a_hugging_face_folder_loads(tiny_en: Checkpoint, tmp_path: Path, parts: int) -> None:
    folder = write_hugging_face_folder(tmp_path / "whisper-tiny.en", tiny_en, parts=parts)
    assert_same_model(load_checkpoint(str(folder)), tiny_en)


def test_a_hub_id_loads_from_the_hubs_cache(tiny_en: Checkpoint, tmp_path: Path) -> None:
    """The cache is laid out as huggingface_hub lays it out: refs name a snapshot by its commit."""
    repo = tmp_path / "models--openai--whisper-tiny.en"
    commit = "87c7102498dcde7456f24cfd30239ca606ed9063"
    write_hugging_face_folder(repo / "snapshots" / commit, tiny_en)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    loaded = load_checkpoint("openai/whisper-tiny.en", hub_cache=tmp_path, offline=True)
    assert_same_model(loaded, tiny_en)


def test_a_hub_id_that_is_not_in_the_cache_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="openai/whisper-none"):
        load_checkpoint("openai/whisper-none", hub_cache=tmp_path, offline=True)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.json", "config.json is missing"),
        ("tokenizer.json", "tokenizer.json is missing"),
        ("model.safetensors", "model.safetensors is missing"),
    ],
)
def test_a_folder_that_lacks_a_file_says_which(tiny_en: Checkpoint, tmp_path: Path, missing: str, said: str) -> None:
    folder = write_hugging_face_folder(tmp_path / "model", tiny_en)
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match=re.escape(said)):
        load_checkpoint(str(folder))


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_file_is_an_error_that_names_it(tiny_en: Checkpoint, tmp_path: Path, file: str) -> None:
    folder = write_hugging_face_folder(tmp_path / "model", tiny_en)
    (folder / file).write_bytes(b"{damaged")
    with pytest.raises(CheckpointError, match=re.escape(file)):
        load_checkpoint(str(folder))


def test_weights_that_do_not_fit_the_configuration_are_refused(tiny_en: Checkpoint, tmp_path: Path) -> None:
    folder = write_hugging_face_folder(tmp_path / "model", tiny_en)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "decoder_layers": 5}))
    with pytest.raises(CheckpointError, match="do not fit"):
        load_checkpoint(str(folder))


def test_an_openai_file_loads(tiny_en: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "tiny.en.pt"
    dims = dataclasses.asdict(tiny_en.model.dims)
    torch.save({"dims": dims, "model_state_dict": tiny_en.model.state_dict()}, path)
    assert_same_model(load_checkpoint(str(path)), tiny_en)


def test_an_openai_file_of_large_v3s_vocabulary_has_its_tokens(tmp_path: Path) -> None:
    """Cantonese came with large-v3 and moved every special token behind the languages up by one."""
    path = tmp_path / "turbo.pt"
    reference = random_reference(TURBO_LIKE)
    torch.save({"dims": dataclasses.asdict(TURBO_LIKE), "model_state_dict": reference.state_dict()}, path)
    tokenizer = load_checkpoint(str(path)).tokenizer
    assert tokenizer.languages[-1] == "yue"
    assert tokenizer.prompt("yue") == [50258, 50358, 50360, 50364]
    assert (tokenizer.no_speech, tokenizer.timestamp_begin) == (50363, 50365)


class _Exploit:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "was-run"
    path = tmp_path / "evil.pt"
    torch.save({"dims": {}, "model_state_dict": {}, "extra": _Exploit(target)}, path)
    with pytest.raises(CheckpointError, match="more than plain weights"):
        load_checkpoint(str(path))
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + b"\0" * 100])
def test_a_damaged_openai_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        load_checkpoint(str(path))


@pytest.mark.parametrize("name", ["huge", "./nowhere", "/nowhere/at/all", "nowhere.pt", "bad name!/x"])
def test_an_unknown_model_says_what_can_be_named(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"base|no file|bad name"):
        load_checkpoint(name)


HUGE = 10**15


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("d_model", value) for value in ("384", None, [384], -384, 0, 384.5, math.nan, True, HUGE, 385, 768)),
        ("encoder_attention_heads", 0),
        ("decoder_attention_heads", 7),
        ("encoder_layers", 100_000),
        ("decoder_layers", 3),
        ("vocab_size", 51_000),
        ("num_mel_bins", 81),
        ("max_source_positions", 3000),
        ("max_target_positions", 449),
        ("suppress_tokens", "all"),
        ("begin_suppress_tokens", [HUGE]),
        ("model_type", ["whisper"]),
    ],
)
def test_a_configuration_that_states_nonsense_is_refused(hugging_face_folder: Path, key: str, value: object) -> None:
    path = hugging_face_folder / "config.json"
    whole = path.read_text()
    rules = hugging_face_folder / "generation_config.json"
    rules.rename(rules.with_suffix(".away"))
    path.write_text(json.dumps({**json.loads(whole), key: value}))
    try:
        with pytest.raises(CheckpointError, match=r"config\.json|do not fit|tokenizer\.json|holds a"):
            load_checkpoint(str(hugging_face_folder))
    finally:
        path.write_text(whole)
        rules.with_suffix(".away").rename(rules)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"[1]"),
        ("config.json", b"[" * 100_000),
        ("config.json", b"\xff\xfe"),
        ("generation_config.json", b'{"suppress_tokens": {"a": 1}}'),
        ("generation_config.json", b'{"suppress_tokens": ["1"]}'),
        ("generation_config.json", b'{"begin_suppress_tokens": [-2]}'),
        ("generation_config.json", b"null"),
        ("model.safetensors.index.json", b"{}"),
        ("model.safetensors.index.json", b'{"weight_map": ["a"]}'),
        ("model.safetensors.index.json", b'{"weight_map": {"a": 1}}'),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"[]"),
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 8),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{}"),
        ("model.safetensors", None),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    hugging_face_folder: Path, file: str, content: bytes | None
) -> None:
    path = hugging_face_folder / file
    whole = path.read_bytes() if path.exists() else None
    path.write_bytes((whole or b"")[:1_000_000] if content is None else content)
    try:
        with pytest.raises(CheckpointError, match=rf"{re.escape(file)}|do not fit"):
            load_checkpoint(str(hugging_face_folder))
    finally:
        path.unlink() if whole is None else path.write_bytes(whole)


def test_the_tokenizer_of_another_model_is_refused(hugging_face_folder: Path) -> None:
    path = hugging_face_folder / "tokenizer.json"
    whole = path.read_bytes()
    shutil.copy(PACKAGED["base"].folder / "tokenizer.json", path)
    try:
        with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
            load_checkpoint(str(hugging_face_folder))
    finally:
        path.write_bytes(whole)


@pytest.fixture(scope="module")
def hugging_face_folder(tiny_en: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the tests damage and mend again."""
    return write_hugging_face_folder(tmp_path_factory.mktemp("models") / "tiny.en", tiny_en)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("dims", {"n_mels": math.nan}),
        ("dims", {"n_mels": math.inf}),
        ("dims", {"n_vocab": "51864"}),
        ("dims", {"n_text_layer": HUGE}),
        ("dims", {"n_audio_state": HUGE}),
        ("dims", {"n_text_state": 768}),
        ("dims", {"n_text_head": None}),
        ("tensors", {"decoder.ln.bias": "text"}),
        ("tensors", {"decoder.ln.bias": None}),
        ("tensors", {"decoder.ln.bias": torch.zeros(3)}),
        ("tensors", {"decoder.ln.bias": torch.zeros(384, dtype=torch.int8)}),
        ("tensors", {"decoder.ln.bias": torch.zeros(384).to_sparse()}),
        ("tensors", {"decoder.ln.bias": torch.zeros(1, dtype=torch.half).expand(10**13)}),
        ("tensors", {"decoder.extra": torch.zeros(1)}),
        ("tensors", {7: torch.zeros(1)}),
        ("content", {"dims": 5}),
        ("content", {"model_state_dict": [1]}),
        ("content", {"dims": {}}),
        ("content", {"model_state_dict": {}}),
    ],
)
def test_an_openai_file_with_something_else_in_it_is_refused(
    tiny_en: Checkpoint, tmp_path: Path, part: str, changes: dict
) -> None:
    path = tmp_path / "model.pt"
    content = {"dims": dataclasses.asdict(tiny_en.model.dims), "model_state_dict": tiny_en.model.state_dict()}
    changed = {"dims": content["dims"], "tensors": content["model_state_dict"], "content": content}[part]
    changed.update(changes)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        load_checkpoint(str(path))


@pytest.mark.parametrize("length", [0, 3, 4, 10, 40, 1000, 1_000_000])
def test_a_truncated_model_bin_is_damaged(length: int) -> None:
    [path] = PACKAGED["tiny.en"].part_paths()
    with path.open("rb") as file, pytest.raises(CheckpointError, match=r"model\.bin is damaged"):
        read_tensors(memoryview(file.read(length)))


def test_a_model_bin_of_something_else_has_no_dimensions() -> None:
    with pytest.raises(CheckpointError, match="not the tensors of a Whisper"):
        dimensions({"encoder.positional_embedding": torch.zeros(3)})
