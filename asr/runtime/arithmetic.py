"""What the CPU can compute the network with: PyTorch in float32 or bfloat16, or one of the compiled kernels in int8.

Each makes an encoder and a decoder's stepper of a model's parts; the two parts need not be computed alike.
"""

import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from asr.decoding.stepper import Stepper
from asr.runtime.native.encoder import NativeEncoder
from asr.runtime.native.library import Kernels, NativeUnavailable, load_kernels
from asr.runtime.native.stepper import NativeStepper
from asr.runtime.precision import AUTO_INSTRUCTIONS, Precision
from asr.runtime.torch_stepper import TorchStepper
from asr.whisper.encoding import Encoder, VirtualSilence
from asr.whisper.model import AudioEncoder, TextDecoder

logger = logging.getLogger(__name__)

Part = TypeVar("Part", bound=torch.nn.Module)


class Arithmetic(Protocol):
    """One way to compute the network on the CPU; `name` is for people, and what a measurement is kept by."""

    @property
    def name(self) -> str: ...

    def encoder(self, encoder: AudioEncoder, silence: VirtualSilence | None = None) -> Encoder:
        """`silence` is the encoder's own, where it has been encoded before."""

    def steppers(self, decoder: TextDecoder, silence: VirtualSilence, context: int, count: int = 1) -> list[Stepper]:
        """So many steppers that read the same weights, each with a cache of its own."""


@dataclass(frozen=True)
class InTorch:
    """PyTorch's own operations."""

    kind: torch.dtype

    @property
    def name(self) -> str:
        return str(self.kind).removeprefix("torch.")

    def encoder(self, encoder: AudioEncoder, silence: VirtualSilence | None = None) -> Encoder:
        return Encoder(self._converted(encoder), silence=silence)

    def steppers(self, decoder: TextDecoder, silence: VirtualSilence, context: int, count: int = 1) -> list[Stepper]:
        converted = self._converted(decoder)
        return [TorchStepper(converted, silence, context=context) for _ in range(count)]

    def _converted(self, part: Part) -> Part:
        return part if next(part.parameters()).dtype is self.kind else deepcopy(part).to(self.kind)


@dataclass(frozen=True)
class InInt8:
    """Compiled kernels, weights in int8; the convolutions are PyTorch's, in what the processor is best at."""

    kernels: Kernels

    @property
    def name(self) -> str:
        return f"int8 ({self.kernels.path})"

    def encoder(self, encoder: AudioEncoder, silence: VirtualSilence | None = None) -> Encoder:
        return NativeEncoder(encoder, self.kernels, convolutions=best_in_torch(), silence=silence)

    def steppers(self, decoder: TextDecoder, silence: VirtualSilence, context: int, count: int = 1) -> list[Stepper]:
        stepper = NativeStepper(decoder, silence, self.kernels, context=context)
        return [stepper, *(stepper.with_a_cache_of_its_own() for _ in range(count - 1))]


def candidates(precision: Precision, instructions: str = AUTO_INSTRUCTIONS) -> list[Arithmetic]:
    """What `precision` allows here, of the kernels those for `instructions` alone where they are named.

    Where the network was not compiled, AUTO does with PyTorch. Raises NativeUnavailable where nothing is left.
    """
    named = instructions != AUTO_INSTRUCTIONS
    if precision in (Precision.FLOAT32, Precision.BFLOAT16):
        if named:
            raise NativeUnavailable(f'instructions are of int8: with precision {precision} leave "{instructions}" out')
        return [InTorch(getattr(torch, precision))]
    try:
        kernels = load_kernels()
    except NativeUnavailable as error:
        if precision is not Precision.AUTO or named:
            raise
        logger.warning("the model runs in PyTorch, several times slower: %s", error)
        return in_torch()
    if named and instructions not in kernels:
        raise NativeUnavailable(
            f'there are no kernels for the instructions "{instructions}" here; there are: {", ".join(kernels)}'
        )
    chosen = [InInt8(own) for own in reversed(kernels.values()) if not named or own.path == instructions]
    return [*chosen, *(in_torch() if precision is Precision.AUTO and not named else ())]


def in_torch() -> list[Arithmetic]:
    """What may be the fastest in PyTorch."""
    return [InTorch(kind) for kind in dict.fromkeys((best_in_torch(), torch.float32))]


def best_in_torch() -> torch.dtype:
    """bfloat16 where the processor multiplies it itself; elsewhere it is slower than float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
