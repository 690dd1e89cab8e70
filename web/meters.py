"""The server's metrics, for Prometheus."""

from collections.abc import Sequence
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixquery.engine.answers import Milliseconds
from pixquery.web.gate import Gate

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Meters:
    """Counts and times of requests, times of a search's stages, and lengths of queues."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        """Reports the queues of ``gates``."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "pixquery_requests", "Requests by route and status.", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "pixquery_request_seconds", "Time from request head to end of answer.", ("route",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._stages = Histogram(
            "pixquery_search_seconds", "Time of each stage of a search.", ("stage",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_Queues(gates))
        ProcessCollector(registry=self._registry)

    def search(self, stages: Milliseconds) -> None:
        """Records how long the stages of a search took."""
        for stage in ("encode", "prefilter", "rerank", "total"):
            self._stages.labels(stage).observe(getattr(stages, stage) / 1e3)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def watch(self, app: ASGIApp) -> ASGIApp:
        """Wraps an app so that its requests are counted and timed."""

        async def watch(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status, begin = "500", perf_counter()

            async def note_status(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, note_status)
            finally:
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._requests.labels(method, route, status).inc()
                self._seconds.labels(route).observe(perf_counter() - begin)

        return watch


class _Queues(Collector):
    """The length of each queue, read when Prometheus asks."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = gates

    def collect(self) -> list[GaugeMetricFamily]:
        """One value per gate."""
        family = GaugeMetricFamily(
            "pixquery_queue_length", "Requests that run or wait.", labels=("queue",)
        )
        for gate in self._gates:
            family.add_metric([gate.name], gate.inside)
        return [family]
