"""A clip's own frames are encoded as if its whole window had been: the same text comes out."""

import math

import numpy as np
import pytest
import torch

from asr.audio.decode import SAMPLE_RATE, Samples
from asr.audio.features import log_mel_spectrogram, padded_to_window
from asr.decoding.hallucination import MAX_NO_SPEECH_PROBABILITY
from asr.decoding.hypothesis import DecodedWindow, DecodingOptions
from asr.engine.engine import Engine
from asr.runtime.choose import GPU_FRAMES
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import (
    FRAMES_AT_ONCE,
    FRAMES_FOR_ONE,
    MARGIN,
    SILENT_BIAS,
    USUAL_PEAK,
    Encoder,
    VirtualSilence,
)

WAIT = 60.0  # seconds after which a test has failed
N_MELS = 80


@pytest.fixture(scope="module")
def encoder(tiny_en: Checkpoint) -> Encoder:
    return Encoder(tiny_en.model.encoder)


@pytest.fixture(scope="module")
def silence(encoder: Encoder) -> VirtualSilence:
    return encoder.silence


def heard(checkpoint: Checkpoint, clips: list[Samples], *, whole_windows: bool = False) -> list[DecodedWindow]:
    with Engine(checkpoint, whole_windows=whole_windows) as engine:
        futures = [engine.submit([clip], DecodingOptions("en")) for clip in clips]
        return [future.result(WAIT).windows[0] for future in futures]


@pytest.fixture(scope="module")
def as_recorded(base: Checkpoint, clips: list[Samples]) -> list[DecodedWindow]:
    return heard(base, clips)


@torch.inference_mode()
def test_a_whole_window_is_what_the_network_makes_of_it(encoder: Encoder, speech: Samples) -> None:
    mel = log_mel_spectrogram(speech, N_MELS)
    window = encoder.encode_whole([mel])[0]
    assert window.frames == 1500
    assert torch.equal(window.encoded, encoder.encoder(padded_to_window(mel)[None])[0])


@pytest.mark.parametrize("mel_frames", [1, 2, 7, 8, 9, 300, 2900, 2935, 2936, 2937, 2999, 3000])
def test_a_clip_gives_its_own_frames_and_a_margin(encoder: Encoder, mel_frames: int) -> None:
    (window,) = encoder.encode([torch.randn(N_MELS, mel_frames, generator=torch.Generator().manual_seed(mel_frames))])
    own = -(-mel_frames // 2)
    assert window.encoded.shape == (window.frames, 384)
    assert window.frames % FRAMES_AT_ONCE == 0
    assert min(own + MARGIN, 1500) <= window.frames < own + MARGIN + FRAMES_AT_ONCE
    assert torch.isfinite(window.encoded).all()


@torch.inference_mode()
def test_a_clip_that_fills_the_window_is_encoded_whole(encoder: Encoder, speech: Samples) -> None:
    """No silence is left to stand for: but for the level, it is the plain encoder's work."""
    mel = log_mel_spectrogram(np.resize(speech, 30 * SAMPLE_RATE), N_MELS)
    (window,) = encoder.encode([mel])
    assert window.frames == 1500
    shifted = mel - mel.max() + USUAL_PEAK
    torch.testing.assert_close(window.encoded, encoder.encoder(shifted[None])[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("frame", [0, 1, 2, 3, 4, 5, 150, 151, 1496, 1499, 1500, 1501, 1600])
def test_kept_frames_weigh_as_much_as_the_silence_they_stand_for(silence: VirtualSilence, frame: int) -> None:
    stand_for = len(silence.encoded[silence.after(frame) :]) * math.exp(SILENT_BIAS)
    assert -0.01 <= max(1500 - frame, 0) - stand_for < FRAMES_FOR_ONE


@torch.inference_mode()
def test_a_weight_counts_a_kept_frame_as_often_as_it_says(encoder: Encoder, speech: Samples) -> None:
    """The attention's biases give what keys and values repeated give."""
    block, silence = encoder.encoder.blocks[0], encoder.silence
    x = torch.randn(1, 48, 384, generator=torch.Generator().manual_seed(0))
    silent_from = silence.after(48)
    keys, values = (kept[0][:, :, silent_from:] for kept in (silence.keys, silence.values))
    bias = torch.cat((torch.zeros(48), torch.full((silence.kept - silent_from,), SILENT_BIAS)))
    weighted = block(x, (keys, values, bias))
    repeated = [kept.repeat_interleave(FRAMES_FOR_ONE, dim=2) for kept in (keys, values)]
    torch.testing.assert_close(weighted, block(x, (*repeated, torch.zeros(1500))), atol=1e-4, rtol=0)


def test_a_clips_own_frames_say_what_its_whole_window_says(
    base: Checkpoint, clips: list[Samples], as_recorded: list[DecodedWindow]
) -> None:
    whole = heard(base, clips, whole_windows=True)
    assert [window.best.text for window in as_recorded] == [window.best.text for window in whole]
    for ours, theirs in zip(as_recorded, whole, strict=True):
        assert ours.best.confidence == pytest.approx(theirs.best.confidence, abs=0.05)
        assert ours.no_speech_probability < MAX_NO_SPEECH_PROBABILITY


@pytest.mark.parametrize(("name", "whole"), [("base", False), ("tiny_en", True)])
def test_clips_together_are_encoded_as_each_alone(
    name: str, whole: bool, clips: list[Samples], request: pytest.FixtureRequest
) -> None:
    """In float32 bit for bit where one was tried; other machines may add up in another order."""
    encoder = Encoder(request.getfixturevalue(name).model.encoder, frames_at_once=GPU_FRAMES)
    encode = encoder.encode_whole if whole else encoder.encode
    mels = [log_mel_spectrogram(clip, N_MELS) for clip in clips]
    alike = [mel for mel in mels if whole or encoder.frames(mel.shape[1]) == 192]
    assert len({mel.shape[1] for mel in alike}) > 4
    for together, mel in zip(encode(alike), alike, strict=True):
        torch.testing.assert_close(together.encoded, encode([mel])[0].encoded, atol=1e-4, rtol=0)


def test_a_clips_length_alone_decides_as_how_many_frames_it_is_encoded(encoder: Encoder) -> None:
    coarse = Encoder(encoder.encoder, frames_at_once=GPU_FRAMES)
    assert [coarse.frames(mel_frames) for mel_frames in (1, 64, 65, 192, 193, 2936, 3000)] == [
        *(64, 64, 128, 128, 192, 1500, 1500)
    ]
    assert {coarse.frames(mel_frames) - -(-mel_frames // 2) for mel_frames in range(1, 2900)} == {
        *range(MARGIN, MARGIN + GPU_FRAMES)
    }


def test_the_same_clip_quieter_says_the_same(
    base: Checkpoint, clips: list[Samples], as_recorded: list[DecodedWindow]
) -> None:
    quiet = heard(base, [clip / 4 for clip in clips])
    assert [window.best.tokens for window in quiet] == [window.best.tokens for window in as_recorded]


def test_level_does_not_change_what_is_encoded(encoder: Encoder, speech: Samples) -> None:
    loud, quiet = encoder.encode([log_mel_spectrogram(speech * gain, N_MELS) for gain in (1.0, 0.1)])
    torch.testing.assert_close(quiet.encoded, loud.encoded, atol=1e-2, rtol=0)
