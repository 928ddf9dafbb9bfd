"""The decoder's step in PyTorch: on any device, in the arithmetic of the network it is given."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from asr.encoding import SILENT_BIAS, EncodedWindow, VirtualSilence
from asr.model import DecoderBlock, TextDecoder
from asr.steps import FORBIDDEN, Choice, Heard, Past, Row

PLACES_AT_ONCE = 8  # by which the cache grows


class TorchSteps:
    """`asr.steps.Stepper`; `context` is the most tokens that a sequence may have."""

    def __init__(self, decoder: TextDecoder, silence: VirtualSilence, *, context: int) -> None:
        self.decoder = decoder
        self._context = context
        self._blocks = cast(list[DecoderBlock], list(decoder.blocks))
        self._silence = silence
        self._silent_keys, self._silent_values = self._projected(silence.encoded)
        self._free: list[int] = []
        self._keys, self._values = self._room(0), self._room(0)
        self._together: tuple[tuple[Heard, ...], Heard] | None = None

    @property
    def precision(self) -> str:
        return str(self._weight.dtype).removeprefix("torch.")

    def hear(self, window: EncodedWindow) -> Heard:
        """Its keys and values are both (layers, heads, length, head_dim)."""
        keys, values = self._projected(window.encoded)
        silent_from = self._silence.after(window.frames)
        keys = torch.cat((keys, self._silent_keys[:, :, silent_from:]), dim=2)
        values = torch.cat((values, self._silent_values[:, :, silent_from:]), dim=2)
        bias = self._weight.new_zeros(keys.shape[2])
        bias[window.frames :] = SILENT_BIAS
        return Heard(keys, values, bias)

    def begin(self, audio: Heard) -> Past:
        if not self._free:
            places = self._keys.shape[1]
            keys = torch.cat((self._keys, self._room(PLACES_AT_ONCE)), dim=1)
            values = torch.cat((self._values, self._room(PLACES_AT_ONCE)), dim=1)
            # Only now: where memory runs out, no place is given that does not exist.
            self._keys, self._values = keys, values
            self._free = list(reversed(range(places, places + PLACES_AT_ONCE)))
        return Past(self._free.pop(), audio)

    def fork(self, past: Past, length: int) -> Past:
        copy = self.begin(past.audio)
        for cache in (self._keys, self._values):
            cache[:, copy.place, :, :length] = cache[:, past.place, :, :length]
        return copy

    def release(self, past: Past) -> None:
        self._free.append(past.place)

    @torch.inference_mode()
    def step(self, rows: Sequence[Row]) -> list[Choice]:
        device = self._weight.device
        tokens = torch.tensor([row.token for row in rows], device=device)
        positions = torch.tensor([row.position for row in rows], device=device)
        places = torch.tensor([row.past.place for row in rows], device=device)
        end = max(row.position for row in rows) + 1
        seen = (torch.arange(end, device=device) <= positions[:, None])[:, None, None]
        heard = self._side_by_side(tuple(row.past.audio for row in rows))
        x = (self.decoder.token_embedding(tokens) + self.decoder.positional_embedding[positions])[:, None]
        for layer, block in enumerate(self._blocks):
            normed = block.attn_ln(x)
            keys, values = block.attn.keys_values(normed)
            self._keys[layer, places, :, positions] = keys[:, :, 0]
            self._values[layer, places, :, positions] = values[:, :, 0]
            x = x + block.attn(normed, self._keys[layer, places, :, :end], self._values[layer, places, :, :end], seen)
            x = x + block.cross_attn(
                block.cross_attn_ln(x),
                heard.keys[:, layer].expand(len(rows), -1, -1, -1),
                heard.values[:, layer].expand(len(rows), -1, -1, -1),
                heard.bias[:, None, None],
            )
            x = x + block.mlp(block.mlp_ln(x))
        return self._choices(rows, self.decoder.ln(x[:, 0]))

    def _choices(self, rows: Sequence[Row], x: Tensor) -> list[Choice]:
        """For rows that end in x, (rows, state)."""
        logits = functional.linear(x, self._weight).float()
        masks = [logits.new_zeros(()) if row.mask is None else row.mask for row in rows]
        masked = torch.stack([own + mask for own, mask in zip(logits, masks, strict=True)])
        logprobs, tokens = masked.log_softmax(dim=-1).topk(2)
        return [
            Choice(token, logprob, runner_up, runner_up_logprob, own.cpu() if row.wants_logits else None)
            for row, own, (token, runner_up), (logprob, runner_up_logprob) in zip(
                rows, logits, tokens.tolist(), logprobs.tolist(), strict=True
            )
        ]

    def _side_by_side(self, audios: tuple[Heard, ...]) -> Heard:
        """The audio of every row, with a dimension more before all others; one stands for all where it is the same.

        Rows stay together for many steps: what was laid side by side for the step before is kept.
        """
        if len(set(audios)) == 1:
            audios = audios[:1]
        if self._together is None or self._together[0] != audios:
            self._together = None  # frees it before the next is made
            length = max(audio.length for audio in audios)
            self._together = (
                audios,
                Heard(
                    torch.stack([_padded(audio.keys, length) for audio in audios]),
                    torch.stack([_padded(audio.values, length) for audio in audios]),
                    torch.stack([functional.pad(a.bias, (0, length - a.length), value=FORBIDDEN) for a in audios]),
                ),
            )
        return self._together[1]

    @property
    def _weight(self) -> Tensor:
        return self.decoder.token_embedding.weight

    def _projected(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded audio (frames, state) → keys and values, each (layers, heads, frames, head_dim)."""
        x = encoded[None].to(self._weight)
        pairs = [block.cross_attn.keys_values(x) for block in self._blocks]
        return torch.cat([keys for keys, _ in pairs]), torch.cat([values for _, values in pairs])

    def _room(self, places: int) -> Tensor:
        dims = self.decoder.dims
        head_dim = dims.n_text_state // dims.n_text_head
        return self._weight.new_zeros(dims.n_text_layer, places, dims.n_text_head, self._context, head_dim)


def _padded(tensor: Tensor, length: int) -> Tensor:
    return functional.pad(tensor, (0, 0, 0, length - tensor.shape[2]))
