"""Log-mel → encoded audio that is only as long as the clip, as if 30 s of window had been encoded.

Whisper hears a window of 30 s; a spoken query fills a tenth of it, and what follows is always the same silence. That
silence is encoded once. A clip's own frames then attend in every layer to their own keys and to those kept from the
silence after them, and the text decoder sees kept silence after the clip too: without it, it does not know that the
clip is over. Of every few kept frames, which are much alike, one stands for all, weighted by how many they are: adding
log n to an attention score counts a key n times.

A clip's loudness decides how deep its silence is, for log-mel is cut off eight decades below its peak. Shifting all of
it, which is a change of gain, gives every clip the same silence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from asr.audio.features import SCALED_RANGE, WINDOW_FRAMES, padded_to_window
from asr.whisper.model import AudioEncoder, EncoderBlock

USUAL_PEAK = 1.2  # of scaled log-mel, in clips of speech
FLOOR = USUAL_PEAK - SCALED_RANGE
FRAMES_FOR_ONE = 12  # of silence that one kept frame stands for
SILENT_BIAS = math.log(FRAMES_FOR_ONE)  # added to the scores of kept frames
FRAMES_AT_ONCE = 4  # of which encoded clips are multiples on a CPU
MARGIN = 32  # frames of the silence after a clip that are encoded with it: its last sounds are felt there
MEL_FRAMES_PER_FRAME = 2
LOOK_AHEAD = 4  # mel frames beyond its own that the convolutions see


@dataclass(frozen=True)
class EncodedWindow:
    """Encoded audio of shape (frames, n_audio_state): the whole window, or the clip's own part of it."""

    encoded: Tensor

    @property
    def frames(self) -> int:
        return len(self.encoded)


class VirtualSilence:
    """A window of nothing, encoded once; kept are one of every few frames.

    `keys` and `values` are those of every encoder layer, each (1, heads, kept, head_dim); `encoded` is what comes out
    at the end, (kept, n_audio_state).
    """

    @torch.inference_mode()
    def __init__(self, encoder: AudioEncoder) -> None:
        n_mels, weight = encoder.conv1.in_channels, encoder.conv1.weight
        mel = torch.full((1, n_mels, WINDOW_FRAMES), FLOOR, dtype=weight.dtype, device=weight.device)
        x = encoder.embed(mel)
        self.frames = x.shape[1]
        middles = torch.arange(FRAMES_FOR_ONE // 2, self.frames, FRAMES_FOR_ONE, device=weight.device)
        self.kept = len(middles)
        self.keys, self.values = [], []
        for block in cast(list[EncoderBlock], list(encoder.blocks)):
            keys, values = block.keys_values(x)
            self.keys.append(keys[:, :, middles].contiguous())
            self.values.append(values[:, :, middles].contiguous())
            x = block(x)
        self.encoded = encoder.ln_post(x)[0, middles].contiguous()

    def after(self, frame: int) -> int:
        """The first of the kept frames that stand for the silence from this frame to the window's end."""
        return min(-(-frame // FRAMES_FOR_ONE), self.kept)

    def biases(self, frames: int) -> Tensor:
        """What is added to attention's scores, for so many frames of a clip and those kept after them, (all,)."""
        silent = self.encoded.new_full((self.kept - self.after(frames),), SILENT_BIAS)
        return torch.cat((silent.new_zeros(frames), silent))


class Encoder:
    """Encodes windows, several at once, in the arithmetic and on the device of the network that it is given.

    Encoded clips are multiples of `frames_at_once` long: the greater it is, the more of them are alike, and the more
    silence is encoded with each. `silence` is given where it has been encoded before.
    """

    def __init__(
        self,
        encoder: AudioEncoder,
        frames_at_once: int = FRAMES_AT_ONCE,
        *,
        silence: VirtualSilence | None = None,
    ) -> None:
        self.encoder = encoder
        self.precision = str(encoder.conv1.weight.dtype).removeprefix("torch.")
        self.silence = silence or VirtualSilence(encoder)
        self._frames_at_once = frames_at_once

    def frames(self, mel_frames: int) -> int:
        """How many frames a clip of so many of log-mel is encoded as, whoever it is encoded with."""
        wanted = -(-mel_frames // MEL_FRAMES_PER_FRAME) + MARGIN
        return min(-(-wanted // self._frames_at_once) * self._frames_at_once, self.silence.frames)

    @torch.inference_mode()
    def encode_whole(self, mels: Sequence[Tensor]) -> list[EncodedWindow]:
        """Clips' log-mel, each (n_mels, mel_frames), as whole windows, as the model was trained."""
        return self._encoded(self._embed([padded_to_window(mel) for mel in mels]))

    @torch.inference_mode()
    def encode(self, mels: Sequence[Tensor]) -> list[EncodedWindow]:
        """Clips' log-mel, each (n_mels, mel_frames), as their own frames, which know of the silence after them.

        The clips must be alike: of equal `frames`.
        """
        (frames,) = {self.frames(mel.shape[1]) for mel in mels}
        return self._encoded(self._embed([_with_silence(mel, frames) for mel in mels])[:, :frames])

    def _embed(self, mels: list[Tensor]) -> Tensor:
        return self.encoder.embed(torch.stack(mels).to(self.encoder.conv1.weight))

    def _encoded(self, x: Tensor) -> list[EncodedWindow]:
        return [EncodedWindow(encoded) for encoded in self._through_blocks(x)]

    def _through_blocks(self, x: Tensor) -> Tensor:
        """Embedded frames (batch, frames, state), after which silence follows → (batch, frames, n_audio_state)."""
        silence, frames = self.silence, x.shape[1]
        silent_from, bias = silence.after(frames), silence.biases(frames)
        for block, *kept in zip(self.encoder.blocks, silence.keys, silence.values, strict=True):
            keys, values = (tensor[:, :, silent_from:].expand(len(x), -1, -1, -1) for tensor in kept)
            x = block(x, (keys, values, bias) if silent_from < silence.kept else None)
        return cast(Tensor, self.encoder.ln_post(x))


def _with_silence(mel: Tensor, frames: int) -> Tensor:
    """A clip's log-mel at the usual level, with as much of the silence after it as so many encoded frames see."""
    padding = frames * MEL_FRAMES_PER_FRAME + LOOK_AHEAD - mel.shape[1]
    return functional.pad(mel - mel.max() + USUAL_PEAK, (0, padding), value=FLOOR)[:, :WINDOW_FRAMES]
