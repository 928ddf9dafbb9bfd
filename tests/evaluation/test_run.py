"""`sayseek-server evaluate` counts what it says it counts."""

import json
import re
import shutil
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from evaluation.measures import figures
from evaluation.rows import EvaluatedRow
from server.command.cli import app


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
        EvaluatedRow({"audio": "a", "text": "twenty one black teas please"}, "21 black, teas. Please!"),
        EvaluatedRow({"audio": "b", "text": "hotels in reykjavik"}, "hotel in reykjavik now"),
        EvaluatedRow({"audio": "c", "text": "quit"}, ""),
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
        EvaluatedRow({"audio": "a", "slots": slots}, "A 20oz ice tea with two sugar, please."),
        EvaluatedRow({"audio": "b", "slots": {"size": "large", "drink": "tea"}}, "A large steak."),
    ]
    assert figures(heard)["slots"]["all"] == {
        "clips": 2,
        "slot_recall": pytest.approx(4 / 5),
        "acceptance": pytest.approx(1 / 2),
    }


def heard(spoken: str, typed: str = "Oslo", *, considered: str = "", in_reach: str = "", **row: object) -> EvaluatedRow:
    """A query for Oslo; titles are given with blanks between them."""
    found, found_typed, considered, in_reach = (titles.split() for titles in (spoken, typed, considered, in_reach))
    row = {"audio": "a", "query_doc": "1", "title": "Oslo", **row}
    return EvaluatedRow(row, found=found, found_typed=found_typed, considered=set(considered), in_reach=set(in_reach))


def test_search_success() -> None:
    eleven = [heard("Oslo"), heard("Osaka Oslo"), heard("1 2 3 4 5 6 7 8 9 10 Oslo", "Osaka Oslo")]
    assert figures(eleven)["search"]["all"] == {
        "queries": 3,
        "typed@1": pytest.approx(2 / 3),
        "typed@5": 1,
        "typed_mrr@10": pytest.approx(2.5 / 3),
        "plain@1": 0,
        "plain@5": 0,
        "plain_mrr@10": 0,
        "spoken@1": pytest.approx(1 / 3),
        "spoken@5": pytest.approx(2 / 3),
        "spoken_mrr@10": pytest.approx(1.5 / 3),
    }


def test_what_is_withheld_as_unsure_is_counted() -> None:
    rows = [heard("Oslo"), heard("Oslo"), heard("Osaka")]
    assert "withheld" not in figures(rows)
    for row in rows[1:]:
        row.is_unsure = True
    assert figures(rows)["withheld"]["all"] == {"queries": 2, "right": 1, "right_share": 0.5}


def test_what_spoken_queries_are_lost_by_adds_up() -> None:
    rows = [
        heard("Oslo", in_reach="Oslo"),
        heard("Osaka", considered="Osaka", in_reach="Osaka"),
        heard("Osaka", considered="Osaka", in_reach="Osaka Oslo"),
        heard("Osaka Oslo", considered="Osaka Oslo", in_reach="Osaka"),
        heard("", considered="Oslo", in_reach="Oslo"),
        heard("Osaka", "Osaka", in_reach="Oslo"),
        heard("Oslo", "Osaka"),
        heard("Osaka"),
    ]
    report = figures(rows)
    lost = report["search loss"]["all"]
    counts = {"queries": 8, "lost": 5, "recognition": 2, "candidates": 1, "ranking": 2, "gained": 1}
    assert lost == counts | {f"{cause}_share": count / 8 for cause, count in counts.items() if cause != "queries"}
    search = report["search"]["all"]
    assert lost["lost_share"] - lost["gained_share"] == pytest.approx(search["typed@1"] - search["spoken@1"])


