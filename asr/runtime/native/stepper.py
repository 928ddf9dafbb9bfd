"""The decoder's step in int8, by kernels compiled from `decoder.c`, whose structures those here mirror."""

import copy
import ctypes
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_float, c_int32, c_void_p
from typing import cast

import torch
from torch import Tensor, nn

from asr.decoding.stepper import FAVOURITES, AudioContext, CacheEntry, Choice, Row
from asr.runtime.native.library import Kernels
from asr.runtime.native.weights import HEAD, LayerNorm, Linear, Packer, check_mirrors, check_width, panels
from asr.whisper.encoding import SILENT_BIAS, EncodedWindow, VirtualSilence
from asr.whisper.model import DecoderBlock, TextDecoder


class _Block(Structure):
    _fields_ = (
        ("attn_ln", LayerNorm),
        ("query_key_value", Linear),
        ("attn_out", Linear),
        ("cross_ln", LayerNorm),
        ("cross_query", Linear),
        ("cross_key_value", Linear),
        ("cross_out", Linear),
        ("mlp_ln", LayerNorm),
        ("mlp_in", Linear),
        ("mlp_out", Linear),
    )


class _Decoder(Structure):
    _fields_ = (
        ("state", c_int32),
        ("heads", c_int32),
        ("layers", c_int32),
        ("vocabulary", c_int32),
        ("context", c_int32),
        ("token_embedding", c_void_p),
        ("positional_embedding", c_void_p),
        ("blocks", POINTER(_Block)),
        ("ln", LayerNorm),
        ("logits", Linear),
        ("silent_frames", c_int32),
        ("silent_keys", c_void_p),
        ("silent_values", c_void_p),
        ("silent_bias", c_float),
    )


class _Row(Structure):
    _fields_ = (
        ("token", c_int32),
        ("position", c_int32),
        ("past", c_void_p),
        ("beside", c_void_p),
        ("beside_count", c_int32),
        ("cross_keys", c_void_p),
        ("cross_values", c_void_p),
        ("heard", c_int32),
        ("silent_from", c_int32),
        ("mask", c_void_p),
        ("expected", c_int32),
        ("logits", c_void_p),
        ("favoured", c_void_p),
        ("boosts", c_void_p),
        ("favoured_count", c_int32),
    )


class _Choice(Structure):
    _fields_ = (
        ("token", c_int32),
        ("runner_up", c_int32),
        ("logprob", c_float),
        ("runner_up_logprob", c_float),
        ("expected_logprob", c_float),
        ("favourite_count", c_int32),
        ("favourites", c_int32 * FAVOURITES),
        ("favourite_logprobs", c_float * FAVOURITES),
    )


