"""What the embedded index promises beyond the protocol: durability, several processes, its folder."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tantivy

from search.catalogue.document import Document
from search.errors import IndexBusy, IndexUnavailable
from search.result import SearchOptions
from search.tantivy.folder import FORMAT_FILE, HOME
from search.tantivy.index import TantivyIndex
from search.tantivy.view import View
from tests.search.killed_writer import KilledWriter, everything, writing_process

THING = Document(id="thing", title="Thing")


class TestKilled:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_hundred_times(self, tmp_path: Path, seed: int) -> None:
        """Half of them with each seed. What was acknowledged is there, and of what was not all or nothing.

        A file that one left had the name of one that the next wrote, who could not commit.
        """
        folder = tmp_path / "index"
        with writing_process(folder, seed) as process, TantivyIndex(tmp_path / "index") as reader:
            writer = KilledWriter(process, seed)
            for _ in range(50):
                writer.work_and_die()

                with TantivyIndex(folder) as index:
                    found = everything(index)
                assert found in writer.states
                assert everything(reader) == found
                writer.go_on_from(found)

        with TantivyIndex(folder, writer_wait=0) as index:
            index.replace([THING])
            assert everything(index) == everything(index) == {"thing": ""}
        assert sorted(entry.name for entry in folder.iterdir()) == sorted([os.readlink(folder / HOME), HOME])

    @pytest.mark.parametrize("call", ["upsert", "replace"])
    def test_unfinished_call_leaves_nothing(self, tmp_path: Path, call: str) -> None:
        with TantivyIndex(tmp_path) as index:
            index.upsert([THING])

        with writing_process(tmp_path, 0, call) as process:
            assert process.stdout
            for _ in range(5000):
                process.stdout.readline()
            process.kill()

        with TantivyIndex(tmp_path, writer_wait=0) as index:
            assert [result.id for result in index.search("thing").results] == ["thing"]
            assert index.upsert([Document(id="other", title="Thing")]) == 1
            assert index.count() == 2

    def test_while_it_is_made(self, tmp_path: Path) -> None:
        for seed in range(10):
            folder = tmp_path / str(seed)
            with writing_process(folder, seed) as process:
                writer = KilledWriter(process, seed)
                writer.work_and_die()

            with TantivyIndex(folder) as index:
                assert everything(index) in writer.states


class TestReplacing:
    """While a catalogue is replaced; `halfway` is somebody's who has read a part of it."""

    @pytest.fixture
    def halfway(self) -> Iterator["Halfway"]:
        halfway = Halfway()
        yield halfway
        halfway.go_on.set()

    def test_others_write_before_or_after(self, tmp_path: Path, halfway: "Halfway") -> None:
        with TantivyIndex(tmp_path) as index, TantivyIndex(tmp_path) as other, ThreadPoolExecutor(3) as pool:
            replacing = pool.submit(index.replace, halfway.documents())
            assert halfway.reached.wait(10)
            waiting = [
                pool.submit(one.upsert, [Document(id=name, title="Thing")])
                for name, one in (("a", index), ("b", other))
            ]
            halfway.go_on.set()

            assert replacing.result() == 2
            assert [write.result() for write in waiting] == [1, 1]
            assert everything(index).keys() == everything(other).keys() == {"1", "2", "a", "b"}

    def test_others_may_not_want_to_wait(self, tmp_path: Path, halfway: "Halfway") -> None:
        with TantivyIndex(tmp_path) as index, TantivyIndex(tmp_path, writer_wait=0.01) as other:
            with ThreadPoolExecutor(1) as pool:
                replacing = pool.submit(index.replace, halfway.documents())
                assert halfway.reached.wait(10)
                for write in (other.upsert, other.replace):
                    with pytest.raises(IndexBusy, match="try again"):
                        write([THING])
                halfway.go_on.set()
                replacing.result()

            assert other.upsert([THING]) == 1

    def test_nobody_takes_what_is_not_finished_for_a_leftover(self, tmp_path: Path, halfway: "Halfway") -> None:
        with TantivyIndex(tmp_path) as index, ThreadPoolExecutor(1) as pool:
            replacing = pool.submit(index.replace, halfway.documents())
            assert halfway.reached.wait(10)
            with TantivyIndex(tmp_path, writer_wait=0.01) as other:
                assert everything(other) == {}
                with pytest.raises(IndexBusy):
                    other.delete(["1"])
            halfway.go_on.set()

            assert replacing.result() == 2
            assert everything(index).keys() == {"1", "2"}

    def test_between_the_look_and_the_lock_of_another_writer(self, tmp_path: Path) -> None:
        """Who found the folder that was current a moment ago half deleted was once told that it cannot be written."""

        class Late(TantivyIndex):
            hindrances: Iterator[Callable[[], object]] = iter(())

            def _current(self) -> View:
                view = super()._current()
                next(self.hindrances, lambda: None)()
                return view

        with Late(tmp_path) as late, TantivyIndex(tmp_path) as other:
            late.hindrances = iter([lambda: other.replace([THING])])
            assert late.upsert([Document(id="late", title="Thing")]) == 1

            assert everything(other) == {"thing": "", "late": ""}

    def test_what_is_half_deleted_is_not_read(self, tmp_path: Path) -> None:
        """Tantivy opens what has lost some files without a word: a search once failed on it later."""

        class Late(TantivyIndex):
            hindrances: Iterator[Callable[[Path], object]] = iter(())

            def _reloaded(self, generation: Path, meta: bytes) -> View:
                next(self.hindrances, lambda _: None)(generation)
                return super()._reloaded(generation, meta)

        def replaced(generation: Path) -> None:
            shutil.copytree(generation, tmp_path / "copy")
            other.replace([Document(id="new", title="Thing")])
            shutil.copytree(tmp_path / "copy", generation, ignore=shutil.ignore_patterns("*.pos"))

        folder = tmp_path / "index"
        with Late(folder) as late, TantivyIndex(folder) as other:
            other.upsert([THING])
            late.hindrances = iter([replaced])

            assert everything(late) == {"new": ""}

    def test_leftovers_go_with_the_next_write(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path) as index:
            index.upsert([THING])
            (tmp_path / ".generation-1").mkdir()
            (tmp_path / ".generation-1" / "file").write_text("a part")
            (tmp_path / ".link-1").symlink_to(".generation-1")

            assert everything(index) == {"thing": ""}
            assert (tmp_path / ".generation-1").exists()
            index.upsert([THING])

        assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([os.readlink(tmp_path / HOME), HOME])

    def test_what_was_found_before_is_still_read(self, tmp_path: Path) -> None:
        """A search that has begun goes on in what it began in, though that is deleted."""
        with TantivyIndex(tmp_path) as index:
            index.upsert([THING])
            view = index._current()
            index.replace([])

            assert not view.generation.exists()
            assert [result.id for result in view.search("thing", SearchOptions()).results] == ["thing"]


