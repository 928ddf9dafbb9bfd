"""The network is compiled once, where it is installed; a machine on which that was not possible goes on without."""

import logging
import os
import shutil
import threading
from pathlib import Path

import pytest

from asr.audio.decode import Samples
from asr.decoding.hypothesis import DecodingOptions
from asr.engine.engine import Engine
from asr.runtime.choose import choose_backend
from asr.runtime.native import library
from asr.runtime.native.build import LIBRARY, CannotBuild, build, find_compiler, main
from asr.runtime.native.library import NativeUnavailable, load_kernels
from asr.runtime.precision import Precision
from asr.runtime.torch_stepper import TorchStepper
from asr.whisper.checkpoints import Checkpoint

WAIT = 60.0  # seconds after which a test has failed


@pytest.fixture(autouse=True)
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one on this machine, or these tests are skipped; it is not one that was chosen by hand."""
    monkeypatch.delenv("CC", raising=False)
    try:
        find_compiler()
    except CannotBuild as error:
        pytest.skip(str(error))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH with nothing on it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sayseek as it is installed where there is no compiler."""
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "none.so")


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def old_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that knows no processor's own instructions; it is soon done."""
    unknown = "-DPATH=avx*|-DPATH=amx|-DPATH=neon*"
    refuse = f'for flag; do case "$flag" in {unknown}) echo "error: no such" >&2; exit 1;; esac; done'
    monkeypatch.setenv("CC", program(tmp_path / "old", f'{refuse}\nexec cc "$@"'))


@pytest.mark.usefixtures("old_compiler")
def test_several_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    folder, failures = tmp_path / "built", []

    def compile_it() -> None:
        try:
            build(folder / "library.so")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=compile_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in folder.iterdir()] == ["library.so"]
    assert list(load_kernels(folder / "library.so")) == ["generic"]


@pytest.mark.usefixtures("old_compiler")
def test_a_path_that_the_compiler_does_not_know_is_left_out(tmp_path: Path) -> None:
    missing = build(tmp_path / "library.so")
    assert "generic" not in missing
    assert list(load_kernels(tmp_path / "library.so")) == ["generic"]


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_it_says_which_to_install(tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match=r"no C compiler.*apt install gcc"):
        build(tmp_path / "library.so")


@pytest.mark.usefixtures("no_compiler")
def test_an_installation_without_a_compiler_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was compiled of other sources before does not stay."""
    old = tmp_path / "library.so"
    old.write_bytes(b"of yesterday")
    monkeypatch.setattr("asr.runtime.native.build.LIBRARY", old)
    assert not main()
    assert "apt install gcc" in capsys.readouterr().err
    assert not old.exists()


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", program(tmp_path / "broken", "echo one moment >&2; echo out of registers >&2; exit 1"))
    with pytest.raises(CannotBuild, match="broken fails: out of registers"):
        build(tmp_path / "built" / "library.so")
    assert list((tmp_path / "built").iterdir()) == []


def test_the_compiler_that_was_chosen_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = program(tmp_path / "chosen", f'echo "$@" >> {tmp_path}/called\nexit 1')
    monkeypatch.setenv("CC", chosen)
    with pytest.raises(CannotBuild, match="chosen fails"):
        build(tmp_path / "library.so")
    assert "decoder.c" in (tmp_path / "called").read_text()


def test_a_damaged_library_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "library.so"
    damaged.write_bytes(b"half a libr")
    with pytest.raises(NativeUnavailable, match=r"cannot be loaded.*python -m asr\.runtime\.native\.build"):
        load_kernels(damaged)


def test_a_library_of_other_sources_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: object
) -> None:
    """Its structures may be others than those that Python mirrors, and memory would be read wrongly."""
    copied = shutil.copy(LIBRARY, tmp_path)
    monkeypatch.setattr(library, "fingerprint", lambda: "of today")
    with pytest.raises(NativeUnavailable, match=r"another version.*python -m asr\.runtime\.native\.build"):
        load_kernels(Path(copied))


@pytest.mark.parametrize(("words", "flags"), [("cc", ()), ("cc -g0", ("-g0",))])
def test_the_compiler_may_be_several_words(monkeypatch: pytest.MonkeyPatch, words: str, flags: tuple[str, ...]) -> None:
    monkeypatch.setenv("CC", words)
    assert find_compiler() == ["cc", *flags]


def test_a_chosen_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another was taken, and nobody was told."""
    monkeypatch.setenv("CC", "/no/such/cc")
    with pytest.raises(CannotBuild, match="/no/such/cc, which is not there"):
        find_compiler()


@pytest.mark.parametrize("folder", ["file", "file/folder", "no" * 200])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotBuild, match=f"nothing can be written to .*{folder}"):
        build(tmp_path / folder / "library.so")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_is_closed_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(CannotBuild, match="closed"):
        build(closed / "built" / "library.so")


@pytest.mark.usefixtures("no_library")
def test_without_the_library_speech_is_recognised_all_the_same(
    tiny_en: Checkpoint, speech: Samples, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        compute = choose_backend(tiny_en, cache=tmp_path)
    assert isinstance(compute.stepper, TorchStepper)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "python -m asr.runtime.native.build" in record.getMessage()
    with Engine(tiny_en, compute) as engine:
        assert "Toronto" in engine.submit([speech], DecodingOptions()).result(WAIT).windows[0].best.text


@pytest.mark.usefixtures("no_library")
def test_int8_that_was_asked_for_is_not_done_without(tiny_en: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(NativeUnavailable, match="was not compiled"):
        choose_backend(tiny_en, Precision.INT8, cache=tmp_path)


def test_instructions_that_are_not_here_are_named(tiny_en: Checkpoint, kernels: object) -> None:
    with pytest.raises(NativeUnavailable, match=r'no kernels for the instructions "sse9".*generic'):
        choose_backend(tiny_en, instructions="sse9")
