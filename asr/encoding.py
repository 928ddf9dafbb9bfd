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
from collections.abc import Callable, Sequence
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
MARGIN = 32  # frames of the silence after a clip that are encoded with it: its last sounds are felt there
MEL_FRAMES_PER_FRAME = 2
LOOK_AHEAD = 4  # mel frames beyond its own that the convolutions see


Block = Callable[..., Tensor]  # as `EncoderBlock.forward`


@dataclass(frozen=True)
class EncodedWindow:
    """Encoded audio of shape (frames, n_audio_state): the whole window, or the clip's own part of it."""

    encoded: Tensor

    @property
    def frames(self) -> int:
        return len(self.encoded)


@dataclass(frozen=True)
class SilentPart:
    """The kept frames that stand for the silence from some frame on: which they are, and (count,) log weights."""

    part: slice
    bias: Tensor

    @property
    def count(self) -> int:
        return len(self.bias)


class VirtualSilence:
    """A window of nothing, encoded once; kept are one of every few frames.

    `keys` and `values` are those of every encoder layer, each (1, heads, kept, head_dim); `encoded` is what comes out
    at the end, (kept, n_audio_state).
    """

    @torch.inference_mode()
    def __init__(self, encoder: AudioEncoder, blocks: Sequence[Block]) -> None:
        n_mels, weight = encoder.conv1.in_channels, encoder.conv1.weight
        mel = torch.full((1, n_mels, WINDOW_FRAMES), FLOOR, dtype=weight.dtype, device=weight.device)
        x = encoder.embed(mel)
        self.frames = x.shape[1]
        middles = torch.arange(FRAMES_FOR_ONE // 2, self.frames, FRAMES_FOR_ONE, device=weight.device)
        self.keys, self.values = [], []
        for plain, block in zip(encoder.blocks, blocks, strict=True):
            keys, values = cast(EncoderBlock, plain).keys_values(x.to(weight))
            self.keys.append(keys[:, :, middles].contiguous())
            self.values.append(values[:, :, middles].contiguous())
            x = block(x)
        self.encoded = encoder.ln_post(x.to(weight))[0, middles].contiguous()

    def after(self, frame: int) -> SilentPart:
        """What stands for the silence from this frame to the window's end."""
        kept = len(self.encoded)
        first = min(-(-frame // FRAMES_FOR_ONE), kept)
        weight = math.log(FRAMES_FOR_ONE)
        return SilentPart(slice(first, kept), torch.full((kept - first,), weight))


class Encoder:
    """Encodes windows one by one, in the arithmetic and on the device of the network that it is given.

    `blocks` may do the work of the network's own in other arithmetic, `precision`.
    """

    def __init__(self, encoder: AudioEncoder, blocks: Sequence[Block] | None = None, precision: str = "") -> None:
        self.encoder = encoder
        self.blocks: Sequence[Block] = blocks or list(encoder.blocks)
        self.precision = precision or str(encoder.conv1.weight.dtype).removeprefix("torch.")
        self.silence = VirtualSilence(encoder, self.blocks)

    @torch.inference_mode()
    def encode_whole(self, mel: Tensor) -> EncodedWindow:
        """A clip's log-mel (n_mels, mel_frames) as a whole window, as the model was trained."""
        x = self.encoder.embed(self._ready(padded_to_window(mel)))
        for block in self.blocks:
            x = block(x)
        return self._encoded(x)

    @torch.inference_mode()
    def encode(self, mel: Tensor) -> EncodedWindow:
        """A clip's log-mel (n_mels, mel_frames) as its own frames, which know of the silence after them."""
        wanted = -(-mel.shape[1] // MEL_FRAMES_PER_FRAME) + MARGIN
        frames = min(-(-wanted // FRAMES_FOR_ONE) * FRAMES_FOR_ONE, self.silence.frames)
        padding = frames * MEL_FRAMES_PER_FRAME + LOOK_AHEAD - mel.shape[1]
        shifted = functional.pad(mel - mel.max() + USUAL_PEAK, (0, padding), value=FLOOR)[:, :WINDOW_FRAMES]
        x = self.encoder.embed(self._ready(shifted))[:, :frames]
        silent = self.silence.after(frames)
        bias = torch.cat((torch.zeros(frames), silent.bias)).to(x)
        for block, keys, values in zip(self.blocks, self.silence.keys, self.silence.values, strict=True):
            x = block(x, (keys[:, :, silent.part], values[:, :, silent.part], bias))
        return self._encoded(x)

    def _ready(self, mel: Tensor) -> Tensor:
        return mel[None].to(self.encoder.conv1.weight)

    def _encoded(self, x: Tensor) -> EncodedWindow:
        return EncodedWindow(self.encoder.ln_post(x.to(self.encoder.conv1.weight))[0])
