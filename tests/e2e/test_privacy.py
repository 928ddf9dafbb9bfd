"""Nothing that was said is kept: not on disk, not in the log, unless the owner asks for it."""

from pathlib import Path

import httpx
import numpy as np

from tests.asr.recordings import with_sndfile
from tests.e2e.conftest import StartServer


def files_with(folder: Path, needle: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes().lower()]


def test_neither_audio_nor_words_are_kept(start_server: StartServer, speech, sample_files) -> None:
    with start_server(model="tiny.en", sample_catalogue="false") as server:
        large = with_sndfile(np.pad(speech, 16_000 * 20), "WAV", "PCM_32")
        heard = server.ask(large).json()
        words = heard["query"].split()
        assert words
        httpx.get(f"{server.address}/v1/search", params={"q": "confidential typed words"})
        server.ask(b"RIFF broken")
        assert server.stop() == 0
        log = "".join(server.log).lower()
        for word in [*words, "confidential"]:
            assert len(word) < 4 or word not in log
        assert files_with(server.folder / "tmp", b"") == []
        middle = len(large) // 2  # where the speech is
        assert len(set(large[middle : middle + 100])) > 20
        assert files_with(server.folder, large[middle : middle + 100].lower()) == []
        assert files_with(server.folder, words[-1].encode()) == []


def test_the_owner_may_ask_for_transcripts_in_the_log(start_server: StartServer, sample_files) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", log_transcripts="true") as server:
        text = server.ask(sample_files[0].read_bytes()).json()["transcript"]["text"]
        assert server.stop() == 0
        assert text in "".join(server.log)
