"""The names that the decoder knows are those of the catalogue, also when it has changed."""

import time
from pathlib import Path

from asr.decoding.contextual_bias import BiasState, PhraseTrie
from asr.whisper.checkpoints import Checkpoint
from pipeline.expected_names import CatalogueHotwords
from search.catalogue.document import Document
from search.index import SearchIndex
from search.opening import open_index

WAIT = 20.0  # seconds after which a test has failed


def knows(trie: PhraseTrie | None, checkpoint: Checkpoint, name: str) -> bool:
    if trie is None:
        return False
    earned = BiasState(trie)
    for token in checkpoint.tokenizer.encode(name):
        earned = earned.after(token, continues_word=token in checkpoint.tokenizer.spelling)
    return earned.whole > 0


def put(index: SearchIndex, *titles: str) -> None:
    index.upsert(Document(id=title, title=title) for title in titles)


def test_names_follow_the_catalogue(tiny_en: Checkpoint, tmp_path: Path) -> None:
    with open_index(f"tantivy:{tmp_path}/index") as index:
        names = CatalogueHotwords(index, tiny_en.tokenizer, limit=3)
        names.read()
        assert names.trie is None
        put(index, "Reykjavík", "Oslo")
        deadline = time.monotonic() + WAIT
        while not knows(names.trie, tiny_en, "hotels in Reykjavik"):
            assert time.monotonic() < deadline
        assert knows(names.trie, tiny_en, "oslo")
        assert not knows(names.trie, tiny_en, "Bergen")


def test_of_a_catalogue_with_more_than_the_limit_none_are_known(tiny_en: Checkpoint, tmp_path: Path) -> None:
    with open_index(f"tantivy:{tmp_path}/index") as index:
        put(index, "Reykjavík", "Oslo")
        for limit, known in ((2, True), (1, False), (0, False)):
            names = CatalogueHotwords(index, tiny_en.tokenizer, limit)
            names.read()
            assert knows(names.trie, tiny_en, "Oslo") is known
