"""The page's detector, endpointer and worklet, in a browser: they decide as `vad` does."""

import base64
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from tests.e2e.browsing import browser, spoken, sync_api
from tests.e2e.conftest import Server
from tests.e2e.listening import RATE, Pcm
from vad.endpointer import Endpointer, EndpointerOptions, SpeechStarted, UtteranceEnded
from vad.frames import FRAME_SAMPLES
from vad.live_detector import Decision, VoiceDetector
from vad.utterances import UtteranceCutter, pcm16

OPTIONS = ("pre_roll", "hangover", "patience", "post_roll", "shortest", "longest", "onset_votes", "onset_window")

FETCH = """
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const wasm = await (await fetch("/web/audio/libfvad.wasm")).arrayBuffer();
"""
DETECT = (
    "async (audio) => {"
    + FETCH
    + """
  const {VoiceDetector} = await import("/web/audio/detector.js");
  const detector = new VoiceDetector(wasm);
  const samples = new Int16Array(bytes(audio));
  const decisions = [];
  for (let at = 0; at < samples.length; at += 320) decisions.push(detector.decide(samples.slice(at, at + 320)));
  return decisions;
}"""
)
ENDPOINT = """async ([options, decisions]) => {
  const {Endpointer} = await import("/web/audio/endpointer.js");
  const endpointer = new Endpointer(options);
  const kinds = [{}, {isSpeech: true}, {isTentative: true}];
  const events = decisions.flatMap((kind) => endpointer.push(kinds[kind]));
  return [...events, ...endpointer.flush()];
}"""
SPEAK = """async (decisions) => {
  const {SpeechOnly} = await import("/web/audio/speech.js");
  const kinds = [{}, {isSpeech: true}, {isTentative: true}];
  const speech = new SpeechOnly({decide: (frame) => kinds[decisions[frame]]});
  const utterances = [];
  for (const frame of decisions.keys()) {
    for (const {type, frame: given} of speech.push(frame)) {
      if (type === "started") utterances.push([]);
      if (type === "audio") utterances.at(-1).push(given);
    }
  }
  return utterances;
}"""
CAPTURE = (
    "async ([audio, rate]) => {"
    + FETCH
    + """
  const samples = new Float32Array(bytes(audio));
  const context = new OfflineAudioContext(1, samples.length, rate);
  await context.audioWorklet.addModule("/web/audio/worklet.js");
  const node = new AudioWorkletNode(context, "capture", {processorOptions: {wasm}});
  const utterances = [];
  const frames = Math.floor((samples.length - 1000) / rate / 0.02);
  const heard = new Promise((resolve) => {
    let levels = 0;
    node.port.onmessage = ({data: {level, given = []}}) => {
      for (const {type, frame} of given) {
        if (type === "started") utterances.push([]);
        if (type === "audio") utterances.at(-1).push(...frame);
      }
      if (level !== undefined && ++levels === frames) resolve();
    };
  });
  const source = new AudioBufferSourceNode(context, {buffer: context.createBuffer(1, samples.length, rate)});
  source.buffer.copyToChannel(samples, 0);
  source.connect(node).connect(context.destination);
  source.start();
  await context.startRendering();
  await heard;
  return utterances;
}"""
)


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright, browser(playwright) as page:
        page.goto(server.address)
        yield page


@pytest.fixture(scope="module")
def options(page: Any) -> EndpointerOptions:
    """The page's own."""
    theirs = page.evaluate('async () => (await import("/web/audio/endpointer.js")).OPTIONS')
    return EndpointerOptions(**{name: theirs[_camel(name)] for name in OPTIONS})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize("words", [(1000, 600), (1366, 100)])
def test_of_an_utterance_that_is_cut_each_frame_is_given_once(page: Any, words: tuple[int, int]) -> None:
    """Also where the cut is in the pause that is on, and frames of it are held back."""
    decisions = [0] * 100 + [1] * words[0] + [0] * 28 + [1] * words[1] + [0] * 100
    cut, rest = page.evaluate(SPEAK, decisions)
    assert cut + rest == list(range(90, len(decisions) - 100 + 15))
    assert len(cut) <= 1400


