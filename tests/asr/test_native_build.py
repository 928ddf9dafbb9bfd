"""The native decoder is compiled once, and a machine that cannot compile it is told why and goes on without."""

import logging
import os
import threading
from pathlib import Path

import pytest

from asr.audio import Samples
from asr.checkpoints import Checkpoint
from asr.compute import choose_compute
from asr.decoding import DecodingOptions
from asr.engine import Engine
from asr.native.build import CannotBuild, default_cache, load_library
from asr.precision import Precision
from asr.torch_steps import TorchSteps

WAIT = 60.0  # seconds after which a test has failed


@pytest.fixture(autouse=True)
def compiler(native_library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one on this machine, or these tests are skipped; it is not one that was chosen by hand."""
    monkeypatch.delenv("CC", raising=False)


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH with nothing on it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def only_file(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def test_it_is_compiled_once_and_found_again(tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    assert load_library(cache).decoder_step
    built = only_file(cache).stat()
    assert load_library(cache).decoder_step
    again = only_file(cache).stat()
    assert (again.st_ino, again.st_mtime_ns) == (built.st_ino, built.st_mtime_ns)


def test_several_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    failures = []

    def load() -> None:
        try:
            load_library(tmp_path)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert failures == []
    assert only_file(tmp_path).suffix == ".so"


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/someone")
    assert default_cache() == Path("/var/cache/someone/sayseek")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_cache() == Path("/home/someone/.cache/sayseek")


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_it_says_which_to_install(tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match=r"no C compiler.*apt install gcc"):
        load_library(tmp_path)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", program(tmp_path / "broken", "echo one moment >&2; echo out of registers >&2; exit 1"))
    with pytest.raises(CannotBuild, match="broken fails: out of registers"):
        load_library(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_compiler_without_openmp_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = 'for flag; do [ "$flag" = -fopenmp ] && { echo no libgomp >&2; exit 1; }; done'
    monkeypatch.setenv("CC", program(tmp_path / "lean", f'{refuse}\nexec cc "$@"'))
    assert load_library(tmp_path / "cache").decoder_step


def test_the_compiler_that_was_chosen_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = program(tmp_path / "chosen", f'echo "$@" > {tmp_path}/called\nexec cc "$@"')
    monkeypatch.setenv("CC", chosen)
    assert load_library(tmp_path / "cache").decoder_step
    assert "decoder.c" in (tmp_path / "called").read_text()


def test_a_damaged_library_is_thrown_away_and_built_anew(tmp_path: Path) -> None:
    sound, damaged = tmp_path / "sound", tmp_path / "damaged"
    load_library(sound)
    damaged.mkdir()
    (damaged / only_file(sound).name).write_bytes(b"half a libr")
    with pytest.raises(CannotBuild, match="cannot be loaded"):
        load_library(damaged)
    assert load_library(damaged).decoder_step


@pytest.mark.parametrize("folder", ["file", "file/cache", "no" * 200])
def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotBuild, match=f"nothing can be written to .*{folder}"):
        load_library(tmp_path / folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_cache_that_is_closed_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(CannotBuild, match="closed"):
        load_library(closed / "cache")


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_speech_is_recognised_all_the_same(
    tiny_en: Checkpoint, speech: Samples, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        compute = choose_compute(tiny_en, cache=tmp_path)
    assert isinstance(compute.stepper, TorchSteps)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "apt install gcc" in record.getMessage()
    with Engine(tiny_en, compute) as engine:
        assert "Toronto" in engine.submit([speech], DecodingOptions()).result(WAIT).windows[0].best.text


@pytest.mark.usefixtures("no_compiler")
def test_int8_that_was_asked_for_is_not_done_without(tiny_en: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match="no C compiler"):
        choose_compute(tiny_en, Precision.INT8, cache=tmp_path)
