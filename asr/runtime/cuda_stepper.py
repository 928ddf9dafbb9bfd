"""The decoder's step in a few shapes and in memory that does not move, as a GPU wants it: it runs as a CUDA graph.

Rows are padded to the next of a few numbers; those that only pad read and write a place of their own. Audio is kept
once for all rows about it, and is gathered row by row only for the layer that looks at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from asr.decoding.stepper import FORBIDDEN, AudioContext, CacheEntry, Row
from asr.runtime.cache_slots import CacheSlots
from asr.runtime.cuda_graphs import CudaGraphs
from asr.runtime.torch_stepper import Listen, TorchStepper
from asr.whisper.encoding import VirtualSilence
from asr.whisper.model import TextDecoder, attention

MOST_DOUBLED_ROWS = 64  # up to here the numbers of rows are powers of two, then multiples of this
SHORT_TEXT = 64  # tokens; few queries have more
FRAMES_AT_ONCE = 256  # by which lengths of audio differ
PADDING = 0  # the place and the audio of rows that only pad


@dataclass(frozen=True)
class Shape:
    """How many rows a step has, and how many positions of their texts and frames of audio they look at."""

    rows: int
    past: int
    frames: int


@dataclass
class _Kept:
    """Where audio is kept, and for how many sequences."""

    slot: int
    pasts: int = 0


class CudaStepper(TorchStepper):
    """`asr.decoding.stepper.Stepper`, made for up to `places` sequences at once; with more it takes time to make room.

    With `graphs` each shape of a step is captured when it is first met, on a GPU. On a CPU the same runs without.
    """

    def __init__(
        self, decoder: TextDecoder, silence: VirtualSilence, *, context: int, places: int, graphs: bool = True
    ) -> None:
        super().__init__(decoder, silence, context=context, places_at_once=places + 1)
        dims = decoder.dims
        longest = _rounded_up(silence.frames, FRAMES_AT_ONCE)
        kept = (dims.n_text_layer, dims.n_text_head, longest, dims.n_text_state // dims.n_text_head)
        self.audios = CacheSlots(self._weight, (kept, kept, (longest,)), places + 1)
        self._kept: dict[AudioContext, _Kept] = {}
        for slots in (self.cache, self.audios):
            slots.take()  # PADDING, the first; with it come all the others
        device = self._weight.device
        self._graphs = CudaGraphs(self._read_numbers, device) if graphs and device.type == "cuda" else None

    @property
    def precision(self) -> str:
        return super().precision + (" in CUDA graphs" if self._graphs and self._graphs.work else "")

    def begin(self, audio: AudioContext) -> CacheEntry:
        room = len(self.cache), len(self.audios)
        kept = self._kept.get(audio) or self._keep(audio)
        past = super().begin(audio)
        kept.pasts += 1
        if self._graphs and room != (len(self.cache), len(self.audios)):
            self._graphs.forget()
        return past

    def release(self, past: CacheEntry) -> None:
        super().release(past)
        kept = self._kept[past.audio]
        kept.pasts -= 1
        if not kept.pasts:
            del self._kept[past.audio]
            self.audios.give_back(kept.slot)

    def shape(self, rows: Sequence[Row]) -> Shape:
        """The smallest into which the rows fit."""
        double = 1 << (len(rows) - 1).bit_length()
        return Shape(
            double if double <= MOST_DOUBLED_ROWS else _rounded_up(len(rows), MOST_DOUBLED_ROWS),
            SHORT_TEXT if max(row.position for row in rows) < SHORT_TEXT else self.context,
            _rounded_up(max(row.past.audio.length for row in rows), FRAMES_AT_ONCE),
        )

    def _logits(self, rows: Sequence[Row]) -> Tensor:
        # What is read for several sequences is read several times: a GPU has room for that, and needs no other shapes.
        again = [replace(row, past=past) for row in rows for past in row.beside]
        return self._logits_of_each([*rows, *again])[: len(rows)]

    def _logits_of_each(self, rows: Sequence[Row]) -> Tensor:
        shape = self.shape(rows)
        numbers = torch.full((shape.rows, 4), PADDING)
        numbers[: len(rows)] = torch.tensor(
            [[row.token, row.position, row.past.place, self._kept[row.past.audio].slot] for row in rows]
        )
        logits = self._graphs(numbers, shape) if self._graphs else self._read_numbers(numbers, shape)
        return logits[: len(rows)]

    def _read_numbers(self, numbers: Tensor, shape: Shape) -> Tensor:
        """Rows given by their tokens, positions, places and slots of audio, (rows, 4), → logits (rows, n_vocab)."""
        tokens, positions, places, slots = numbers.T
        kept = torch.arange(len(places), device=places.device), places
        return self._read(tokens, positions, places, kept, shape.past, self._gathered(slots, shape.frames))

    def _gathered(self, slots: Tensor, frames: int) -> Listen:
        keys, values, bias = self.audios.tensors
        biases = bias[slots, :frames][:, None, None]

        def listen(layer: int, queries: Tensor) -> Tensor:
            return attention(queries, keys[slots, layer, :, :frames], values[slots, layer, :, :frames], biases)

        return listen

    def _keep(self, audio: AudioContext) -> _Kept:
        kept = self._kept[audio] = _Kept(self.audios.take())
        keys, values, bias = self.audios.tensors
        keys[kept.slot, :, :, : audio.length] = audio.keys
        values[kept.slot, :, :, : audio.length] = audio.values
        bias[kept.slot, : audio.length] = audio.bias
        bias[kept.slot, audio.length :] = FORBIDDEN
        return kept


def sequence_bytes(decoder: TextDecoder, context: int) -> int:
    """The memory that a sequence takes at most, in the decoder's own arithmetic: its text's, and twice its audio's."""
    dims = decoder.dims
    positions = context + 2 * _rounded_up(dims.n_audio_ctx, FRAMES_AT_ONCE)
    return 2 * dims.n_text_layer * dims.n_text_state * positions * decoder.token_embedding.weight.element_size()


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