def _in_javascript(decision: Decision) -> dict[str, bool]:
    return {_camel(name): value for name, value in decision._asdict().items()}


def encoded(samples: np.ndarray) -> str:
    return base64.b64encode(samples.tobytes()).decode()


@pytest.fixture(scope="module")
def said(sample_files: list[Path]) -> Pcm:
    """All samples, the second half of them in noise."""
    pcm = spoken(*sample_files, before=1, after=1.2)
    noise = np.random.default_rng(7).normal(0, 1, len(pcm)) * np.linspace(0, 600, len(pcm))
    mixed = pcm16(((pcm + noise) / 32768).astype(np.float32))
    return mixed[: len(mixed) // FRAME_SAMPLES * FRAME_SAMPLES]


@pytest.mark.parametrize("loudness", [1, 0.02])
def test_the_detector_decides_as_python_does(page: Any, said: Pcm, loudness: float) -> None:
    pcm = np.round(loudness * said).astype("<i2")
    ours = VoiceDetector().decide(pcm.reshape(-1, FRAME_SAMPLES))
    assert 0.1 < np.mean([decision.is_speech for decision in ours]) < 0.9
    assert any(decision.is_tentative for decision in ours)
    assert page.evaluate(DETECT, encoded(pcm)) == [_in_javascript(decision) for decision in ours]


@pytest.mark.parametrize("seed", range(3))
def test_the_endpointer_decides_as_python_does(page: Any, options: EndpointerOptions, seed: int) -> None:
    chance = random.Random(seed)
    runs = ((chance.randrange(3), int(chance.expovariate(1 / chance.choice((3, 30, 400))))) for _ in range(1500))
    decisions = [kind for kind, length in runs for _ in range(length)]  # silence, speech, tentative
    endpointer = Endpointer(options, 0.02)
    events = [event for kind in decisions for event in endpointer.push(kind == 1, is_tentative=kind == 2)]
    events += endpointer.flush()
    expected: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, SpeechStarted):
            expected.append({"type": "started", "start": event.start})
        elif isinstance(event, UtteranceEnded):
            expected.append({"type": "ended", "start": event.start, "end": event.end})
    assert len(expected) > 100
    theirs = {_camel(name): value for name, value in asdict(options).items() if name in OPTIONS}
    assert page.evaluate(ENDPOINT, [theirs, decisions]) == expected


def test_the_worklet_gives_the_utterances_that_python_cuts(page: Any, said: Pcm, options: EndpointerOptions) -> None:
    expected = [utterance.samples.tolist() for utterance in UtteranceCutter(options).push(said)]
    assert len(expected) >= 8
    samples = (np.concatenate((said, np.zeros(RATE, "<i2"))) / 32768).astype("<f4")
    given = page.evaluate(CAPTURE, [encoded(samples), RATE])
    assert [len(utterance) for utterance in given] == [len(utterance) for utterance in expected]
    assert given == expected


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_worklet_resamples_what_the_microphone_gives(
    page: Any, toronto: Pcm, options: EndpointerOptions, rate: int
) -> None:
    [expected] = UtteranceCutter(options).push(toronto)
    samples = soxr.resample((toronto / 32768).astype(np.float32), RATE, rate).astype("<f4")
    [given] = page.evaluate(CAPTURE, [encoded(samples), rate])
    given = np.array(given)
    assert abs(len(given) - len(expected.samples)) <= 2 * FRAME_SAMPLES
    likeness = np.correlate(given.astype(float), expected.samples[2000:-2000].astype(float), "valid")
    energy = np.vdot(expected.samples[2000:-2000].astype(float), expected.samples[2000:-2000])
    assert likeness.max() / energy > 0.98


@pytest.fixture(scope="module")
def toronto(sample_files: list[Path]) -> Pcm:
    return spoken(next(path for path in sample_files if "toronto" in path.name))
