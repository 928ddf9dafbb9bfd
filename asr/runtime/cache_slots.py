"""Memory of one shape for many, each at its own number: taken, given back, and taken again."""

from collections.abc import Sequence

import torch
from torch import Tensor


class CacheSlots:
    """Tensors of the given shapes with a dimension before: the slots. They keep the dtype and device of `like`.

    Where no slot is free, `at_once` more are made, and what there is moves to other addresses.
    """

    def __init__(self, like: Tensor, shapes: Sequence[Sequence[int]], at_once: int) -> None:
        self.tensors = [like.new_zeros(0, *shape) for shape in shapes]
        self._at_once = at_once
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.tensors[0])

    def take(self) -> int:
        if not self._free:
            first = len(self)
            tensors = [torch.cat((old, old.new_zeros(self._at_once, *old.shape[1:]))) for old in self.tensors]
            # Only now: where memory runs out, no slot is given that does not exist.
            self.tensors = tensors
            self._free = list(reversed(range(first, len(self))))
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        self._free.append(slot)
