"""Metrics and the request id. Neither holds anything about a person or a document."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

MULTIPROCESS_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's own variable. ``absah serve`` sets it before it starts several processes; each then
writes its numbers to files there, and whichever process answers ``/metrics`` adds them up."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that is looked up when somebody asks, instead of being counted along the way."""

    name: str
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Readings = Callable[[], Iterable[Reading]]
"""A source of readings. Those of one name have the same labels."""


class Metrics:
    """The counters of one process, and the readings that any process can take."""

    def __init__(self, readings: Sequence[Readings] = ()) -> None:
        self.registry = CollectorRegistry()
        self._readings = _Readings(readings)
        self.registry.register(self._readings)
        self.requests = Counter(
            "absah_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "absah_http_request_seconds",
            "Time from the request's arrival to the end of its answer.",
            ("route",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )

        self.hsm_errors = Counter(
            "absah_hsm_errors",
            "Errors of the PKCS #11 token or its library.",
            ("error",),
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Prometheus text format; over all processes when there are several."""
        if MULTIPROCESS_DIR not in os.environ:
            return generate_latest(self.registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        everyone.register(self._readings)
        return generate_latest(everyone)


class _Readings(Collector):
    def __init__(self, readings: Sequence[Readings]) -> None:
        self._readings = readings

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering takes no reading."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What cannot be read is left out: the counters beside it are needed most when things fail."""
        families: dict[str, GaugeMetricFamily] = {}
        for source in self._readings:
            try:
                taken = list(source())
            except Exception as cause:  # noqa: BLE001 - whatever it is, the answer goes without
                log.warning("reading_failed", error=type(cause).__name__)
                continue
            for reading in taken:
                family = families.get(reading.name)
                if family is None:
                    family = GaugeMetricFamily(reading.name, reading.meaning, labels=list(reading.labels))
                    families[reading.name] = family
                family.add_metric(list(reading.labels.values()), reading.value)
        return list(families.values())


class TelemetryMiddleware:
    """Gives each request an id, counts it, and measures it. Routes are counted by template, never by path:
    a path holds a document's id.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _incoming_id(scope) or secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.requests.labels(_method(scope["method"]), route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)


def _method(name: str) -> str:
    """Methods are the caller's words; a counter per invented one would be a leak of memory."""
    return name if name in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"


def _incoming_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else None
    return None
