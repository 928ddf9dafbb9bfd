"""Live listening, through a server of its own: how soon words and results are there, and what listeners cost.

    python -m benchmarks.streaming MANIFEST --write [--part fixed …] [--soak 600]

The manifest's rows have `audio` and `utterances` ({start, end} in seconds); recordings are 16 kHz mono. A delay is from
the last sample of an utterance to the moment the client has the final with its search results. Every message of audio
leaves when its last sample would have been spoken: 20 ms of it, or 100 ms where there are many streams. Utterances
count as in `benchmarks.endpointing`, where a final without words is none. The clients run on the same machine.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from statistics import mean, median
from typing import Annotated

import psutil
import typer
from websockets.asyncio.client import connect

from benchmarks.endpointing import figures
from benchmarks.report import machine, percentile, publish, table
from benchmarks.served import Served, serving
from benchmarks.soak import Reading, soak
from benchmarks.streams import (
    KEEP_ALIVE,
    Interims,
    Listened,
    Recording,
    address_of,
    found,
    listen,
    listen_in_turn,
    recordings,
    thinned,
)
from vad.frames import SAMPLE_RATE

HANGOVER_MS = 500
LIGHT_SECONDS, MESSAGE_SECONDS = 0.02, 0.1  # of audio in a message: of few streams, of many
CROWD, CROWD_SECONDS, CROWD_SHARE = 40, 60.0, 1 / 3
JOIN_SECONDS = 10.0  # until all are there
SILENT, SILENT_SECONDS = 200, 15.0
SOAK_ROUNDS = 4
DONE = 1000


class Part(StrEnum):
    """What is measured."""

    alone = "alone"
    fixed = "fixed"
    adaptive = "adaptive"
    crowd = "crowd"
    silent = "silent"


def main(
    manifest: Path,
    part: Annotated[list[Part] | None, typer.Option(help="Only these.")] = None,
    model: str = "base",
    threads: int = os.cpu_count() or 1,
    at_once: Annotated[int, typer.Option(help="Recordings that are played at once.")] = 3,
    soak_seconds: Annotated[float, typer.Option("--soak", help="Seconds; without, there is no soak.")] = 0.0,
    write: bool = False,
) -> None:
    sound = recordings(manifest)
    about = f"(`{model}`, {threads} threads; {machine()})"
    with serving(model, threads) as server:
        for name in part if part is not None else [] if soak_seconds else list(Part):
            text = asyncio.run(measure(name, server, sound, at_once))
            publish(f"streaming {name}", f"{text[0]} {about}:\n\n{text[1]}", write=write)
        if soak_seconds:
            publish("streaming soak", asyncio.run(soaked(server, sound, soak_seconds)) + f" {about}", write=write)


async def measure(part: Part, server: Served, sound: Sequence[Recording], at_once: int) -> tuple[str, str]:
    """What is in the table, and the table."""
    if part is Part.crowd:
        return await crowd(server, sound)
    if part is Part.silent:
        return await silent(server)
    params = {} if part is Part.adaptive else {"endpointing": HANGOVER_MS}
    if part is Part.alone:  # all of it would take too long
        sound, at_once = sorted(sound, key=lambda recording: recording.seconds)[:3], 1
    address = address_of(server.address, interim_results="true", **params)
    listened = await listen_in_turn(address, sound, at_once, LIGHT_SECONDS)
    hangover = "hangover 350 to 900 ms, adaptive" if part is Part.adaptive else f"hangover {HANGOVER_MS} ms"
    played = f"one after the other, the {len(sound)} shortest" if at_once == 1 else f"{at_once} at once"
    utterances = sum(len(recording.utterances) for recording in sound)
    return f"{len(sound)} recordings, {utterances} utterances, {played}, {hangover}", spoken(listened)


def spoken(listened: Sequence[Listened]) -> str:
    shares = figures([found(each) for each in listened])
    interims = Interims()
    for each in listened:
        interims.add(each)
    columns = ["recall", "precision", "split", "merged", "delay, median", "p95"]
    columns += ["first interim after onset, median", "p95", "interims a second", "stable text taken back"]
    first = [f"{1000 * seconds:.0f} ms" for seconds in (median(interims.first), percentile(interims.first, 0.95))]
    return table(columns, [[*shares, *first, f"{1 / mean(interims.gaps):.1f}", str(interims.taken_back)]])


async def crowd(server: Served, sound: Sequence[Recording]) -> tuple[str, str]:
    """Many streams, each of other utterances, that do not begin at the same moment."""
    streams = [
        thinned(recording, CROWD_SHARE, 3 * (number // len(sound)) % len(recording.utterances), CROWD_SECONDS)
        for number in range(CROWD)
        for recording in [sound[number % len(sound)]]
    ]
    address = address_of(server.address, interim_results="true", endpointing=HANGOVER_MS)

    async def join(number: int) -> Listened:
        await asyncio.sleep(JOIN_SECONDS * number / CROWD)
        return await listen(address, streams[number], MESSAGE_SECONDS)

    listened = await asyncio.gather(*map(join, range(CROWD)))
    utterances = sum(len(stream.utterances) for stream in streams)
    speech = sum(end - start for stream in streams for start, end in stream.utterances)
    share = 100 * speech / sum(stream.seconds for stream in streams)
    about = f"{CROWD} streams at once for {CROWD_SECONDS:.0f} s, {utterances} utterances, {share:.0f} % speech"
    return f"{about}, hangover {HANGOVER_MS} ms", crowded(listened)


def crowded(listened: Sequence[Listened]) -> str:
    results = [found(each) for each in listened]
    beyond = [1000 * delay - HANGOVER_MS for result in results for delay in result.delays]
    interims = Interims()
    for each in listened:
        interims.add(each)
    rows = [
        ["streams dropped", str(sum(each.code != DONE for each in listened))],
        ["final beyond the hangover: median", f"{median(beyond):.0f} ms"],
        ["p95", f"{percentile(beyond, 0.95):.0f} ms"],
        ["worst", f"{max(beyond):.0f} ms"],
        ["recall, precision, split, merged", ", ".join(figures(results)[:4])],
        ["first interim after onset, median", f"{1000 * median(interims.first):.0f} ms"],
        ["interims a second", f"{1 / mean(interims.gaps):.1f}"],
        ["all clients' share of a core", f"{100 * time.process_time() / (CROWD_SECONDS + JOIN_SECONDS):.0f} %"],
    ]
    return table(["", ""], rows)


async def silent(server: Served) -> tuple[str, str]:
    """Connections that only say that they are there; then the same ones streaming digital silence."""
    before = Reading.of(server)
    address = address_of(server.address, interim_results="true")
    sockets = [await connect(address, compression=None, ping_interval=None) for _ in range(SILENT)]
    silence = bytes(2 * round(MESSAGE_SECONDS * SAMPLE_RATE))
    rows = []
    for name, message, pace in (
        ("no audio, KeepAlive every 5 s", KEEP_ALIVE, 5.0),
        ("zeros in real time, messages of 100 ms", silence, MESSAGE_SECONDS),
    ):
        cpu, began = processor_time(server), time.monotonic()
        while (now := time.monotonic() - began) < SILENT_SECONDS:
            for number, socket in enumerate(sockets):
                await socket.send(message)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(max(0.0, pace - (time.monotonic() - began - now)))
        share = (processor_time(server) - cpu) / (time.monotonic() - began)
        megabytes = (Reading.of(server).megabytes - before.megabytes) / SILENT
        rows.append([name, f"{100 * share:.1f} %", f"{megabytes:.2f} MB"])
    await asyncio.gather(*(socket.close() for socket in sockets))
    return f"{SILENT} connections in which nobody speaks", table(["", "share of a core", "memory of each"], rows)


def processor_time(server: Served) -> float:
    """Seconds, with the processes that decode audio."""
    process = psutil.Process(server.pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


async def soaked(server: Served, sound: Sequence[Recording], seconds: float) -> str:
    connections, readings = await soak(server, [recording.samples for recording in sound], seconds, SOAK_ROUNDS)
    columns = ["with nobody connected", "memory", "file handles", "threads"]
    names = ["before", *(f"after {seconds * (number + 1) / SOAK_ROUNDS:.0f} s" for number in range(SOAK_ROUNDS))]
    rows = [
        [name, f"{reading.megabytes:.0f} MB", str(reading.handles), str(reading.threads)]
        for name, reading in zip(names, readings, strict=True)
    ]
    levels = Counter(level for line in server.log for level in ("WARNING", "ERROR", "Traceback") if level in line)
    for line in server.log:
        if "ERROR" in line or "Traceback" in line:
            print(line, end="")
    logged = ", ".join(f"{count} × {level}" for level, count in levels.items()) or "nothing"
    return f"{table(columns, rows)}\n\n{connections} connections in {seconds:.0f} s; in the log: {logged}."


if __name__ == "__main__":
    typer.run(main)
