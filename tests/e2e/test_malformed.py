"""Damaged and hostile uploads: an honest answer to each, and a server that is as it was."""

import psutil

from asr.audio.decode import Samples
from tests.asr.recordings import with_sndfile
from tests.e2e.conftest import Server, StartServer
from tests.e2e.malformed import Upload, malformed_uploads


def test_500_malformed_uploads_are_answered_honestly(start_server: StartServer, speech: Samples) -> None:
    uploads = list(malformed_uploads(speech, 500))
    with start_server(model="tiny.en", sample_catalogue="false") as server:
        throw_malformed(server, uploads[:100])  # until then buffers of lengths that are new to it are kept
        before = megabytes(server)
        throw_malformed(server, uploads[100:])
        assert megabytes(server) - before < 100
        assert server.ask(with_sndfile(speech, "WAV")).json()["transcript"]["text"]


def megabytes(server: Server) -> float:
    return float(psutil.Process(server.process.pid).memory_info().rss) / 2**20


def throw_malformed(server: Server, uploads: list[Upload]) -> None:
    refused = heard = 0
    for name, data in uploads:
        response = server.ask(data, limit=1, alternatives=0)
        if response.status_code == 200:
            heard += 1
            assert set(response.json()) >= {"transcript", "quality", "results"}, name
        else:
            refused += 1
            assert response.status_code in (400, 413), (name, response.status_code, response.text)
            error = response.json()["error"]
            assert error["message"], name
            assert error["code"] in ("invalid_audio", "audio_too_long", "upload_too_large"), (name, error)
    assert refused > len(uploads) / 5
    assert heard > len(uploads) / 10