class NativeStepper:
    """`asr.decoding.stepper.Stepper` on the CPU, with as many threads as PyTorch takes where it is called.

    `context` is the most tokens that a sequence may have. Raises UnsuitableModel for a model that the kernels are not
    made for.
    """

    def __init__(self, decoder: TextDecoder, silence: VirtualSilence, kernels: Kernels, *, context: int) -> None:
        dims = decoder.dims
        check_width(dims.n_text_state, dims.n_text_head)
        check_mirrors(kernels.sizes("decoder_sizes", 3), _Decoder, _Row, _Choice)
        self.precision = f"int8 ({kernels.path})"
        self._kernels = kernels
        self._context = context
        self._dims = dims
        self._silence = silence
        self._packer = Packer(kernels)
        self._decoder = self._packed(decoder)
        self._hear_silence()
        self._free: list[Tensor] = []

    def with_a_cache_of_its_own(self) -> "NativeStepper":
        """The same weights, for another thread."""
        other = copy.copy(self)
        other._free = []
        return other

    def hear(self, window: EncodedWindow) -> AudioContext:
        """Its keys and values are panels for all layers and heads."""
        encoded = window.encoded.float().contiguous()
        room = self._dims.n_text_layer * self._dims.n_text_head
        keys, values = (panels(self._kernels, room, len(encoded)) for _ in range(2))
        addresses = [c_void_p(tensor.data_ptr()) for tensor in (encoded, keys, values)]
        threads = c_int32(torch.get_num_threads())
        if self._kernels.decoder_hear(byref(self._decoder), c_int32(len(encoded)), *addresses, threads):
            raise MemoryError("there is no memory to hear with")
        return AudioContext(keys, values, torch.zeros(len(encoded)))

    def begin(self, audio: AudioContext) -> CacheEntry:
        dims = self._dims
        shape = (dims.n_text_layer, 2, dims.n_text_head, self._context, HEAD)
        return CacheEntry(self._free.pop() if self._free else torch.empty(shape), audio)

    def fork(self, past: CacheEntry, length: int) -> CacheEntry:
        copy = self.begin(past.audio)
        # By NumPy: PyTorch would share the little there is out among threads, and wait for them longer than it copies.
        copy.place.numpy()[:, :, :, :length] = past.place.numpy()[:, :, :, :length]
        return copy

    def release(self, past: CacheEntry) -> None:
        self._free.append(past.place)

    def step(self, rows: Sequence[Row]) -> list[Choice]:
        vocabulary = self._dims.n_vocab
        logits = [torch.empty(vocabulary) if row.wants_logits else None for row in rows]
        beside = [(c_void_p * len(row.beside))(*(past.place.data_ptr() for past in row.beside)) for row in rows]
        packed = (_Row * len(rows))(*map(self._packed_row, rows, logits, beside))
        choices = (_Choice * len(rows))()
        threads = c_int32(torch.get_num_threads())
        if self._kernels.decoder_step(byref(self._decoder), c_int32(len(rows)), packed, choices, threads):
            raise MemoryError("there is no memory for a step of the decoder")
        return [
            Choice(
                choice.token,
                choice.logprob,
                choice.runner_up,
                choice.runner_up_logprob,
                own,
                choice.expected_logprob,
                tuple(zip(choice.favourites, choice.favourite_logprobs, strict=True))[: choice.favourite_count],
            )
            for choice, own in zip(choices, logits, strict=True)
        ]

    def _hear_silence(self) -> None:
        heard = self.hear(EncodedWindow(self._silence.encoded))
        self._decoder.silent_frames = heard.length
        self._decoder.silent_keys = self._packer.address(heard.keys)
        self._decoder.silent_values = self._packer.address(heard.values)
        self._decoder.silent_bias = SILENT_BIAS

    def _packed(self, decoder: TextDecoder) -> _Decoder:
        dims = decoder.dims
        self._blocks = (_Block * dims.n_text_layer)(
            *(self._packed_block(block) for block in decoder.blocks if isinstance(block, DecoderBlock))
        )
        return _Decoder(
            dims.n_text_state,
            dims.n_text_head,
            dims.n_text_layer,
            dims.n_vocab,
            self._context,
            self._packer.address(decoder.token_embedding.weight),
            self._packer.address(decoder.positional_embedding),
            self._blocks,
            self._packer.layer_norm(decoder.ln),
            self._packer.linear(decoder.token_embedding.weight, None),
        )

    def _packed_block(self, block: DecoderBlock) -> _Block:
        attn, cross = block.attn, block.cross_attn
        mlp_in, mlp_out = cast(nn.Linear, block.mlp[0]), cast(nn.Linear, block.mlp[2])
        no_bias = torch.zeros_like(attn.query.bias)
        return _Block(
            self._packer.layer_norm(block.attn_ln),
            self._packer.linear(
                torch.cat((attn.query.weight, attn.key.weight, attn.value.weight)),
                torch.cat((attn.query.bias, no_bias, attn.value.bias)),
            ),
            self._packer.linear(attn.out.weight, attn.out.bias),
            self._packer.layer_norm(block.cross_attn_ln),
            self._packer.linear(cross.query.weight * HEAD**-0.5, cross.query.bias * HEAD**-0.5),
            self._packer.linear(
                torch.cat((cross.key.weight, cross.value.weight)), torch.cat((no_bias, cross.value.bias))
            ),
            self._packer.linear(cross.out.weight, cross.out.bias),
            self._packer.layer_norm(block.mlp_ln),
            self._packer.linear(mlp_in.weight, mlp_in.bias),
            self._packer.linear(mlp_out.weight, mlp_out.bias),
        )

    def _packed_row(self, row: Row, logits: Tensor | None, beside: "ctypes.Array[c_void_p]") -> _Row:
        heard, favoured = row.past.audio, row.favoured
        length = heard.length
        return _Row(
            row.token,
            row.position,
            row.past.place.data_ptr(),
            ctypes.addressof(beside),
            len(beside),
            heard.keys.data_ptr(),
            heard.values.data_ptr(),
            length,
            self._silence.after(length),
            None if row.mask is None else row.mask.data_ptr(),
            row.expected or 0,
            None if logits is None else logits.data_ptr(),
            None if favoured is None else favoured.tokens.ctypes.data,
            None if favoured is None else favoured.boosts.ctypes.data,
            0 if favoured is None else len(favoured.tokens),
        )