class Halfway:
    """Two documents, of which the second comes when `go_on` is set."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def documents(self) -> Iterator[Document]:
        yield Document(id="1", title="Thing")
        self.reached.set()
        assert self.go_on.wait(10)
        yield Document(id="2", title="Thing")


class TestSharing:
    def test_other_process_writes_while_this_one_is_open(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path) as index:
            index.upsert([THING])
            with writing_process(tmp_path, 1) as process:
                writer = KilledWriter(process, 1)
                for _ in range(3):
                    writer.work_and_die()
                    assert everything(index) in writer.states
                    writer.go_on_from(everything(index))
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

    def test_copied_with_its_link_followed(self, tmp_path: Path) -> None:
        with TantivyIndex(tmp_path / "index") as index:
            index.upsert([Document(id="1", title="Thing")])
        shutil.copytree(tmp_path / "index", tmp_path / "copy")

        with pytest.raises(IndexUnavailable, match="has to be a link") as caught:
            TantivyIndex(tmp_path / "copy")

        subprocess.run(str(caught.value).partition("Mend it with: ")[2], shell=True, check=True)
        with TantivyIndex(tmp_path / "copy") as index:
            assert index.count() == 1

    @pytest.mark.parametrize("is_link", [True, False])
    def test_of_another_format(self, tmp_path: Path, is_link: bool) -> None:
        """Before there were links, an index was a folder: who updated was once told to have copied it."""
        if is_link:
            TantivyIndex(tmp_path).close()
        else:
            (tmp_path / HOME).mkdir()
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
