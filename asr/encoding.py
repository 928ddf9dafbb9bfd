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
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from asr.features import SCALED_RANGE, WINDOW_FRAMES, padded_to_window
from asr.model import AudioEncoder, EncoderBlock

USUAL_PEAK = 1.2  # of scaled log-mel, in clips of speech
FLOOR = USUAL_PEAK - SCALED_RANGE
FRAMES_FOR_ONE = 4  # of silence that one kept frame stands for
SILENT_BIAS = math.log(FRAMES_FOR_ONE)  # added to the scores of kept frames
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


class Encoder:
    """Encodes windows one by one, in the arithmetic and on the device of the network that it is given."""

    def __init__(self, encoder: AudioEncoder) -> None:
        self.encoder = encoder
        self.precision = str(encoder.conv1.weight.dtype).removeprefix("torch.")
        self.silence = VirtualSilence(encoder)

    @torch.inference_mode()
    def encode_whole(self, mel: Tensor) -> EncodedWindow:
        """A clip's log-mel (n_mels, mel_frames) as a whole window, as the model was trained."""
        return EncodedWindow(self._through_blocks(self._embed(padded_to_window(mel)), self.silence.kept))

    @torch.inference_mode()
    def encode(self, mel: Tensor) -> EncodedWindow:
        """A clip's log-mel (n_mels, mel_frames) as its own frames, which know of the silence after them."""
        wanted = -(-mel.shape[1] // MEL_FRAMES_PER_FRAME) + MARGIN
        frames = min(-(-wanted // FRAMES_FOR_ONE) * FRAMES_FOR_ONE, self.silence.frames)
        padding = frames * MEL_FRAMES_PER_FRAME + LOOK_AHEAD - mel.shape[1]
        shifted = functional.pad(mel - mel.max() + USUAL_PEAK, (0, padding), value=FLOOR)[:, :WINDOW_FRAMES]
        return EncodedWindow(self._through_blocks(self._embed(shifted)[:, :frames], self.silence.after(frames)))

    def _embed(self, mel: Tensor) -> Tensor:
        return self.encoder.embed(mel[None].to(self.encoder.conv1.weight))

    def _through_blocks(self, x: Tensor, silent_from: int) -> Tensor:
        """Embedded frames (1, frames, state), before the kept silence from a frame on → (frames, n_audio_state)."""
        own, silent = torch.zeros(x.shape[1]), torch.full((self.silence.kept - silent_from,), SILENT_BIAS)
        bias = torch.cat((own, silent)).to(x)
        for block, keys, values in zip(self.encoder.blocks, self.silence.keys, self.silence.values, strict=True):
            x = block(x, (keys[:, :, silent_from:], values[:, :, silent_from:], bias))
        return cast(Tensor, self.encoder.ln_post(x))[0]
