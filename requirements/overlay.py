"""A throw-away environment over the one at hand: what is installed in it comes first, all else is lent from beneath."""

import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent

# These meet most dependencies within a minute or two: they need neither PostgreSQL nor, but for the API, a model.
TESTS = [
    "tests/vad/test_clip_detector.py",
    "tests/vad/test_voicing.py",
    "tests/clients/command/test_asking.py",
    "tests/clients/command/test_cli.py::test_an_environment_that_cannot_be_used_is_told",
    "tests/clients/command/test_cli.py::test_ctrl_c_leaves_at_once_and_quietly",
    "tests/clients/command/test_cli.py::test_errors_are_objects_in_the_same_stream",
    "tests/clients/command/test_cli.py::test_no_server",
    "tests/clients/command/test_cli.py::test_people_read_what_was_heard_and_found",
    "tests/clients/command/test_cli.py::test_standard_input",
    "tests/clients/test_client.py",
    "tests/clients/sound/test_microphone.py",
    "tests/clients/test_public_names.py",
    "tests/clients/live/test_stream.py",
    "tests/search/catalogue/test_document.py",
    "tests/search/tantivy/test_index.py",
    "tests/server/test_api.py",
    "tests/server/protocols/test_http.py",
    "tests/server/routes/test_page.py",
    "tests/server/test_settings.py",
    "tests/server/protocols/test_websocket.py",
    "tests/asr/audio/test_decode.py",
    "tests/asr/whisper/test_tokenizer.py",
]
SLOW = ["Killed", "arithmetic", "drips", "hours", "key_is_asked", "million_parts", "misheard", "replicas"]
SLOW += ["servers_own", "silence_that", "takes_long", "where_the_index_is"]


class Overlay:
    """An environment in a folder, which is emptied first, over that of the running Python."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, symlinks=True)
        self.folder = folder
        self.python = str(folder / "bin" / "python")
        (site_packages,) = (folder / "lib").glob("python3.*/site-packages")
        (site_packages / "beneath.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")

    def install(self, *arguments: str) -> str:
        """What went wrong, if anything did."""
        return self._run("pip", "install", "--disable-pip-version-check", "--quiet", *arguments)

    def test(self) -> str:
        """Start the server's command, then run the quick tests: what failed twice, if anything did."""
        failed = self._run("server.command.cli", "serve", "--help")
        kept, chosen = f"cache_dir={self.folder / 'cache'}", f"not ({' or '.join(SLOW)})"
        pytest = ["pytest", "-o", kept, "--tb=short", "-k", chosen]
        return failed or (self._run(*pytest, *TESTS) and self._run(*pytest, "--last-failed", *TESTS))

    def _run(self, module: str, *arguments: str) -> str:
        command = [self.python, "-m", module, *arguments]
        done = subprocess.run(command, text=True, capture_output=True, check=False, cwd=ROOT)
        return done.stdout + done.stderr if done.returncode else ""
