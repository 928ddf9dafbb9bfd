"""A browser at the page, with a recording as its microphone."""

import json
import shutil
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.listening import RATE, Pcm, recording, silence

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if not CHROMIUM:
    pytest.skip("no browser to look at the page with: apt install chromium", allow_module_level=True)

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
WAIT = 30_000  # milliseconds after which a test has failed
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

# What is on the page after every change of it: the words, and how many results.
OBSERVE = """addEventListener("DOMContentLoaded", () => {
  window.seen = [];
  const look = () => window.seen.push({
    words: document.getElementById("words").textContent,
    results: document.querySelectorAll("#results li").length,
  });
  new MutationObserver(look).observe(document.querySelector("main"), {subtree: true, childList: true});
});"""


@dataclass
class Visit:
    """A page that is open, and all that went over the wire."""

    page: Any
    requests: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)  # text messages, both ways
    audio_bytes: int = 0
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", self._follow)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _follow(self, socket: Any) -> None:
        self.requests.append(socket.url)
        socket.on("framesent", self._note_sent)
        socket.on("framereceived", lambda data: self.told.append(json.loads(data)))

    def _note_sent(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self.audio_bytes += len(data)
        else:
            self.told.append(json.loads(data))

    def tap(self) -> None:
        """Press the button to speak, or to stop."""
        self.page.click("#talk")

    def see(self, selector: str, text: str = "") -> Any:
        """Wait until this is to be seen, with this text."""
        found = self.page.locator(selector)
        sync_api.expect(found).to_be_visible(timeout=WAIT)
        sync_api.expect(found).to_contain_text(text, timeout=WAIT)
        return found

    def see_state(self, state: str) -> None:
        self.see(f'body[data-state="{state}"]')

    @property
    def titles(self) -> list[str]:
        titles: list[str] = self.page.locator("#results h3").all_inner_texts()
        return titles

    @property
    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def browser(playwright: Any, *flags: str, may_listen: bool = True, **context: Any) -> Iterator[Any]:
    """A browser's empty page. Unless it `may_listen`, the microphone is refused to pages."""
    allowed = ["--use-fake-ui-for-media-stream"] if may_listen else []
    started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *allowed, *flags])
    try:
        page = started.new_context(viewport=PHONE, locale="en", **context).new_page()
        page.set_default_timeout(WAIT)
        page.add_init_script(OBSERVE)
        yield page
    finally:
        started.close()


@contextmanager
def visit(playwright: Any, address: str, said: Pcm | None, folder: Path, **context: Any) -> Iterator[Visit]:
    """The page, in a browser that hears `said`, and after it silence; no microphone is there where that is None."""
    flags = []
    if said is not None:
        file = folder / "said.wav"
        write_wav(file, said)
        flags = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={file}%noloop"]
    with browser(playwright, *flags, **context) as page:
        visited = Visit(page)
        page.goto(address)
        yield visited
        assert visited.errors == []


def write_wav(path: Path, pcm: Pcm) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())


def spoken(*samples: Path, before: float = 1.5, after: float = 3.0) -> Pcm:
    """Samples, with seconds of silence before them and after each."""
    parts = [silence(before)]
    for path in samples:
        parts += [recording(path), silence(after)]
    return np.concatenate(parts)
