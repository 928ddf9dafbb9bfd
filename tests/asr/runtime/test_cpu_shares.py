"""How many engines, threads and audio workers there are, by what a machine has."""

import os
import sys

import pytest

from asr.runtime.cpu_shares import CpuShares, allocate_cpus, usable_cores, within_quota


@pytest.mark.parametrize(
    ("cores", "replicas", "threads", "audio_workers"),
    [
        (1, 1, 1, 2),
        (2, 2, 1, 2),
        (4, 2, 2, 2),
        (8, 2, 3, 2),
        (16, 4, 3, 2),
        (32, 7, 4, 4),
        (64, 8, 7, 8),
        (256, 8, 8, 8),
    ],
)
def test_cores_are_shared_out(cores: int, replicas: int, threads: int, audio_workers: int) -> None:
    assert allocate_cpus(cores) == CpuShares(replicas, threads, audio_workers)


def test_no_more_threads_than_cores() -> None:
    """And where there are many, some are left to the rest of the server."""
    for cores in range(1, 257):
        shares = allocate_cpus(cores)
        assert 1 <= shares.replicas * shares.threads <= cores - cores // 8


@pytest.mark.parametrize(
    ("cores", "gpus", "replicas", "threads"), [(16, 1, 1, 8), (16, 2, 2, 7), (64, 8, 8, 7), (4, 8, 8, 1)]
)
def test_every_gpu_has_a_replica(cores: int, gpus: int, replicas: int, threads: int) -> None:
    shares = allocate_cpus(cores, gpus)
    assert (shares.replicas, shares.threads) == (replicas, threads)


@pytest.mark.parametrize(
    ("cores", "asked", "given"),
    [
        (2, {"replicas": 2}, (2, 1)),
        (64, {"replicas": 2}, (2, 8)),
        (1, {"replicas": 3}, (3, 1)),
        (8, {"threads": 1}, (2, 1)),
        (8, {"threads": 100}, (1, 100)),
        (2, {"threads": 1}, (2, 1)),
        (2, {"threads": 2}, (1, 2)),
        (64, {"threads": 16}, (3, 16)),
        (8, {"replicas": 3, "threads": 5}, (3, 5)),
        (64, {"replicas": 1, "gpus": 4}, (1, 8)),
    ],
)
def test_what_is_asked_for_is_given(cores: int, asked: dict[str, int], given: tuple[int, int]) -> None:
    shares = allocate_cpus(cores, **asked)
    assert (shares.replicas, shares.threads) == given


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", 64),
        ("max", 64),
        ("", 64),
        ("200000 100000\n", 2),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("1000 20000", 1),
        ("12800000 100000", 64),
    ],
)
def test_a_containers_quota_counts_in_whole_cores(quota: str, cores: int) -> None:
    assert within_quota(64, quota) == cores


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
def test_a_process_that_may_use_one_core_counts_one() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
