"""`sayseek-server evaluate` counts what it says it counts."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app
from server.scoring import Heard, figures


def evaluate(*arguments: object) -> dict:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failing(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exit_code == 1
    return result.output


def write_jsonl(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_word_errors_are_counted_after_normalising() -> None:
    heard = [
        Heard({"audio": "a", "text": "twenty one black teas please"}, "21 black, teas. Please!"),
        Heard({"audio": "b", "text": "hotels in reykjavik"}, "hotel in reykjavik now"),
        Heard({"audio": "c", "text": "quit"}, ""),
    ]
    measured = figures(heard)["word error rate"]["all"]
    assert measured == {
        "clips": 3,
        "wer": pytest.approx(3 / 9),
        "exact": pytest.approx(1 / 3),
        "substituted": 1,
        "deleted": 1,
        "inserted": 1,
    }


def test_slots_are_heard_whole_and_all_of_them_accept_a_clip() -> None:
    slots = {"size": "twenty ounce", "drink": "iced tea", "sugar": "two sugars"}
    heard = [
        Heard({"audio": "a", "slots": slots}, "A 20oz ice tea with two sugar, please."),
        Heard({"audio": "b", "slots": {"size": "large", "drink": "tea"}}, "A large steak."),
    ]
    assert figures(heard)["slots"]["all"] == {
        "clips": 2,
        "slot_recall": pytest.approx(4 / 5),
        "acceptance": pytest.approx(1 / 2),
    }


def test_search_success_and_groups_of_noise() -> None:
    def heard(noise: str | None, spoken: list[str], typed: list[str]) -> Heard:
        row = {"audio": "a", "query_doc": "1", "title": "Oslo", "noise": noise}
        return Heard(row, found=spoken, found_typed=typed)

    rows = [
        heard(None, ["Oslo"], ["Oslo"]),
        heard("kitchen", ["Osaka", "Oslo"], ["Oslo"]),
        heard("kitchen", [], ["Osaka", "Oslo"]),
    ]
    search = figures(rows)["search"]
    assert search["all"] == {
        "queries": 3,
        "typed@1": pytest.approx(2 / 3),
        "typed@5": 1,
        "spoken@1": pytest.approx(1 / 3),
        "spoken@5": pytest.approx(2 / 3),
    }
    assert search["kitchen"]["spoken@1"] == 0
    assert search["clean"]["spoken@1"] == 1


def test_endpointing() -> None:
    utterances = [{"start": 1.0, "end": 2.0}, {"start": 4.0, "end": 6.0}, {"start": 8.0, "end": 9.0}]
    heard = [Heard({"audio": "a", "utterances": utterances}, segments=[(0.9, 2.1), (4, 4.9), (5.1, 6), (7, 7.5)])]
    assert figures(heard)["endpointing"]["all"] == {
        "utterances": 3,
        "recall": pytest.approx(1 / 3),
        "precision": pytest.approx(3 / 4),
        "split": pytest.approx(1 / 3),
        "merged": 0,
    }


def test_utterances_that_one_segment_holds_are_merged() -> None:
    utterances = [{"start": 1.0, "end": 2.0}, {"start": 4.0, "end": 6.0}, {"start": 8.0, "end": 9.0}]
    heard = [Heard({"audio": "a", "utterances": utterances}, segments=[(0.9, 6.2), (8, 9)])]
    scores = figures(heard)["endpointing"]["all"]
    assert (scores["recall"], scores["split"]) == (1, 0)
    assert scores["merged"] == pytest.approx(2 / 3)


def test_recordings_are_heard_and_searched(sample_files: list[Path], tmp_path: Path) -> None:
    file = next(file for file in sample_files if "copenhagen" in file.name)
    shutil.copy(file, tmp_path)
    row = {"audio": file.name, "text": "what's the weather like in copenhagen", "query_doc": "c", "duration": 3.0}
    manifest = write_jsonl(tmp_path / "manifest.jsonl", row)
    write_jsonl(tmp_path / "catalogue.jsonl", {"id": "c", "title": "Copenhagen"}, {"id": "o", "title": "Oslo"})
    predictions = tmp_path / "heard.jsonl"
    report = evaluate(manifest, "--model", "tiny.en", "--predictions", predictions)
    assert report["word error rate"]["all"]["wer"] == 0
    assert report["search"]["all"]["spoken@1"] == 1
    assert report["latency, ms"]["all"]["p50"] > 0
    heard = json.loads(predictions.read_text())
    assert "Copenhagen" in heard["text"]
    assert evaluate(manifest, "--others", predictions)["word error rate"] == report["word error rate"]


def test_utterances_are_cut(sample_files: list[Path], tmp_path: Path) -> None:
    shutil.copy(sample_files[0], tmp_path)
    row = {"audio": sample_files[0].name, "utterances": [{"start": 0.4, "end": 2.5}]}
    report = evaluate(write_jsonl(tmp_path / "manifest.jsonl", row))
    assert report["endpointing"]["all"]["recall"] == 1


def test_what_is_wrong_with_a_manifest_is_told(sample_files: list[Path], tmp_path: Path) -> None:
    assert "cannot be read" in failing(tmp_path / "none.jsonl")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    assert "is empty" in failing(empty)
    (tmp_path / "bad.jsonl").write_text("{}\n")
    assert "line 1" in failing(tmp_path / "bad.jsonl")
    assert "no file 'gone.wav'" in failing(write_jsonl(tmp_path / "gone.jsonl", {"audio": "gone.wav"}))
    shutil.copy(sample_files[0], tmp_path / "a.flac")
    one = write_jsonl(tmp_path / "one.jsonl", {"audio": "a.flac", "text": "x"})
    assert "no model" in failing(one, "--model", "huge")
    (tmp_path / "a.flac").write_bytes(b"no audio")
    assert "a.flac: No audio" in failing(one, "--model", "tiny.en")
    broken = tmp_path / "broken.jsonl"
    broken.write_text("no json")
    assert "broken.jsonl, line 1: this is not JSON" in failing(one, "--others", broken)


GOOD = {"audio": "a.flac", "text": "x"}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("5", "JSON object"),
        ('"a.flac"', "JSON object"),
        ('["a.flac"]', "JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"audio": "a.flac"', "not JSON"),
        ({"audio": 5}, "'audio'"),
        ({"audio": ["a.flac"]}, "'audio'"),
        ({"audio": ""}, "no file"),
        ({"audio": "a\0b"}, "no file"),
        ({"audio": "x" * 5000}, "no file"),
        (GOOD | {"text": 5}, "'text'"),
        (GOOD | {"text": ""}, "'text'"),
        (GOOD | {"text": " ?!"}, "'text'"),
        (GOOD | {"slots": [1]}, "'slots'"),
        (GOOD | {"slots": {"size": 1}}, "'slots'"),
        (GOOD | {"slots": {"size": ""}}, "'slots'"),
        (GOOD | {"query_doc": 5}, "'query_doc'"),
        ({"audio": "a.flac", "query_doc": "c"}, "'query_doc'"),
        (GOOD | {"duration": "3 s"}, "'duration'"),
        (GOOD | {"noise": 5}, "'noise'"),
        (GOOD | {"utterances": "x"}, "'utterances'"),
        (GOOD | {"utterances": []}, "'utterances'"),
        (GOOD | {"utterances": None}, "'utterances'"),
        (GOOD | {"utterances": [{"start": 2, "end": 1}]}, "'utterances'"),
        (GOOD | {"utterances": [{"start": 0}]}, "'utterances'"),
        (GOOD | {"utterances": [{"start": 0, "end": 1}]}, "two manifests"),
    ],
)
def test_a_bad_row_is_told_by_its_line_before_a_model_is_loaded(
    sample_files: list[Path], tmp_path: Path, row: str | dict, told: str
) -> None:
    shutil.copy(sample_files[0], tmp_path / "a.flac")
    bad = row if isinstance(row, str) else json.dumps(row)
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(f"{json.dumps(GOOD)}\n\n{bad}\n")
    output = failing(manifest, "--model", "there is none")
    assert "manifest.jsonl, line 3: " in output
    assert told in output


@pytest.mark.parametrize("line", ['{"audio": "a.flac"}', '{"audio": "a.flac", "text": 5}', "5", "{", '{"text": "x"}'])
def test_a_bad_row_of_another_recogniser_is_told(sample_files: list[Path], tmp_path: Path, line: str) -> None:
    shutil.copy(sample_files[0], tmp_path / "a.flac")
    manifest = write_jsonl(tmp_path / "manifest.jsonl", GOOD)
    (tmp_path / "heard.jsonl").write_text(f"{json.dumps(GOOD)}\n{line}\n")
    assert "heard.jsonl, line 2: " in failing(manifest, "--others", tmp_path / "heard.jsonl")


def test_files_that_are_not_there_are_told_before_a_model_is_loaded(sample_files: list[Path], tmp_path: Path) -> None:
    shutil.copy(sample_files[0], tmp_path / "a.flac")
    manifest = write_jsonl(tmp_path / "manifest.jsonl", GOOD | {"query_doc": "c"})
    none = ("--model", "there is none")
    assert "no catalogue" in failing(manifest, *none)
    assert "no catalogue" in failing(manifest, *none, "--catalogue", tmp_path / "gone.jsonl")
    other = write_jsonl(tmp_path / "other.jsonl", {"id": "o", "title": "Oslo"})
    assert "no document 'c'" in failing(manifest, *none, "--catalogue", other)
    right = write_jsonl(tmp_path / "right.jsonl", {"id": "c", "title": "Copenhagen"})
    output = failing(manifest, *none, "--catalogue", right, "--predictions", tmp_path / "no folder" / "heard.jsonl")
    assert "heard.jsonl cannot be written" in output
    assert "no folder" in failing(tmp_path / "no folder" / "manifest.jsonl", *none)
    assert "cannot be read" in failing(tmp_path, *none)


def test_models_are_listed() -> None:
    result = CliRunner().invoke(app, ["models"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "base" in result.stdout
    assert "tiny.en" in result.stdout
