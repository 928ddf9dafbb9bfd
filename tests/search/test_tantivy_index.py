"""What the embedded index promises beyond the protocol: durability, several processes, its folder."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tantivy

from search.document import Document
from search.errors import IndexBusy, IndexUnavailable
from search.index_folder import FORMAT_FILE, HOME
from search.result import SearchOptions
from search.tantivy_index import TantivyIndex

WRITER = Path(__file__).with_name("acknowledging_writer.py")
THING = Document(id="thing", title="Thing")


@contextmanager
def writing_process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(WRITER), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def killed_after(process: subprocess.Popen[str], lines: int, seconds: float) -> list[int]:
    """What a process had said when it was killed: so many lines, and then so much later."""
    assert process.stdout
    said = [int(process.stdout.readline()) for _ in range(lines)]
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    return said + [int(line) for line in process.stdout if line.endswith("\n")]


class TestKilled:
    @pytest.mark.parametrize("seed", range(3))
    def test_what_was_acknowledged_is_there(self, tmp_path: Path, seed: int) -> None:
        moment = random.Random(seed)
        acknowledged: list[int] = []
        for _ in range(6):
            with writing_process(tmp_path, 1000 + len(acknowledged)) as process:
                acknowledged += killed_after(process, moment.randint(1, 12), moment.uniform(0, 0.05))

            with TantivyIndex(tmp_path) as index:
                assert all(index.get(f"{number}-{twin}") for number in acknowledged for twin in "ab")
                # One pair more may have been committed and not yet acknowledged; half a pair never.
                assert index.count() - 2 * len(acknowledged) in (0, 2)
                assert len(index.search("thing", SearchOptions(100)).results) == min(100, index.count())
                acknowledged += [] if index.count() == 2 * len(acknowledged) else [acknowledged[-1] + 1]

    def test_unfinished_call_leaves_nothing(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path) as index:
            index.upsert([THING])

        with writing_process(tmp_path, 0, "one call") as process:
            taken = killed_after(process, 5000, 0.01)

        assert len(taken) >= 5000
        with TantivyIndex(tmp_path, writer_wait=0) as index:
            assert [result.id for result in index.search("thing").results] == ["thing"]
            assert index.upsert([Document(id="other", title="Thing")]) == 1
            assert index.count() == 2


class TestSharing:
    def test_other_process_writes_while_this_one_is_open(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path) as index:
            index.upsert([THING])
            with writing_process(tmp_path, 1) as process:
                assert process.stdout
                for number in (1, 2, 3):
                    assert int(process.stdout.readline()) == number
                    assert index.get(f"{number}-a")
                assert index.upsert([Document(id="other", title="Thing")]) == 1

    def test_busy_when_another_writer_stays(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path, writer_wait=0.05) as index:
            other = tantivy.Index.open(str(tmp_path / HOME)).writer()

            with pytest.raises(IndexBusy, match="try again"):
                index.upsert([THING])
            with pytest.raises(IndexBusy):
                index.delete(["thing"])
            assert index.count() == 0

            other.wait_merging_threads()
            assert index.upsert([THING]) == 1

    def test_waits_for_another_writer(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path, writer_wait=30) as index:
            other = tantivy.Index.open(str(tmp_path / HOME)).writer()
            threading.Timer(0.1, other.wait_merging_threads).start()

            assert index.upsert([THING]) == 1

    def test_busy_when_another_thread_stays(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path, writer_wait=0.05) as index:

            def nested() -> Iterator[Document]:
                yield THING
                with pytest.raises(IndexBusy):
                    index.upsert([THING])

            assert index.upsert(nested()) == 1

    def test_small_writes_do_not_pile_up_segments(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path) as index:
            for number in range(40):
                index.upsert([Document(id=str(number), title=f"Thing {number}")])
            assert index.count() == 40

        home = tmp_path / HOME
        assert tantivy.Index.open(str(home)).searcher().num_segments < 10
        assert len(list(home.iterdir())) < 150


class TestFolder:
    def test_is_made_with_its_parents(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path / "a" / "b") as index:
            assert index.count() == 0

    def test_of_a_new_disk_is_empty_enough(self, tmp_path: Path) -> None:
        (tmp_path / "lost+found").mkdir()
        (tmp_path / ".new-interrupted").mkdir()

        with TantivyIndex(tmp_path) as index:
            assert index.upsert([THING]) == 1

    def test_with_other_files_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.odt").write_text("years of work")

        with pytest.raises(IndexUnavailable, match=r"holds other files \(thesis\.odt\); choose an empty folder"):
            TantivyIndex(tmp_path)

        assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.odt"]

    def test_with_another_index_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / HOME).mkdir()
        (tmp_path / HOME / "meta.json").write_text("{}")

        with pytest.raises(IndexUnavailable, match="not Sayseek's"):
            TantivyIndex(tmp_path)

    def test_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with pytest.raises(IndexUnavailable, match="cannot hold an index"):
            TantivyIndex(tmp_path / "file")

    def test_of_another_format(self, tmp_path: Path) -> None:
        TantivyIndex(tmp_path).close()
        (tmp_path / HOME / FORMAT_FILE).write_text("tantivy 0")

        with pytest.raises(IndexUnavailable, match=r'format "tantivy 0".* delete it and index the catalogue again'):
            TantivyIndex(tmp_path)

    def test_damaged(self, tmp_path: Path) -> None:
        TantivyIndex(tmp_path).close()
        (tmp_path / HOME / "meta.json").write_text("gone")

        with pytest.raises(IndexUnavailable, match="cannot be read"):
            TantivyIndex(tmp_path)

    def test_deleted_under_an_open_index(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path) as index:
            (tmp_path / HOME).rename(tmp_path / "elsewhere")

            with pytest.raises(IndexUnavailable, match="cannot be read"):
                index.search("thing")

    def test_that_may_not_be_written(self, tmp_path: Path) -> None:
        """It was said to be damaged, with the advice to delete it."""
        if os.getuid() == 0:
            pytest.skip("root may write everywhere")
        TantivyIndex(tmp_path).close()
        (tmp_path / HOME).chmod(0o555)
        try:
            with pytest.raises(IndexUnavailable, match=r"cannot be written.* let the user that this runs as write"):
                TantivyIndex(tmp_path)
        finally:
            (tmp_path / HOME).chmod(0o755)
