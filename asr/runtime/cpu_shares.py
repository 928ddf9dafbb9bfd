"""How the processors are shared out: to replicas of the engine, and to all that goes on beside them.

- A decoder's step reads every weight once and does little with it: it is bound by memory, and gains little beyond a
  few threads. The encoder gains for longer, but parts of it are done by one thread while others wait. So where there
  are cores enough they go to several replicas of a few threads each, which fill each other's gaps.
- A replica takes the threads of those that have nothing to do. On two cores two replicas give 16 clients 14% more
  answers than one, and a client who is alone the same; without that it would wait 1.4 times as long. Two replicas that
  always have two threads each are no faster than one (`base`, through HTTP). More cores have not been measured.
- Replicas live in one process, whose Python runs in one thread at a time: some 7 to 10 ms of a clip, which is the time
  that a dozen cores need for the rest of it with `base`. With larger models more cores keep busy. Where there are more
  than that, replicas get more threads, which serves the single clip; a second server serves more clips.
- The event loop, search and voice activity detection need little, and audio is decoded in processes that need some
  milliseconds of a clip. Where there are few cores all make do with the gaps; of many, an eighth is left to them.
- A GPU has a replica of its own, whose threads only compute log-mel spectrograms.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

THREADS = 8  # of a replica at most: more are no use to one clip
CORES = 4  # of a replica at most, while others are at work and before there are as many replicas as may be
REPLICAS = 8  # on the CPU at most
BESIDE = 8  # one core of so many is left to the rest
AUDIO_WORKERS = (2, 8)  # at least, so that one hostile file does not hold up all others; and at most


@dataclass(frozen=True)
class CpuShares:
    """How many engines, how many threads each of them has while all work, and how many processes decode audio."""

    replicas: int
    threads: int
    audio_workers: int


def allocate_cpus(cores: int, gpus: int = 0, *, replicas: int = 0, threads: int = 0) -> CpuShares:
    """Share out the cores that the process may use; 0 replicas or threads: as many as serve best."""
    left = cores - cores // BESIDE
    replicas = replicas or gpus or min(REPLICAS, max(min(2, left), -(-left // CORES)), max(1, left // (threads or 1)))
    threads = threads or min(THREADS, max(1, left // replicas))
    fewest, most = AUDIO_WORKERS
    return CpuShares(replicas, threads, min(most, max(fewest, cores // BESIDE)))


def usable_cores() -> int:
    """As many as the process may use: of those that there are, by its affinity and its container's quota."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return within_quota(usable, _container_quota())


def within_quota(cores: int, quota: str) -> int:
    """Of so many cores those that a quota leaves, at least one; the quota as in Linux' cpu.max, microseconds of all.

    A part of a core is none: a thread too many is stopped by the quota in the middle of its work, and all wait for it.
    """
    share, _, period = quota.partition(" ")
    return max(1, min(cores, int(share) // int(period))) if share.isdigit() else cores


def _container_quota() -> str:
    try:
        return Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii")
    except (OSError, ValueError):  # not Linux, cgroup v1, or no quota
        return "max"
