"""What is made up where nobody speaks, what is lost in long quiet recordings, and how often a repeated word is written.

    python -m benchmarks.invention --model base --write

Sounds without speech are made on the spot, music and typing and such, of 3 to 100 s. Words are cut from the ends of the
samples: they are said by themselves in 1 to 110 s of a quiet room, and 3 to 30 times in a row. In process.
"""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from asr.audio.decode import SAMPLE_RATE, Audio, Samples, decode_audio
from asr.engine.engine import Engine
from asr.runtime.choose import choose_backend
from asr.transcriber import Transcriber
from asr.transcript import Transcript, Verdict
from asr.whisper.checkpoints import load_checkpoint
from benchmarks.report import machine, publish, table
from tests.asr.noises import at_level, coloured, coughs, music, noises, typing

SAMPLES = Path(__file__).parent.parent / "samples"
SECONDS = (3, 6, 12, 25, 40, 100)
PAUSES = (1, 10, 40, 110)  # seconds of quiet in all
ROOMS = (-66, -50)  # dBFS of noise; the word is at -20
ROUNDS = (3, 6, 12, 30)
WORD_SECONDS = 0.6


def main(
    model: str = "base",
    threads: int = 2,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    checkpoint = load_checkpoint(model)
    with Engine(checkpoint, choose_backend(checkpoint, threads=threads)) as engine:
        transcriber = Transcriber(engine)
        silent = [(kind, hear(transcriber, samples)[0]) for kind, samples in without_speech()]
        once = {name: (word, hear(transcriber, np.pad(word, 8000))[0].text.split()) for name, word in last_words()}
        words = {name: word for name, (word, said) in once.items() if said}
        quiet = [
            (pause, hear(transcriber, in_quiet(words[name], pause, room))[0])
            for name, pause, room in product(words, PAUSES, ROOMS)
        ]
        rounds = [
            (count * len(once[name][1]), *hear(transcriber, over_and_over(words[name], count)))
            for name, count in product(words, ROUNDS)
        ]
    publish(f"invention {model}", report(model, silent, quiet, rounds), write=write)


def hear(transcriber: Transcriber, samples: Samples) -> tuple[Transcript, float]:
    """What is heard in samples, and the seconds that it took."""
    started = time.perf_counter()
    options = transcriber.options(alternatives=6)
    prepared = transcriber.prepare_audio(Audio(samples.astype(np.float32), 0.0))
    clip = transcriber.engine.submit(prepared.windows, options).result() if prepared.windows else None
    return transcriber.assemble(prepared, options, clip), time.perf_counter() - started


def without_speech() -> Iterator[tuple[str, Samples]]:
    for seed, seconds in enumerate(SECONDS):
        yield "music", music(seconds, seed)
        yield "music", music(seconds, 10 + seed)
        yield "music with drums", music(seconds, 20 + seed, drums=True)
        yield "music with drums", music(seconds, 30 + seed, drums=True)
        yield "typing", typing(seconds, seed)
        yield "coughs", coughs(seconds, seed)
        yield from (("noise, hum, tones, clicks, a fan", samples) for _, samples in noises(seconds, seed))


def last_words() -> Iterator[tuple[str, Samples]]:
    """Of each sample its last word, more or less."""
    for file in sorted(SAMPLES.glob("*.flac")):
        samples = decode_audio(file.read_bytes()).samples
        end = int(np.flatnonzero(np.abs(samples) > 0.02)[-1])
        yield file.stem, at_level(samples[end - round(WORD_SECONDS * SAMPLE_RATE) : end + 640], -20)


def in_quiet(word: Samples, seconds: float, room_dbfs: float) -> Samples:
    """The word after a third of so many seconds of a room's noise."""
    before = round(seconds / 3 * SAMPLE_RATE)
    padded = np.pad(word, (before, 2 * before))
    return padded + at_level(coloured(np.random.default_rng(0), len(padded), 1), room_dbfs)


def over_and_over(word: Samples, count: int) -> Samples:
    return np.pad(np.tile(np.pad(word, (0, 1600)), count), 4000)


def report(
    model: str,
    silent: list[tuple[str, Transcript]],
    quiet: list[tuple[int, Transcript]],
    rounds: list[tuple[int, Transcript, float]],
) -> str:
    clips, said = Counter(kind for kind, _ in silent), Counter(kind for kind, heard in silent if heard.text)
    rows = [[kind, str(count), str(said[kind])] for kind, count in clips.items()]
    found, asked = Counter(pause for pause, heard in quiet if heard.text), Counter(pause for pause, _ in quiet)
    unsure = sum(heard.quality.verdict is Verdict.UNSURE for _, heard in quiet)
    over = sum(len(heard.text.split()) > 1.5 * said for said, heard, _ in rounds)
    empty = sum(not heard.text for _, heard, _ in rounds)
    slowest = max(seconds / heard.duration for _, heard, seconds in rounds)
    repeated = (
        f"Unsure: {unsure}. A word 3 to 30 times in a row: {over} of {len(rounds)} texts have more than 1.5 times as "
        f"many words, {empty} have none; the slowest took {slowest:.2f} s for a second of sound."
    )
    return "\n\n".join(
        (
            f"`{model}` ({machine()}). Sounds without speech, {SECONDS[0]} to {SECONDS[-1]} s:",
            table(["sound", "clips", "with words"], rows),
            "One word in a quiet room:",
            table(["seconds of quiet", "clips", "heard"], [[str(p), str(n), str(found[p])] for p, n in asked.items()]),
            repeated,
        )
    )


if __name__ == "__main__":
    typer.run(main)
