"""Killing a process that changes an index, again and again, and knowing what must be there then."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.index import SearchIndex
from search.result import MAX_DEPTH, SearchOptions
from tests.search.acknowledging_writer import State, change

ROOT = Path(__file__).parents[2]
WRITER = "tests.search.acknowledging_writer"


@contextmanager
def writing_process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", WRITER, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


class KilledWriter:
    """Changes an index step by step in a process that is killed again and again."""

    def __init__(self, process: subprocess.Popen[str], seed: int) -> None:
        assert process.stdin
        assert process.stdout
        self._stdin, self._stdout = process.stdin, process.stdout
        self._seed = seed
        self._random = random.Random(seed)
        self._step = 0
        self.states: list[State] = [{}, {}]

    def work_and_die(self) -> None:
        """Do a few steps, and a part of another. Then `states` has what may be there, acknowledged and one more."""
        print(self._step, file=self._stdin, flush=True)
        child = int(self._stdout.readline().split()[1])
        for _ in range(self._random.randint(0, 3)):
            self._acknowledge(self._stdout.readline())
        # Not for something to happen: whatever happens until then, it is killed in the middle of.
        time.sleep(self._random.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        for line in iter(self._stdout.readline, "ended\n"):
            self._acknowledge(line)
        self.states = [self.states[0], change(self._seed, self._step, self.states[0])[1]]

    def go_on_from(self, state: State) -> None:
        self._step += state != self.states[0]
        self.states[0] = state

    def _acknowledge(self, line: str) -> None:
        assert int(line) == self._step
        self.states[0] = change(self._seed, self._step, self.states[0])[1]
        self._step += 1


def everything(index: SearchIndex) -> State:
    found = index.search("thing", SearchOptions(MAX_DEPTH))
    assert found.total == index.count() == len(found.results)
    return {result.id: result.body for result in found.results}
