"""What people import, and what that must not pull in."""

import subprocess
import sys

import sayseek


def test_the_public_names() -> None:
    assert sorted(sayseek.__all__) == [
        "Alternative",
        "AsyncClient",
        "Busy",
        "Client",
        "Event",
        "Failure",
        "Final",
        "Interim",
        "Interruption",
        "InvalidRequest",
        "MalformedAnswer",
        "MicrophoneUnavailable",
        "NotAuthorized",
        "NotFound",
        "Quality",
        "Result",
        "RetryOptions",
        "SayseekError",
        "SearchAnswer",
        "ServerError",
        "ServerTimeout",
        "ServerUnreachable",
        "SpeechStarted",
        "Stream",
        "Transcript",
        "UnreadableRecording",
        "UtteranceEnd",
        "VoiceSearchAnswer",
        "Word",
    ]
    assert all(hasattr(sayseek, name) for name in sayseek.__all__)


def test_the_edge_needs_nothing_of_the_server() -> None:
    program = "import sys, sayseek, clients.command.cli; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"clients", "vad", "httpx"} <= loaded
    assert not loaded & {"asr", "search", "server", "torch", "fastapi", "starlette", "pydantic", "av", "tantivy"}
