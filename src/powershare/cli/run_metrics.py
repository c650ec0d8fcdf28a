"""Metrics of `powershare run` for Prometheus; needs the extra `metrics`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from powershare import __version__, _native
from powershare.driver import Driver, Snapshot
from powershare.errors import AdapterUnavailable
from powershare.units import Line, amps

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_ANSWER_S = 2.0
"""How long a collector waits for the driver; it answers between two of its own tasks."""


@contextmanager
def served(driver: Driver, host: str, port: int) -> Iterator[str]:
    """Serve the driver's figures while the context lasts.

    Args:
        driver: The driver, whose event loop is running.
        host: Where to listen.
        port: Where to listen; 0: a free port.

    Raises:
        AdapterUnavailable: The extra is not installed, or the port cannot be used.
    """
    if find_spec("prometheus_client") is None:
        raise AdapterUnavailable("metrics need prometheus-client; install it with: pip install 'powershare[metrics]'")
    import prometheus_client

    registry = prometheus_client.CollectorRegistry()
    registry.register(_Collector(driver, asyncio.get_running_loop()))
    try:
        server, thread = prometheus_client.start_http_server(port, host, registry)
    except OSError as error:
        raise AdapterUnavailable(f"metrics cannot be served at {host}:{port}: {error.strerror}") from None
    try:
        yield f"http://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Collector:
    """Asks the driver, in the driver's own thread, each time somebody asks here."""

    def __init__(self, driver: Driver, loop: asyncio.AbstractEventLoop) -> None:
        self._driver, self._loop = driver, loop

    def describe(self) -> list["Metric"]:
        """Nothing: what there is depends on the driver, which need not be ready when this is registered."""
        return []

    def collect(self) -> Iterator["Metric"]:
        """The present figures."""

        async def look() -> Snapshot:
            return self._driver.snapshot()

        yield from families(asyncio.run_coroutine_threadsafe(look(), self._loop).result(_ANSWER_S))


def families(snapshot: Snapshot) -> Iterator["Metric"]:
    """The snapshot as metrics; amperes are base units."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    build = GaugeMetricFamily("powershare_build_info", "What serves.", labels=["version", "backend"])
    build.add_metric([__version__, _native.backend], 1)
    yield build
    offered = GaugeMetricFamily(
        "powershare_connector_offered_amperes", "The most the device may be offering.", labels=["connector"]
    )
    told = GaugeMetricFamily("powershare_connector_told_amperes", "What the device is told.", labels=["connector"])
    drawn = GaugeMetricFamily(
        "powershare_connector_drawn_amperes", "What the vehicle draws.", labels=["connector", "line"]
    )
    reached = GaugeMetricFamily("powershare_connector_reached", "Whether the device answers.", labels=["connector"])
    errors = CounterMetricFamily(
        "powershare_adapter_errors", "Answers that were missing.", labels=["connector", "kind"]
    )
    for view in snapshot.connectors:
        name = view.connector
        offered.add_metric([name], amps(view.most_offered_ma))
        reached.add_metric([name], int(view.reached))
        if view.pilot is not None:
            told.add_metric([name], amps(view.pilot.offer_ma))
        if view.reading is not None and view.reading.drawn_ma is not None:
            for place, figure_ma in enumerate(view.reading.drawn_ma, 1):
                drawn.add_metric([name, str(place)], amps(figure_ma))
        for kind, count in view.errors.items():
            errors.add_metric([name, kind], count)
    yield from (offered, told, drawn, reached, errors)
    limit = GaugeMetricFamily("powershare_circuit_limit_amperes", "The circuit's limit.", labels=["circuit", "line"])
    load = GaugeMetricFamily(
        "powershare_circuit_offered_amperes",
        "The most that the circuit's connectors may be offering.",
        labels=["circuit", "line"],
    )
    for circuit in snapshot.circuits:
        for place, (limit_ma, offered_ma) in enumerate(zip(circuit.limit_ma, circuit.offered_ma, strict=True)):
            limit.add_metric([circuit.circuit, str(Line(place))], amps(limit_ma))
            load.add_metric([circuit.circuit, str(Line(place))], amps(offered_ma))
    yield from (limit, load)
