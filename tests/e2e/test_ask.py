"""The main job from end to end: recordings in, cities found."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.asr.recordings import with_data_size
from tests.e2e.conftest import PROGRAMS, Server

RECORDINGS = Path(__file__).parents[1] / "recordings"


def sayseek(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAMS / "sayseek", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


def city_of(file: Path) -> str:
    """hotels-in-buenos-aires → buenos aires"""
    return file.stem.split("-in-")[-1].split("-to-")[-1].split("-is-")[-1].replace("-", " ")


def folded(text: str) -> str:
    return text.lower().replace("í", "i")


def test_every_sample_finds_its_city_first(server: Server, sample_files: list[Path]) -> None:
    done = sayseek("ask", "--server", server.address, "--json", *sample_files)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(answer["file"]).name for answer in answers] == [file.name for file in sample_files]
    for file, answer in zip(sample_files, answers, strict=True):
        assert city_of(file) in folded(answer["answer"]["results"][0]["title"]), answer


def test_people_read_transcript_and_results(server: Server, sample_files: list[Path]) -> None:
    done = sayseek("ask", "--server", server.address, "--language", "en-US", sample_files[0])
    assert done.returncode == 0, done.stderr
    assert city_of(sample_files[0]) in folded(done.stdout)


def test_people_are_told_what_a_misheard_name_was_taken_for(server: Server) -> None:
    done = sayseek("ask", "--server", server.address, RECORDINGS / "restaurants-in-gaborone.flac")
    assert done.returncode == 0, done.stderr
    heard, taken_for, *found = done.stdout.splitlines()
    assert "Gaborone" not in heard
    assert taken_for == "Showing results for: restaurants in gaborone"
    assert "Gaborone" in "\n".join(found)


@pytest.mark.parametrize("arguments", [["--whole"], []])
def test_a_file_that_is_no_audio_is_told_and_the_others_are_answered(
    server: Server, sample_files: list[Path], tmp_path: Path, arguments: list[str]
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"not audio")
    done = sayseek("ask", "--server", server.address, *arguments, broken, sample_files[0])
    assert done.returncode == 1
    assert "broken.wav" in done.stdout + done.stderr
    assert city_of(sample_files[0]) in folded(done.stdout)


def test_a_wav_whose_length_was_never_written_is_answered(
    server: Server, sample_files: list[Path], tmp_path: Path
) -> None:
    samples, rate = soundfile.read(sample_files[0], dtype="int16")
    unfinished = tmp_path / "unfinished.wav"
    soundfile.write(unfinished, samples, rate)
    unfinished.write_bytes(with_data_size(unfinished.read_bytes(), 0))
    done = sayseek("ask", "--server", server.address, unfinished)
    assert done.returncode == 0, done.stderr
    assert city_of(sample_files[0]) in folded(done.stdout)


def test_a_wav_without_samples_is_an_error(server: Server, tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.int16), 16_000)
    done = sayseek("ask", "--server", server.address, empty)
    assert done.returncode == 1
    assert "holds no audio" in done.stderr
    assert "Nothing was heard" not in done.stdout


def test_a_server_that_is_not_there_is_told(sample_files: list[Path]) -> None:
    done = sayseek("ask", "--server", "http://127.0.0.1:9", sample_files[0])
    assert done.returncode == 3
    assert "make serve" in done.stdout + done.stderr