def test_slices_are_what_the_manifest_tells_rows_apart_by() -> None:
    rows = [
        heard("Oslo", noise=None, speaker="ann", hard=True, text="oslo"),
        heard("Osaka", noise="kitchen", speaker="bob", hard=False, text="oslo"),
        heard("Oslo", noise="kitchen", speaker=None, text="oslo"),
    ]
    report = figures(rows)
    assert {name: measured["spoken@1"] for name, measured in report["search"].items()} == {
        "all": pytest.approx(2 / 3),
        "clean": 1,
        "noise kitchen": 0.5,
        "speaker ann": 1,
        "speaker bob": 0,
        "hard": 1,
        "not hard": 0,
    }
    assert report["search loss"].keys() == report["search"].keys()
    assert list(report["word error rate"]) == ["all", "clean", "noise kitchen", "speaker ann", "speaker bob"]
    assert list(figures(rows[:1])["search"]) == ["all"]


def test_endpointing() -> None:
    utterances = [{"start": 1.0, "end": 2.0}, {"start": 4.0, "end": 6.0}, {"start": 8.0, "end": 9.0}]
    heard = [
        EvaluatedRow({"audio": "a", "utterances": utterances}, segments=[(0.9, 2.1), (4, 4.9), (5.1, 6), (7, 7.5)])
    ]
    assert figures(heard)["endpointing"]["all"] == {
        "utterances": 3,
        "recall": pytest.approx(1 / 3),
        "precision": pytest.approx(3 / 4),
        "split": pytest.approx(1 / 3),
        "merged": 0,
    }


def test_utterances_that_one_segment_holds_are_merged() -> None:
    utterances = [{"start": 1.0, "end": 2.0}, {"start": 4.0, "end": 6.0}, {"start": 8.0, "end": 9.0}]
    heard = [EvaluatedRow({"audio": "a", "utterances": utterances}, segments=[(0.9, 6.2), (8, 9)])]
    scores = figures(heard)["endpointing"]["all"]
    assert (scores["recall"], scores["split"]) == (1, 0)
    assert scores["merged"] == pytest.approx(2 / 3)


def test_recordings_are_heard_and_searched(sample_files: list[Path], tmp_path: Path) -> None:
    file = next(file for file in sample_files if "copenhagen" in file.name)
    shutil.copy(file, tmp_path)
    row = {"audio": file.name, "text": "what's the weather like in copenhagen", "query_doc": "c"}
    manifest = write_jsonl(tmp_path / "manifest.jsonl", row)
    write_jsonl(tmp_path / "catalogue.jsonl", {"id": "c", "title": "Copenhagen"}, {"id": "o", "title": "Oslo"})
    predictions = tmp_path / "heard.jsonl"
    report = evaluate(manifest, "--model", "tiny.en", "--predictions", predictions)
    assert report["word error rate"]["all"]["wer"] == 0
    assert report["search"]["all"]["spoken@1"] == report["search"]["all"]["plain_mrr@10"] == 1
    latency = report["latency, ms"]["all"]
    assert latency["p50"] > 0
    seconds = latency["times real time"] * latency["p50"] / 1000
    assert seconds == pytest.approx(soundfile.info(file).duration, abs=0.01)
    heard = json.loads(predictions.read_text())
    assert "Copenhagen" in heard["text"]
    again = evaluate(manifest, "--others", predictions)
    assert again["word error rate"] == report["word error rate"]
    assert again["latency, ms"]["all"]["times real time"] > 0


def test_names_that_nobody_asked_for_are_counted(sample_files: list[Path], tmp_path: Path) -> None:
    misheard = Path(__file__).parents[1] / "recordings" / "restaurants-in-gaborone.flac"
    files = [misheard, next(file for file in sample_files if "copenhagen" in file.name)]
    for file in files:
        shutil.copy(file, tmp_path)
    manifest = write_jsonl(tmp_path / "manifest.jsonl", *({"audio": file.name} for file in files))
    write_jsonl(tmp_path / "catalogue.jsonl", {"id": "g", "title": "Gaborone"}, {"id": "c", "title": "Copenhagen"})

    told = evaluate(manifest, "--model", "base")["nothing asked for"]["all"]

    assert (told["clips"], told["other_first"], told["other_results"], told["more_results"]) == (2, 1, 1, 1)


