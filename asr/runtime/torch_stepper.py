"""The decoder's step in PyTorch: on any device, in the arithmetic of the network it is given.

A step is as large as its rows, and rows about the same audio look at it together: nothing is copied or padded. That
serves a CPU; `asr.runtime.cuda_stepper` is for a GPU.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from asr.decoding.stepper import FAVOURITES, AudioContext, CacheEntry, Choice, Row
from asr.runtime.cache_slots import CacheSlots
from asr.whisper.encoding import EncodedWindow, VirtualSilence
from asr.whisper.model import DecoderBlock, TextDecoder, attention

PLACES_AT_ONCE = 8  # by which the cache grows

Listen = Callable[[int, Tensor], Tensor]
"""A layer's number and its queries, (rows, heads, 1, head_dim) → what they attend to in the audio, of that shape."""


class TorchStepper:
    """`asr.decoding.stepper.Stepper`; `context` is the most tokens that a sequence may have."""

    def __init__(
        self, decoder: TextDecoder, silence: VirtualSilence, *, context: int, places_at_once: int = PLACES_AT_ONCE
    ) -> None:
        dims = decoder.dims
        self.decoder = decoder
        self.context = context
        self._blocks = cast(list[DecoderBlock], list(decoder.blocks))
        self._silence = silence
        self._silent_keys, self._silent_values = self._projected(silence.encoded)
        cached = (dims.n_text_layer, dims.n_text_head, context, dims.n_text_state // dims.n_text_head)
        self.cache = CacheSlots(self._weight, (cached, cached), places_at_once)
        self._no_mask = torch.zeros(dims.n_vocab, device=self._weight.device)

    @property
    def precision(self) -> str:
        return str(self._weight.dtype).removeprefix("torch.")

    def hear(self, window: EncodedWindow) -> AudioContext:
        """Its keys and values are both (layers, heads, length, head_dim)."""
        keys, values = self._projected(window.encoded)
        silent_from = self._silence.after(window.frames)
        keys = torch.cat((keys, self._silent_keys[:, :, silent_from:]), dim=2)
        values = torch.cat((values, self._silent_values[:, :, silent_from:]), dim=2)
        return AudioContext(keys, values, self._silence.biases(window.frames).to(self._weight))

    def begin(self, audio: AudioContext) -> CacheEntry:
        return CacheEntry(self.cache.take(), audio)

    def fork(self, past: CacheEntry, length: int) -> CacheEntry:
        copy = self.begin(past.audio)
        for cached in self.cache.tensors:
            cached[copy.place, :, :, :length] = cached[past.place, :, :, :length]
        return copy

    def release(self, past: CacheEntry) -> None:
        self.cache.give_back(past.place)

    @torch.inference_mode()
    def step(self, rows: Sequence[Row]) -> list[Choice]:
        return self._choices(rows, self._logits(rows).float())

    def _logits(self, rows: Sequence[Row]) -> Tensor:
        """What follows each row, (rows, n_vocab)."""
        numbers = torch.tensor([[row.token, row.position, row.past.place] for row in rows], device=self._weight.device)
        kept = [(i, past.place) for i, row in enumerate(rows) for past in (row.past, *row.beside)]
        tokens, positions, places = numbers.T
        kept_rows, kept_places = torch.tensor(kept, device=self._weight.device).T
        past = max(row.position for row in rows) + 1
        return self._read(tokens, positions, places, (kept_rows, kept_places), past, _each_to_its_own(rows))

    def _read(
        self,
        tokens: Tensor,
        positions: Tensor,
        places: Tensor,
        kept: tuple[Tensor, Tensor],
        past: int,
        listen: Listen,
    ) -> Tensor:
        """Read a token for each row at its position in its place of the cache, all (rows,): logits (rows, n_vocab).

        `kept` are rows, and places of the cache where each is kept: its own and others. `past` is how many positions of
        the cache are looked at; no row's own may lie beyond.
        """
        kept_rows, kept_places = kept
        kept_positions = positions[kept_rows]
        all_keys, all_values = self.cache.tensors
        seen = (torch.arange(past, device=positions.device) <= positions[:, None])[:, None, None]
        x = (self.decoder.token_embedding(tokens) + self.decoder.positional_embedding[positions])[:, None]
        for layer, block in enumerate(self._blocks):
            normed = block.attn_ln(x)
            keys, values = block.attn.keys_values(normed)
            all_keys[kept_places, layer, :, kept_positions] = keys[kept_rows, :, 0]
            all_values[kept_places, layer, :, kept_positions] = values[kept_rows, :, 0]
            x = x + block.attn(normed, all_keys[places, layer, :, :past], all_values[places, layer, :, :past], seen)
            queries = block.cross_attn.queries(block.cross_attn_ln(x))
            x = x + block.cross_attn.joined(listen(layer, queries))
            x = x + block.mlp(block.mlp_ln(x))
        return functional.linear(self.decoder.ln(x[:, 0]), self._weight)

    def _choices(self, rows: Sequence[Row], logits: Tensor) -> list[Choice]:
        """For rows with these logits, (rows, n_vocab). What is chosen leaves the device in one transfer."""
        masks = torch.stack([self._no_mask if row.mask is None else row.mask for row in rows])
        all_logprobs = (logits + masks).log_softmax(dim=-1)
        logprobs, tokens = all_logprobs.topk(2)
        expected = all_logprobs.gather(1, torch.tensor([[row.expected or 0] for row in rows], device=logits.device))
        # One tensor, so that one transfer does: float32 holds a token's number exactly.
        numbers = torch.cat((tokens.float(), logprobs, expected), dim=1).tolist()
        wanted = [i for i, row in enumerate(rows) if row.wants_logits]
        kept = dict(zip(wanted, logits[wanted].cpu(), strict=True)) if wanted else {}
        favourites = _favourites(rows, all_logprobs)
        return [
            Choice(
                int(token),
                logprob,
                int(runner_up),
                runner_up_logprob,
                kept.get(i),
                expected_logprob,
                favourites.get(i, ()),
            )
            for i, (token, runner_up, logprob, runner_up_logprob, expected_logprob) in enumerate(numbers)
        ]

    @property
    def _weight(self) -> Tensor:
        return self.decoder.token_embedding.weight

    def _projected(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded audio (frames, state) → keys and values, each (layers, heads, frames, head_dim)."""
        x = encoded[None].to(self._weight)
        pairs = [block.cross_attn.keys_values(x) for block in self._blocks]
        return torch.cat([keys for keys, _ in pairs]), torch.cat([values for _, values in pairs])


def _favourites(rows: Sequence[Row], logprobs: Tensor) -> dict[int, Sequence[tuple[int, float]]]:
    """The favourites of the rows that favour any tokens, given all log-probabilities (rows, n_vocab)."""
    favouring = {i: row.favoured for i, row in enumerate(rows) if row.favoured and len(row.favoured.tokens)}
    if not favouring:
        return {}
    most = max(len(favoured.tokens) for favoured in favouring.values())
    tokens = torch.zeros((len(favouring), most), dtype=torch.int64)
    boosts = torch.full((len(favouring), most), -torch.inf)
    for place, favoured in enumerate(favouring.values()):
        tokens[place, : len(favoured.tokens)] = torch.tensor(favoured.tokens)
        boosts[place, : len(favoured.tokens)] = torch.tensor(favoured.boosts)
    tokens = tokens.to(logprobs.device)
    own = logprobs[list(favouring)].gather(1, tokens)
    scores, best = (own + boosts.to(logprobs.device)).topk(min(FAVOURITES, most))
    told = torch.stack((scores, tokens.gather(1, best).float(), own.gather(1, best)), dim=-1).tolist()
    return {
        i: [(int(token), logprob) for score, token, logprob in best if score > -torch.inf]
        for i, best in zip(favouring, told, strict=True)
    }


def _each_to_its_own(rows: Sequence[Row]) -> Listen:
    groups = [(audio, len(list(own))) for audio, own in groupby(rows, key=lambda row: row.past.audio)]
    sizes = [size for _, size in groups]

    def listen(layer: int, queries: Tensor) -> Tensor:
        attended = [
            attention(own, audio.keys[layer, None], audio.values[layer, None], audio.bias[None, None, None])
            for own, (audio, _) in zip(torch.split(queries.transpose(0, 2), sizes, dim=2), groups, strict=True)
        ]
        return torch.cat(attended, dim=2).transpose(0, 2)

    return listen
