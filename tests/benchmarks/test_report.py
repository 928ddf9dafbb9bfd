"""RESULTS.md keeps, in each section, one block for each kind of machine."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import machine, publish, with_block

PAGE = """# Results

Words before.

<!-- speed -->
<!-- on AVX2 -->
On AVX2:

old
<!-- /on AVX2 -->

<!-- on AMX -->
On AMX:

fast
<!-- /on AMX -->
<!-- /speed -->

Words between.

<!-- memory -->
<!-- /memory -->

Words after.
"""


def test_a_run_replaces_the_block_of_its_kind_alone() -> None:
    assert with_block(PAGE, "speed", "AVX2", "new\n") == PAGE.replace("old", "new")
    assert with_block(PAGE, "speed", "AMX", r"a \1 & more") == PAGE.replace("fast", r"a \1 & more")


def test_a_kind_that_is_new_in_a_section_comes_last() -> None:
    block = "<!-- on NEON i8mm -->\nOn NEON i8mm:\n\nnew\n<!-- /on NEON i8mm -->"
    end = "<!-- /on AMX -->\n"
    assert with_block(PAGE, "speed", "NEON i8mm", "new") == PAGE.replace(end, f"{end}\n{block}\n")
    assert with_block(PAGE, "memory", "NEON i8mm", "new") == PAGE.replace(
        "<!-- memory -->\n", f"<!-- memory -->\n{block}\n"
    )


def test_a_new_section_comes_last_on_the_page() -> None:
    page = with_block(PAGE, "start", "AVX2", "new")
    assert page == f"{PAGE}\n<!-- start -->\n<!-- on AVX2 -->\nOn AVX2:\n\nnew\n<!-- /on AVX2 -->\n<!-- /start -->\n"
    assert with_block(page, "start", "AVX2", "new") == page


def test_kinds_whose_names_begin_alike_are_apart() -> None:
    page = with_block(with_block(PAGE, "memory", "AVX-512 VNNI bf16", "with"), "memory", "AVX-512 VNNI", "without")
    assert "\nwith\n" in page
    assert "\nwithout\n" in page
    assert with_block(page, "memory", "AVX-512 VNNI", "other") == page.replace("\nwithout\n", "\nother\n")


def test_publishing_writes_only_where_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(PAGE)
    monkeypatch.setattr(report, "RESULTS", file)
    monkeypatch.setattr(report, "machine_kind", lambda: "AVX2")
    publish("speed", "new", write=False)
    assert file.read_text() == PAGE
    publish("speed", "new", write=True)
    assert file.read_text() == PAGE.replace("old", "new")
    publish("speed", "newer", write=True, kind="AMX")
    assert file.read_text() == PAGE.replace("old", "new").replace("fast", "newer")
    assert capsys.readouterr().out == "new\nnew\nnewer\n"


def test_every_section_of_the_results_is_closed() -> None:
    """A mark without its end would have the next run swallow the rest of the page."""
    marks = [line for line in report.RESULTS.read_text(encoding="utf-8").splitlines() if line.startswith("<!-- ")]
    open_marks: list[str] = []
    for mark in marks:
        if mark.startswith("<!-- /"):
            assert open_marks.pop() == mark.replace("/", "", 1)
        else:
            open_marks.append(mark)
    assert open_marks == []


def test_the_machine_is_described_with_its_cores() -> None:
    assert " cores, " in machine()
