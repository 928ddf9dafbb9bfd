"""The detector of live streams, on sounds made here and spoken samples in noise."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.vad.sounds import RATE, Pcm, clatter, hiss, level, mixed, silence, spoken_part, vowel
from vad.clip_detector import speech_frames
from vad.frames import FRAME_SAMPLES, FRAME_SECONDS
from vad.live_detector import VoiceDetector


@pytest.fixture(scope="module")
def voice(sample_files: list[Path]) -> Pcm:
    return spoken_part(soundfile.read(sample_files[2], dtype="int16")[0])


def decisions(pcm: Pcm) -> list[bool]:
    return [decision.is_speech for decision in VoiceDetector().decide(rows(pcm))]


def rows(pcm: Pcm) -> Pcm:
    return pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)


def frames(seconds: float) -> int:
    return round(seconds / FRAME_SECONDS)


def test_speech_is_heard_from_its_start_to_its_end(voice: Pcm) -> None:
    heard = np.flatnonzero(decisions(np.concatenate([silence(3), voice, silence(2)]))) * FRAME_SECONDS
    assert heard[0] == pytest.approx(3, abs=0.15)
    assert heard[-1] == pytest.approx(3 + len(voice) / RATE, abs=0.15)


@pytest.mark.parametrize("noise", [hiss, clatter])
@pytest.mark.parametrize("below_db", [20, 10])
def test_speech_is_heard_in_noise(voice: Pcm, noise: object, below_db: int) -> None:
    scene = np.concatenate([silence(3), voice, silence(2)])
    heard = decisions(mixed(scene, noise(len(scene) / RATE, level(voice) - below_db)))  # type: ignore[operator]
    spoken = heard[frames(3) : frames(3 + len(voice) / RATE)]
    assert np.mean(spoken) > 0.5
    assert np.mean(heard[frames(1) : frames(3)] + heard[frames(3.3 + len(voice) / RATE) :]) < 0.05


def test_clatter_is_no_speech_though_webrtc_and_its_level_say_so() -> None:
    """Before voicing was asked for, a kitchen kept utterances open for a second after their end."""
    sound = mixed(clatter(10, -25), hiss(10, -60))
    assert np.mean(speech_frames(sound)[frames(1) :]) > 0.03
    assert np.mean(decisions(sound)[frames(1) :]) < 0.01


def test_the_end_of_a_word_may_fade_into_the_background() -> None:
    """It opens nothing by itself."""
    loud, faint = vowel(0.5, 120, -20), vowel(0.3, 120, -38)
    noise = hiss(4.8, -42)
    word = decisions(mixed(np.concatenate([silence(3), loud, faint, silence(1)]), noise))
    alone = decisions(mixed(np.concatenate([silence(3.5), faint, silence(1)]), noise))
    assert sum(word[frames(3.5) : frames(3.8)]) > sum(alone[frames(3.5) : frames(3.8)])


def test_a_voice_far_below_the_speaker_s_is_beside_the_microphone(voice: Pcm) -> None:
    """A television that runs on: its own loudest moments are far below the speaker's."""
    beside = np.tile(voice, 4)[: len(voice) + 5 * RATE]
    scene = np.concatenate([silence(1.5), voice, silence(3.5)])
    television = (beside * 10 ** (-25 / 20)).astype(np.int16)
    heard = decisions(mixed(scene, television))
    spoken = heard[frames(1.5) : frames(1.5 + len(voice) / RATE)]
    after = heard[frames(1.8 + len(voice) / RATE) : frames(3 + len(voice) / RATE)]
    assert np.mean(spoken) > 0.5
    assert not any(after)


def test_whoever_speaks_far_softer_is_heard_some_seconds_after_the_loud(voice: Pcm) -> None:
    softer = np.concatenate([(voice * 10 ** (-25 / 20)).astype(np.int16), silence(1)])
    alone = sum(decisions(np.concatenate([silence(3), softer])))
    soon, later = (
        decisions(np.concatenate([silence(1), voice, silence(pause), softer]))[-len(softer) // FRAME_SAMPLES :]
        for pause in (0.7, 4)
    )
    assert sum(soon) < 0.5 * alone
    assert sum(later) > 0.9 * alone


@pytest.mark.parametrize("dbfs", [-20, -40, -55])
def test_faint_speech_is_heard_like_loud(voice: Pcm, dbfs: int) -> None:
    scaled = (voice * (32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(voice.astype(np.float64) ** 2)))).clip(-32768, 32767)
    heard = decisions(
        mixed(np.concatenate([silence(2), scaled.astype(np.int16), silence(1)]), hiss(60, -90)[: len(voice) + 3 * RATE])
    )
    assert np.mean(heard[frames(2) : -frames(1)]) > 0.5
    assert not any(heard[: frames(1.9)])


def test_a_shout_leaves_nobody_unheard_for_long(voice: Pcm) -> None:
    loudest = voice.astype(np.float64) * 32767 / np.abs(voice).max()
    shout = np.clip(8 * loudest, -32768, 32767).astype(np.int16)
    usual = np.concatenate([(loudest * 10 ** (-25 / 20)).astype(np.int16), silence(1)])
    alone = sum(decisions(np.concatenate([silence(3), usual])))
    after = decisions(np.concatenate([silence(1), shout, silence(3), usual]))[-len(usual) // FRAME_SAMPLES :]
    assert sum(after) > 0.9 * alone > 0


def test_the_decisions_do_not_depend_on_how_many_frames_come_at_once(voice: Pcm) -> None:
    pcm = np.concatenate([hiss(1.5, -50), voice])
    detector = VoiceDetector()
    one_by_one = [decision for row in rows(pcm) for decision in detector.decide(row[None])]
    assert one_by_one == VoiceDetector().decide(rows(pcm))


def test_a_loud_consonant_is_tentative_until_its_vowel_comes_and_a_quiet_room_is_not() -> None:
    scene = mixed(np.concatenate([silence(2), hiss(0.2, -20), vowel(0.3, 120), silence(1)]), hiss(3.5, -70))
    heard = VoiceDetector().decide(rows(scene))
    consonant, vowels = heard[frames(2) : frames(2.2)], heard[frames(2.2) : frames(2.5)]
    assert sum(decision.is_tentative for decision in consonant) >= 8
    assert not any(decision.is_speech for decision in consonant)
    assert sum(decision.is_speech for decision in vowels) >= 12
    assert not any(decision.is_tentative for decision in vowels[2:] + heard[frames(1) : frames(2)] + heard[frames(3) :])


def test_no_frames_no_decisions() -> None:
    assert VoiceDetector().decide(np.empty((0, FRAME_SAMPLES), np.int16)) == []
