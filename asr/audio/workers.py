"""Decoding strangers' bytes in processes of their own.

Media libraries are large, written in C and believe much of what a header claims: a small file can make them take
gigabytes, hang or crash. A worker process has a limit on memory and on time. One that breaks is replaced, and only
the clip that broke it is refused. This needs a POSIX system, as the server does.
"""

import json
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, Pipe

import numpy as np

from asr.audio.decode import Audio, AudioLimits, decode_audio
from asr.errors import AsrError, AudioTooLong, EngineBusy, EngineClosed, InvalidAudio

# Beyond what a fresh worker has mapped: room for the longest clip, whose samples are copied a few times.
MEMORY_LIMIT = 512 << 20  # bytes
EXIT_SECONDS = 2.0
TAKE_SECONDS = 10.0  # that a worker has to take a clip; a fresh one imports its libraries first
WATCH_SECONDS = 1.0  # after which a worker that should have ended itself is ended

TAKEN = b"taken"
NO_WORKER = "Recordings cannot be decoded just now. Try again in a moment."

REFUSALS: dict[str, type[AsrError]] = {kind.__name__: kind for kind in (InvalidAudio, AudioTooLong)}


class AudioWorkers:
    """A fixed number of worker processes, each decoding one clip at a time.

    A worker that takes longer than `hang_seconds` is ended wherever it is. Use as a context manager, or `close` it.
    """

    def __init__(self, count: int, limits: AudioLimits = AudioLimits(), *, hang_seconds: int = 10) -> None:
        self._workers = [_Worker(limits, hang_seconds) for _ in range(count)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def __enter__(self) -> "AudioWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, data: bytes) -> Audio:
        """As `asr.audio.decode.decode_audio` does, in the next idle worker; may be called from several threads.

        Raises InvalidAudio, too, for a clip whose decoding breaks its worker, EngineBusy where no worker can be
        started just now, and EngineClosed after `close`.
        """
        worker = self._idle.get()
        try:
            if not worker.take(data):  # one that died while it was idle is not the clip's fault
                worker.restart()
                if not worker.take(data):
                    raise EngineBusy(NO_WORKER)
            return worker.answer()
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the workers; a clip that is being decoded is given up."""
        for worker in self._workers:
            worker.close()


class _Worker:
    """The server's end of one process, which is replaced when it breaks."""

    def __init__(self, limits: AudioLimits, hang_seconds: int) -> None:
        self._arguments = (json.dumps(asdict(limits)), str(hang_seconds))
        self._answer_seconds = hang_seconds + WATCH_SECONDS
        self._lock = threading.Lock()  # nothing is started once it is closed
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        command = "import sys; from asr.audio.workers import work; work(*sys.argv[1:])"
        with theirs:  # closed here, so that either end notices when the other process dies
            self._process = subprocess.Popen(
                # It finds its modules where this process does, and nowhere else.
                [sys.executable, "-P", "-c", command, str(theirs.fileno()), *self._arguments],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # some decoders write there what they think of a file
            )

    def take(self, data: bytes) -> bool:
        """Hand over a clip; False where the process is not there to take it."""
        with suppress(EOFError, OSError), self._ended_after(TAKE_SECONDS):
            self._connection.send_bytes(data)
            return self._connection.recv_bytes() == TAKEN
        return False

    def answer(self) -> Audio:
        """What became of the clip that was taken."""
        try:
            with self._ended_after(self._answer_seconds):
                return self._received()
        except (EOFError, OSError) as error:
            self._check_open()
            raise InvalidAudio("The audio cannot be decoded safely. Convert it to 16 kHz mono wav or flac.") from error

    def restart(self) -> None:
        """Raises EngineBusy where the system has no room for a process; the next clip tries again."""
        with self._lock:
            self._check_open()
            self._stop()
            try:
                self._start()
            except OSError as error:
                raise EngineBusy(NO_WORKER) from error

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._stop()

    def _received(self) -> Audio:
        answer = json.loads(self._connection.recv_bytes())
        if "refusal" in answer:
            raise REFUSALS[answer["refusal"]](answer["message"])
        if "failure" in answer:
            raise RuntimeError(f"decoding failed: {answer['failure']}")
        # A copy, for arrays over bytes cannot be written to.
        return Audio(np.frombuffer(self._connection.recv_bytes(), np.float32).copy(), answer["clipped"])

    def _stop(self) -> None:
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it will end when the system lets it
            self._process.wait(EXIT_SECONDS)
        self._connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosed("The server is shutting down. Try again in a moment.")

    @contextmanager
    def _ended_after(self, seconds: float) -> Iterator[None]:
        """End the process if this takes longer: one that was stopped neither reads nor ends by itself."""
        watch = threading.Timer(seconds, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()


def _environment() -> dict[str, str]:
    """This process's, without the server's settings and secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAYSEEK_")}
    # Arithmetic threads would only take address space.
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}


def work(file_descriptor: str, limits: str, hang_seconds: str) -> None:
    """A worker's whole life: clips come in, samples or refusals go out, until the server's end closes."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the server decides when to end
        signal.signal(ignored, signal.SIG_IGN)
    _limit_memory()
    connection = Connection(int(file_descriptor))
    audio_limits = AudioLimits(**json.loads(limits))
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(TAKEN)
        signal.alarm(int(hang_seconds))  # ends the process, wherever in a library it is
        header, samples = _answer(data, audio_limits)
        signal.alarm(0)
        connection.send_bytes(json.dumps(header).encode())
        if samples is not None:
            connection.send_bytes(samples)


def _answer(data: bytes, limits: AudioLimits) -> tuple[dict[str, object], bytes | None]:
    try:
        audio = decode_audio(data, limits)
    except (InvalidAudio, AudioTooLong) as error:
        kind = InvalidAudio if isinstance(error, InvalidAudio) else AudioTooLong
        return {"refusal": kind.__name__, "message": str(error)}, None
    except MemoryError:
        return {"refusal": "InvalidAudio", "message": "The audio takes too much memory to decode."}, None
    except Exception as error:
        return {"failure": repr(error)}, None
    return {"clipped": audio.clipped}, audio.samples.tobytes()


def _limit_memory() -> None:
    """Libraries are refused memory beyond the limit, which they report as an error or die of."""
    if sys.platform != "linux":
        return
    with open("/proc/self/statm") as statm:  # pages; the first is all that is mapped
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_LIMIT,) * 2)
