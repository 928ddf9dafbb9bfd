"""The page at /, in a browser, against the real server: what is said appears, is found, and all that can go wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.e2e.browsing import DESKTOP, PHONE, Visit, browser, silence, spoken, sync_api, visit
from tests.e2e.conftest import Server, StartServer
from tests.e2e.listening import listening, recording

Open = Callable[..., "contextmanager[Visit]"]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def at(playwright: Any, tmp_path: Path) -> Open:
    """Visit an address, with something to say."""

    def visiting(address: str, said: Any = None, **context: Any) -> Any:
        return visit(playwright, address, said, tmp_path, **context)

    return visiting


@pytest.fixture(scope="module")
def toronto(sample_files: list[Path]) -> Path:
    return next(path for path in sample_files if "toronto" in path.name)


@pytest.fixture(scope="module")
def copenhagen(sample_files: list[Path]) -> Path:
    return next(path for path in sample_files if "copenhagen" in path.name)


@pytest.fixture(scope="module")
def guarded(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that needs a key, takes one listener and has two catalogues."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "all.toml").write_text('[catalogues.places]\nindex = "places"\n[catalogues.teas]\nindex = "teas"\n')
    with start_server(folder, model="tiny.en", api_key="sesame", max_listeners=1, catalogues="all.toml") as server:
        for index, titles in {"places": ("Toronto", "Oslo"), "teas": ("Oslo Blend", "Sencha")}.items():
            httpx.put(
                f"{server.address}/v1/documents?index={index}",
                json=[{"id": title, "title": title} for title in titles],
                headers={"Authorization": "Bearer sesame"},
            ).raise_for_status()
        yield server


def test_words_appear_while_they_are_said_and_then_the_right_results(
    server: Server, at: Open, toronto: Path, copenhagen: Path
) -> None:
    """A final is waited for shorter than its own recognition takes, which begins before the page says Finalize."""
    said = spoken(toronto, copenhagen)
    ready = 'sayseek_speculative_finals_total{outcome="used"}'
    before = server.metric(ready)
    with at(server.address, said) as visited:
        visited.see("#privacy")
        visited.tap()
        visited.see("#results li:first-child h3", "Toronto")
        visited.see("#results li:first-child h3", "Copenhagen")
        visited.see("#earlier", "toronto")
        visited.tap()
        visited.see_state("idle")
        seen = visited.page.evaluate("window.seen")
    growing = {moment["words"] for moment in seen if moment["results"] == 0} - {"", "…"}
    assert len(growing) >= 2
    kinds = ["interim" if told.get("is_final") is False else told["type"] for told in visited.told]
    assert kinds.index("interim") < kinds.index("Finalize")
    assert kinds.count("Finalize") == 2
    assert server.metric(ready) == before + 2
    timings = [told["timings"] for told in visited.told if told.get("is_final")]
    assert all(timing["wait_ms"] < timing["encode_ms"] + timing["decode_ms"] for timing in timings)
    assert kinds[-2:] == ["CloseStream", "Metadata"]
    assert 0 < visited.audio_bytes < 0.7 * said.nbytes
    ours = (server.address, server.address.replace("http", "ws", 1))
    assert [address for address in visited.requests if not address.startswith(ours)] == []


def test_without_its_detector_the_page_sends_all_and_the_server_finds_the_speech(
    server: Server, at: Open, toronto: Path
) -> None:
    said = spoken(toronto)
    with at(server.address, said) as visited:
        visited.page.route("**/libfvad.wasm", lambda route: route.fulfill(status=404))
        visited.page.reload()
        visited.tap()
        visited.see("#results li:first-child h3", "Toronto")
        assert visited.page.locator("#privacy").is_hidden()
        visited.tap()
        visited.see_state("idle")
    assert visited.audio_bytes > 0.5 * said.nbytes
    assert not any(told["type"] == "Finalize" for told in visited.told)


def test_who_holds_the_button_is_heard_until_letting_go(server: Server, at: Open, toronto: Path) -> None:
    with at(server.address, spoken(toronto, before=0.5, after=10)) as visited:
        visited.page.hover("#talk")
        visited.page.mouse.down()
        visited.see("#words", "Toronto")
        visited.page.mouse.up()
        visited.see_state("idle")
        visited.see("#results li:first-child h3", "Toronto")


def test_of_what_was_not_heard_well_the_page_asks_before_it_searches(
    start_server: StartServer, tmp_path: Path, at: Open, toronto: Path
) -> None:
    """To a server that is hardly ever sure; the words may be corrected, and are then searched for."""
    with (
        start_server(tmp_path, model="tiny.en", unsure_below=1.0) as server,
        at(server.address, spoken(toronto)) as visited,
    ):
        visited.tap()
        visited.see("#notice", "not sure what you said")
        assert "Toronto" in visited.page.locator("#query").input_value()
        assert not visited.page.locator("#found").is_visible()
        visited.page.press("#query", "Enter")
        visited.see("#results li:first-child h3", "Toronto")
        assert not visited.page.locator("#notice").is_visible()


def test_the_keyboard_starts_and_stops_and_who_said_nothing_is_told(server: Server, at: Open) -> None:
    with at(server.address, silence(30)) as visited:
        talk = visited.page.get_by_role("button", name="Speak")
        talk.focus()
        visited.page.keyboard.press("Enter")
        visited.see_state("listening")
        assert visited.page.get_by_role("button", name="Stop listening").get_attribute("aria-pressed") == "true"
        visited.page.keyboard.press("Escape")
        visited.see("#notice", "I didn’t hear anything")
        visited.see_state("idle")
        assert visited.audio_bytes == 0


@pytest.mark.parametrize("size", [PHONE, DESKTOP, {"width": 320, "height": 568}], ids=["phone", "desktop", "small"])
def test_who_types_finds_and_nothing_is_wider_than_the_window(server: Server, at: Open, size: dict[str, int]) -> None:
    with at(server.address) as visited:
        visited.page.set_viewport_size(size)
        assert not visited.scrolls_sideways
        visited.tap()
        visited.see("#notice", "No microphone found")
        assert not visited.scrolls_sideways
        visited.page.get_by_role("searchbox").fill("reykjavik")
        visited.page.keyboard.press("Enter")
        visited.see("#results li:first-child mark", "Reykjavík")
        assert visited.page.locator("#notice").is_hidden()
        assert not visited.scrolls_sideways
        visited.page.get_by_role("searchbox").fill("x" * 300)
        visited.page.keyboard.press("Enter")
        visited.see("#caption", "Nothing found")
        assert not visited.scrolls_sideways


def test_who_does_not_allow_the_microphone_can_type(server: Server, playwright: Any) -> None:
    fake = "--use-fake-device-for-media-stream"
    with browser(playwright, fake, "--deny-permission-prompts", may_listen=False) as page:
        visited = Visit(page)
        page.goto(server.address)
        visited.tap()
        visited.see("#notice", "The microphone isn’t allowed")
        visited.see_state("idle")


def test_an_address_that_is_not_secure_is_told_of(server: Server, playwright: Any) -> None:
    with browser(playwright, "--host-resolver-rules=MAP sayseek.test 127.0.0.1") as page:
        visited = Visit(page)
        page.goto(server.address.replace("127.0.0.1", "sayseek.test"))
        visited.tap()
        visited.see("#notice", "The microphone needs a secure address")


def test_a_key_is_asked_for_until_it_is_right_and_kept_for_the_tab(guarded: Server, at: Open, toronto: Path) -> None:
    with at(guarded.address, spoken(toronto, after=20)) as visited:
        visited.tap()
        dialog = visited.see("#key-dialog", "This server needs a key")
        visited.page.get_by_role("button", name="Cancel").click()
        visited.see("#notice", "This server needs a key")
        visited.page.get_by_role("button", name="Enter the key").click()
        visited.page.get_by_label("Key", exact=True).fill("simsalabim")
        visited.page.keyboard.press("Enter")
        visited.see("#key-dialog", "That key was not right")
        visited.page.get_by_label("Key", exact=True).fill("sesame")
        visited.page.keyboard.press("Enter")
        visited.see("#results li:first-child h3", "Toronto")
        sync_api.expect(dialog).to_be_hidden()
        visited.page.reload()
        visited.page.get_by_role("searchbox").fill("oslo")
        visited.page.keyboard.press("Enter")
        visited.see("#results li:first-child h3", "Oslo")
    assert not any("sesame" in address for address in visited.requests)


def test_where_there_are_several_catalogues_one_is_chosen(guarded: Server, at: Open, toronto: Path) -> None:
    with at(guarded.address, spoken(toronto, after=20)) as visited:
        visited.page.evaluate('sessionStorage.setItem("sayseek-key", "sesame")')
        visited.page.reload()
        visited.see("header label", "Search in")
        visited.page.get_by_role("searchbox").fill("oslo")
        visited.page.keyboard.press("Enter")
        visited.see("#results li:first-child h3", "Oslo")
        visited.page.get_by_label("Search in").select_option("teas")
        visited.see("#results li:first-child h3", "Oslo Blend")
        visited.tap()
        visited.see("#caption", "Nothing found")
    spoken_to = [address for address in visited.requests if address.startswith("ws:")]
    assert ["index=teas" in address for address in spoken_to] == [True]


def test_what_is_said_to_a_busy_server_is_answered_when_it_has_time(guarded: Server, at: Open, toronto: Path) -> None:
    with at(guarded.address, spoken(toronto, after=20)) as visited:
        visited.page.evaluate('sessionStorage.setItem("sayseek-key", "sesame")')
        with listening(guarded, {"Authorization": "Token sesame"}):
            visited.tap()
            visited.see("#status", "The server is busy. Trying again")
        visited.see("#results li:first-child h3", "Toronto")


def test_what_is_said_while_the_server_is_gone_is_answered_when_it_is_back(
    start_server: StartServer, at: Open, toronto: Path
) -> None:
    with start_server(model="tiny.en") as first, at(first.address, spoken(toronto, after=30)) as visited:
        visited.see("#privacy")  # all is loaded
        first.stop()
        visited.page.get_by_role("searchbox").fill("oslo")
        visited.page.keyboard.press("Enter")
        visited.see("#notice", "The server can’t be reached")
        visited.tap()
        visited.see("#status", "The server is gone. Trying again")
        with start_server(first.folder, model="tiny.en", port=first.address.rsplit(":", 1)[1]):
            visited.see("#results li:first-child h3", "Toronto")


@pytest.mark.parametrize("detects", [True, False])
def test_an_utterance_is_heard_whole_though_the_server_goes_down_within_it(
    start_server: StartServer, at: Open, toronto: Path, copenhagen: Path, detects: bool
) -> None:
    parts = [np.trim_zeros(recording(path)) for path in (toronto, copenhagen, toronto)]
    said = np.concatenate((silence(1.5), *parts, silence(30)))
    with start_server(model="tiny.en") as first, at(first.address, said) as visited:
        if not detects:
            visited.page.route("**/libfvad.wasm", lambda route: route.fulfill(status=404))
            visited.page.reload()
        visited.tap()
        visited.see("#open", "offee")
        first.stop()
        with start_server(first.folder, model="tiny.en", port=first.address.rsplit(":", 1)[1]):
            visited.see("#results li:first-child h3")
            whole = visited.page.locator("#words").inner_text()
            seen = visited.page.evaluate("window.seen")
    finals = [told for told in visited.told if told.get("is_final")]
    assert [final.get("cut_off", False) for final in finals] == [True, False]
    assert all(moment["words"] == whole for moment in seen if moment["results"])
    assert whole.count("Toronto") == 2
    assert "Copenhagen" in whole
