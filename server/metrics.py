"""What operators scrape, in Prometheus' form. Counts and times only; nothing that was said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


disable_created_metrics()  # type: ignore[no-untyped-call]  # a time beside every count doubles the page and tells nothing here


class Metrics:
    """One server's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sayseek_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.errors = Counter("sayseek_errors", "Errors answered, by code.", ("code",), registry=self.registry)
        self.request_seconds = Histogram(
            "sayseek_request_seconds",
            "Seconds per request.",
            ("route",),
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "sayseek_stage_seconds",
            "Seconds per stage of a voice search: audio, queue, encode, decode, search.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.audio_seconds = Counter("sayseek_audio_seconds", "Seconds of audio received.", registry=self.registry)
        self.verdicts = Counter(
            "sayseek_clips", "Clips, by verdict on their quality.", ("verdict",), registry=self.registry
        )
        self.disconnects = Counter(
            "sayseek_disconnects", "Clips dropped because the client left.", registry=self.registry
        )

        self.utterances = Counter(
            "sayseek_utterances",
            "Utterances of listeners, by what ended them: silence, standstill, finalize, close, longest or cut off.",
            ("ended_by",),
            registry=self.registry,
        )
        self.interims = Counter(
            "sayseek_interims",
            "Readings of open utterances, by outcome: sent, untold (none are wanted), empty (no words yet) or dropped.",
            ("outcome",),
            registry=self.registry,
        )
        self.speculative_finals = Counter(
            "sayseek_speculative_finals",
            "Finals made ready when a speaker fell silent, by outcome: used, or in vain, for speech went on.",
            ("outcome",),
            registry=self.registry,
        )
        self.final_wait_seconds = Histogram(
            "sayseek_final_wait_seconds",
            "Seconds from the end of an utterance, after the silence that ends it, to its final.",
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.listeners_closed = Counter(
            "sayseek_listeners_closed",
            "Live connections that have ended, by close code.",
            ("code",),
            registry=self.registry,
        )

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Report `value()` whenever somebody scrapes."""
        Gauge(f"sayseek_{name}", meaning, registry=self.registry).set_function(value)

    def watch_total(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """The same for what only grows: a counter, whose name gets `_total` at its end."""
        self.registry.register(_WatchedTotal(f"sayseek_{name}", meaning, value))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


@dataclass(frozen=True)
class _WatchedTotal(Collector):
    """A count that somebody else keeps."""

    name: str
    meaning: str
    value: Callable[[], float]

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self.name, self.meaning, value=self.value())
