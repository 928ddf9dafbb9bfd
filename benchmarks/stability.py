"""How much of a query is stable before it is over, how often its final reading contradicts that, and what it costs.

    python -m benchmarks.stability MANIFEST… --clips 40 --write

A manifest's rows have `audio` and, where it is known, `text`. Each recording is heard anew every 0.4 s while it grows,
as a listener's utterance is. Its whole is heard freely, and as a final is: with the stable words forced where the free
reading does not begin with them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import jiwer
import typer

from asr.audio.decode import SAMPLE_RATE, Audio, decode_audio
from asr.decoding.stable_prefix import StablePrefix, begins_with
from asr.engine.engine import Engine
from asr.runtime.choose import choose_backend
from asr.transcriber import Transcriber
from asr.transcript import Transcript
from asr.whisper.checkpoints import load_checkpoint
from benchmarks.report import publish, table
from evaluation.measures import normalise
from server.live.interims import PACE_SECONDS


@dataclass(frozen=True)
class Outcome:
    """A recording's words: stable at its end, heard freely, in the final, and known (or not)."""

    stable: str
    free: str
    final: str
    text: str | None


def main(
    manifests: list[Path],
    model: str = "base",
    clips: Annotated[int, typer.Option(help="Only so many of each manifest, spread over it.")] = 40,
    write: bool = False,
) -> None:
    checkpoint, rows = load_checkpoint(model), []
    with Engine(checkpoint, choose_backend(checkpoint)) as engine:
        transcriber = Transcriber(engine)
        for manifest in manifests:
            read = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
            chosen = [row for row in read if not row.get("noise")]
            chosen = chosen[:: max(1, len(chosen) // clips)][:clips]
            outcomes = [outcome(transcriber, manifest.parent / row["audio"], row.get("text")) for row in chosen]
            rows.append([manifest.parent.name, *figures(outcomes)])
    columns = ["", "recordings", "words stable before the end", "free readings that contradict", "finals that do"]
    columns += ["word error rate, heard freely", "of the finals"]
    publish("stability", f"`{model}`:\n\n{table(columns, rows)}", write=write)


def outcome(transcriber: Transcriber, path: Path, text: str | None) -> Outcome:
    audio = decode_audio(path.read_bytes())
    prefix = StablePrefix()
    step = round(PACE_SECONDS * SAMPLE_RATE)
    for end in range(step, len(audio.samples), step):
        heard = hear(transcriber, Audio(audio.samples[:end], audio.clipped), is_partial=True)
        if heard.text:
            prefix.update(heard.text, heard.word_confidences)
    free = hear(transcriber, audio)
    return Outcome(prefix.stable, free.text, hear(transcriber, audio, prefix.stable).text, text)


def hear(transcriber: Transcriber, audio: Audio, stable: str = "", *, is_partial: bool = False) -> Transcript:
    prepared, options = transcriber.prepare_audio(audio), replace(transcriber.options("en"), stable=stable)
    windows = prepared.windows
    clip = transcriber.engine.submit(windows, options, deferrable=is_partial).result() if windows else None
    return transcriber.assemble(prepared, options, clip, is_partial=is_partial)


def figures(outcomes: Sequence[Outcome]) -> list[str]:
    words = sum(len(each.free.split()) for each in outcomes)
    stable = sum(len(each.stable.split()) for each in outcomes)
    known = [each for each in outcomes if each.text]
    texts = [normalise(each.text or "") for each in known]
    errors = [
        f"{100 * jiwer.wer(texts, [normalise(said) for said in heard]):.1f} %" if known else ""
        for heard in ([each.free for each in known], [each.final for each in known])
    ]
    taken_back = [
        str(sum(not begins_with(said, each.stable) for each, said in zip(outcomes, heard, strict=True)))
        for heard in ([each.free for each in outcomes], [each.final for each in outcomes])
    ]
    return [str(len(outcomes)), f"{100 * stable / words:.0f} %", *taken_back, *errors]


if __name__ == "__main__":
    typer.run(main)
