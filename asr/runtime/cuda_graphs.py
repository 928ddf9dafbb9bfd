"""A function of one tensor, captured as CUDA graphs: what the processor would launch one by one starts as a whole."""

import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    numbers: Tensor
    result: Tensor


class CudaGraphs(Generic[S]):
    """One graph for each shape, captured when it is first met; they share their memory.

    `function` takes numbers on the device and their shape. Beside them it may read and write only memory that does not
    move, until `forget`, and doing it twice must be as doing it once. A result stays until the next call. Where nothing
    can be captured, the function runs as it is, with one warning.
    """

    def __init__(self, function: Callable[[Tensor, S], Tensor], device: torch.device) -> None:
        self.work = True
        self._function = function
        self._device = device
        self._captured: dict[S, _Captured] = {}
        self._pool: Any = None  # of memory

    def __call__(self, numbers: Tensor, shape: S) -> Tensor:
        """The function's result for numbers that lie in the processor's memory."""
        if self.work and shape not in self._captured:
            self._try_to_capture(numbers, shape)
        if not self.work:
            return self._function(numbers.to(self._device), shape)
        captured = self._captured[shape]
        captured.numbers.copy_(numbers)
        captured.graph.replay()
        return captured.result

    def forget(self) -> None:
        """Capture everything anew: memory that the function uses has moved."""
        self._captured.clear()
        self._pool = None

    def _try_to_capture(self, numbers: Tensor, shape: S) -> None:
        try:
            self._captured[shape] = self._capture(numbers.to(self._device), shape)
        except RuntimeError as error:
            logger.warning("CUDA graphs do not work here, and steps take longer: %s", error)
            self.work = False
            self.forget()

    def _capture(self, numbers: Tensor, shape: S) -> _Captured:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            self._warm_up(numbers, shape)
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            # Other threads may use the device meanwhile: other engines, or clips of this one being made ready.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                result = self._function(numbers, shape)
        return _Captured(graph, numbers, result)

    def _warm_up(self, numbers: Tensor, shape: S) -> None:
        """Libraries prepare themselves when they are first used, which cannot be captured."""
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            self._function(numbers, shape)
        here.wait_stream(aside)