def test_losses_are_found_where_they_happen(sample_files: list[Path], tmp_path: Path) -> None:
    """One recording, in which Copenhagen is heard well, and queries that it does not or does answer."""
    file = next(file for file in sample_files if "copenhagen" in file.name)
    shutil.copy(file, tmp_path)
    asked = {
        "right": ("what's the weather like in copenhagen", "Copenhagen"),
        "not heard": ("hotels in reykjavik", "Reykjavik"),
        "not asked about": ("the weather in kubenhavgon", "Kubenhavgon"),
        "second": ("what's the weather channel", "Weather channel"),
        "not typed": ("what was it", "Copenhagen"),
    }
    rows = [
        {"audio": file.name, "text": text, "query_doc": title, "speaker": speaker}
        for speaker, (text, title) in asked.items()
    ]
    titles = sorted({title for _, title in asked.values()})
    write_jsonl(tmp_path / "catalogue.jsonl", *({"id": title, "title": title} for title in titles))
    lost = evaluate(write_jsonl(tmp_path / "manifest.jsonl", *rows), "--model", "tiny.en")["search loss"]
    causes = ("recognition", "candidates", "ranking", "gained")
    assert [[cause for cause in causes if lost[f"speaker {speaker}"][cause]] for speaker in asked] == [
        [],
        ["recognition"],
        ["candidates"],
        ["ranking"],
        ["gained"],
    ]


def test_a_narrow_terminal_shows_every_figure_and_slice(tmp_path: Path, sample_files: list[Path]) -> None:
    shutil.copy(sample_files[0], tmp_path / "a.flac")
    rows = [{"audio": "a.flac", "text": "oslo", "query_doc": "o", "speaker": name} for name in ("ann", "bob")]
    manifest = write_jsonl(tmp_path / "manifest.jsonl", *rows)
    write_jsonl(tmp_path / "catalogue.jsonl", {"id": "o", "title": "Oslo"})
    others = write_jsonl(tmp_path / "heard.jsonl", {"audio": "a.flac", "text": "osaka"})
    arguments = ["evaluate", str(manifest), "--others", str(others)]
    output = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"}).output
    assert re.search(r"^speaker bob +1 100\.0 100\.0 1\.000 +0\.0 +0\.0 0\.000 +0\.0 +0\.0 +0\.000 *$", output, re.M)
    assert re.search(r"^speaker bob +1 1 100\.0% +1 100\.0% +0 +0\.0% 0 +0\.0% 0 +0\.0% *$", output, re.M)


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
        ({"audio": "a.flac", "txt": "x"}, "txt is not a key; did you mean text?"),
        ({"audoi": "a.flac", "text": "x"}, "audoi is not a key; did you mean audio?"),
        (GOOD | {"Query-Doc": "c"}, "did you mean query_doc?"),
        (GOOD | {"noise": 5}, "'noise'"),
        (GOOD | {"speaker": 5}, "'speaker'"),
        (GOOD | {"hard": "yes"}, "'hard'"),
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


def test_keys_of_the_owners_own_are_named_once(sample_files: list[Path], tmp_path: Path) -> None:
    """Also where they are called like a known one that the row has beside."""
    shutil.copy(sample_files[0], tmp_path / "a.flac")
    rows = [GOOD | {"texts": ["x"], "recorded_by": name} for name in ("ann", "bob")]
    manifest = write_jsonl(tmp_path / "manifest.jsonl", *rows)
    others = write_jsonl(tmp_path / "heard.jsonl", GOOD)
    result = CliRunner().invoke(app, ["evaluate", str(manifest), "--others", str(others), "--json"])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == ["Keys by which nothing is measured: texts, recorded_by"]


NO_PREDICTIONS = ['{"audio": "a.flac"}', '{"audio": "a.flac", "text": 5}', '{"audio": "a", "txt": "x"}', "5", "{"]


@pytest.mark.parametrize("line", [*NO_PREDICTIONS, '{"text": "x"}'])
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
