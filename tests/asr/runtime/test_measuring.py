"""What computes the model is chosen by trying, once for each machine, and only where the machine was calm."""

import itertools
import json
import time
from pathlib import Path

import pytest

from asr.runtime import measuring
from asr.runtime.arithmetic import candidates
from asr.runtime.choose import choose_backend
from asr.runtime.measuring import Measured, measured, time_all
from asr.runtime.native.library import Kernels, NativeUnavailable
from asr.runtime.precision import Precision
from asr.whisper.checkpoints import Checkpoint


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_the_fastest_has_the_least_time() -> None:
    times, _ = time_all({"slow": lambda: busy(0.02), "fast": lambda: busy(0.004), "slower": lambda: busy(0.03)})
    assert min(times, key=times.__getitem__) == "fast"
    assert times["fast"] >= 4
    assert times["slower"] >= 30


def test_what_is_hopeless_is_tried_twice() -> None:
    tries = []

    def hopeless() -> None:
        tries.append(1)
        busy(0.1)

    time_all({"hopeless": hopeless, "good": lambda: busy(0.001)})
    assert len(tries) == 2


def test_times_that_never_agree_come_to_an_end_and_are_no_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SECONDS", 0.3)
    growing = itertools.count(1)
    _, calm = time_all({"growing": lambda: busy(0.002 * 1.1 ** next(growing))})
    assert not calm


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Measurements that take no time: one for each time that there was none to be read, calm or not."""
    calm: list[bool] = []

    def measure(*_: object) -> tuple[Measured, bool]:
        calm.append(True)
        return Measured({"float32": 2.0}, {"float32": 1.0}), True

    monkeypatch.setattr(measuring, "measure", measure)
    return calm


def test_it_is_measured_once_for_each_number_of_threads(
    tiny_en: Checkpoint, counted: list[bool], tmp_path: Path
) -> None:
    own = candidates(Precision.FLOAT32)
    first = measured(tiny_en, own, 1, tmp_path / "new")
    assert measured(tiny_en, own, 1, tmp_path / "new") == first
    assert len(counted) == 1
    measured(tiny_en, own, 2, tmp_path / "new")
    assert len(counted) == 2


def test_what_was_measured_on_a_busy_machine_is_not_kept(
    tiny_en: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "measure", lambda *_: (Measured({"float32": 2.0}, {"float32": 1.0}), False))
    measured(tiny_en, candidates(Precision.FLOAT32), 1, tmp_path)
    assert list(tmp_path.iterdir()) == []


WHOLE = '{"float32": 1.5}'


@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "[1]", "[" * 200_000, '{"encoder": {}}', '{"encoder": {}, "decoder": {}}', "caf\xe9"),
        *(
            f'{{"encoder": {{{part}}}, "decoder": {WHOLE}}}'
            for part in (
                *('"float32": null', '"float32": "1"', '"float32": NaN', '"float32": -1', '"float32": Infinity'),
                *('"int8 (avx9)": 1', '"float32": 2, "int8 (avx9)": 1'),
            )
        ),
    ],
)
def test_what_is_damaged_is_measured_again(
    tiny_en: Checkpoint, counted: list[bool], tmp_path: Path, content: str
) -> None:
    own = candidates(Precision.FLOAT32)
    measured(tiny_en, own, 1, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(content, encoding="latin-1")
    measured(tiny_en, own, 1, tmp_path)
    assert len(counted) == 2
    assert json.loads(file.read_text()) == {"encoder": {"float32": 2.0}, "decoder": {"float32": 1.0}}


def test_a_folder_that_cannot_be_written_is_no_obstacle(
    tiny_en: Checkpoint, counted: list[bool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert measured(tiny_en, candidates(Precision.FLOAT32), 1, tmp_path / "file").best() == ("float32", "float32")
    assert "is not kept" in caplog.text


def test_auto_takes_what_was_the_fastest(tiny_en: Checkpoint, kernels: dict[str, Kernels], tmp_path: Path) -> None:
    """Really measured, for each part by itself."""
    compute = choose_backend(tiny_en, threads=1, cache=tmp_path)
    assert compute.measured
    assert (compute.encoder.precision, compute.stepper.precision) == compute.measured.best()
    in_int8 = {f"int8 ({path})" for path in kernels}
    assert in_int8 | {"float32"} <= set(compute.measured.encoder) == set(compute.measured.decoder)


def test_where_there_is_one_way_nothing_is_measured(tiny_en: Checkpoint, tmp_path: Path) -> None:
    assert choose_backend(tiny_en, Precision.FLOAT32, cache=tmp_path).measured is None
    assert list(tmp_path.iterdir()) == []


def test_further_layers_take_what_the_second_did(monkeypatch: pytest.MonkeyPatch, tiny_en: Checkpoint) -> None:
    """One layer with the logits would judge by what happens once: they are four fifths of it, in a large model."""
    once, each = {"good logits": 1.0, "good layers": 3.0}, {"good logits": 2.0, "good layers": 1.0}

    def time_layers(_: object, __: object, layers: int) -> tuple[Measured, bool]:
        times = {name: once[name] + layers * each[name] for name in once}
        return Measured(times, times), True

    monkeypatch.setattr(measuring, "_time_layers", time_layers)
    times, calm = measuring.measure(tiny_en, [], 1)
    assert calm
    assert times.encoder == {"good logits": 1 + 4 * 2, "good layers": 3 + 4 * 1}
    assert times.best() == ("good layers", "good layers")


def test_instructions_beside_another_precision_are_refused() -> None:
    """They had no effect, and nobody was told."""
    with pytest.raises(NativeUnavailable, match='precision float32 leave "avx2" out'):
        candidates(Precision.FLOAT32, "avx2")
