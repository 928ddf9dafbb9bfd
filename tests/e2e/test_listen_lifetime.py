"""What cannot be answered; SIGTERM while somebody speaks: what was said is answered, then the close is 1001."""

from pathlib import Path

import numpy as np

from tests.e2e.conftest import StartServer
from tests.e2e.listening import listening, recording, text


def test_finals_are_delivered_before_the_server_goes(start_server: StartServer, sample_files: list[Path]) -> None:
    with start_server(model="tiny.en", sample_catalogue="false") as server:
        with listening(server, interim_results="true") as listener, listening(server) as idle:
            listener.send(recording(sample_files[0]).tobytes() * 3)
            listener.tell("KeepAlive")
            listener.next("Results")
            assert server.stop() == 0
            assert listener.rest() == 1001
            assert idle.rest() == 1001
        assert text(listener.finals[-1])
        assert [message["type"] for message in idle.messages] == ["Metadata", "Metadata"]
        assert listener.messages[-1]["type"] == "Metadata"
        assert "Traceback" not in "".join(server.log)
        assert "ERROR" not in "".join(server.log)


def test_the_deadline_holds_for_listeners_too(start_server: StartServer, sample_files: list[Path]) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", shutdown_timeout=0) as server:
        with listening(server, endpointing="false") as listener:
            for _ in range(3):
                listener.send(np.tile(recording(sample_files[0]), 9).tobytes(), 64_000)
                listener.tell("Finalize")
            assert server.stop() == 0
            assert listener.rest() in (1001, 1006)
        assert "Traceback" not in "".join(server.log)


def test_what_cannot_be_answered_in_time_is_an_error_and_an_empty_final(
    start_server: StartServer, sample_files: list[Path]
) -> None:
    """Also then, every Finalize gets its final, and the next utterance its chance."""
    with (
        start_server(model="tiny.en", sample_catalogue="false", answer_timeout=0.001) as server,
        listening(server, endpointing="false") as listener,
    ):
        for _ in range(2):
            listener.send(recording(sample_files[0]).tobytes())
            listener.tell("Finalize")
            assert listener.next()["error"]["code"] == "overloaded"
            final = listener.next()
            assert (final["type"], final["from_finalize"], text(final)) == ("Results", True, "")
        assert listener.close_stream() == 1000
    assert "Traceback" not in "".join(server.log)


def test_the_owner_may_ask_for_what_is_said_in_the_log(start_server: StartServer, sample_files: list[Path]) -> None:
    with start_server(model="tiny.en", sample_catalogue="false", log_transcripts="true") as server:
        with listening(server, endpointing="false") as listener:
            listener.send(recording(sample_files[0]).tobytes())
            assert listener.close_stream() == 1000
        assert server.stop() == 0
        assert repr(text(listener.finals[0])) in "".join(server.log)
