"""What faster-whisper hears on a manifest's clips, with the same packaged weights: the peer to compare with.

    pip install -e '.[benchmarks]'
    python -m benchmarks.peer MANIFEST PREDICTIONS
    sayseek-server evaluate MANIFEST --others PREDICTIONS

Greedy, English, without timestamps and fallbacks, as `base` runs in Sayseek.
"""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import faster_whisper
import typer

from asr.whisper.checkpoints import PACKAGED

GREEDY = {
    "language": "en",
    "beam_size": 1,
    "temperature": 0.0,
    "without_timestamps": True,
    "condition_on_previous_text": False,
}


def main(
    manifest: Annotated[Path, typer.Argument(help="JSONL with audio.")],
    predictions: Annotated[Path, typer.Argument(help="Where to write what was heard.")],
    model: str = "base",
    compute_type: str = "int8",
    threads: int = 2,
) -> None:
    peer = load_peer(model, compute_type, threads)
    with predictions.open("w", encoding="utf-8") as file:
        for line in manifest.read_text(encoding="utf-8").splitlines():
            audio = json.loads(line)["audio"]
            started = time.perf_counter()
            text = hear(peer, manifest.parent / audio)
            seconds = round(time.perf_counter() - started, 4)
            file.write(json.dumps({"audio": audio, "text": text, "seconds": seconds}, ensure_ascii=False) + "\n")


def load_peer(model: str, compute_type: str, threads: int) -> faster_whisper.WhisperModel:
    with tempfile.TemporaryDirectory() as folder:
        join_packaged(model, Path(folder))
        return faster_whisper.WhisperModel(folder, compute_type=compute_type, cpu_threads=threads)


def hear(peer: faster_whisper.WhisperModel, path: Path) -> str:
    segments, _ = peer.transcribe(str(path), **GREEDY)
    return "".join(segment.text for segment in segments).strip()


def join_packaged(model: str, folder: Path) -> None:
    """The packaged model as a folder that faster-whisper reads."""
    packaged = PACKAGED[model]
    with (folder / "model.bin").open("wb") as joined:
        for path in packaged.part_paths():
            joined.write(path.read_bytes())
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(packaged.folder / name, folder)


if __name__ == "__main__":
    typer.run(main)
