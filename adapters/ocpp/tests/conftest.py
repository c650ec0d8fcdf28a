"""What runs in real time, on sockets, is `slow`: it mostly waits, and may run beside the rest."""

import socket

import pytest

from powershare_ocpp.emulated.voice16 import Voice16
from powershare_ocpp.emulated.voice201 import Voice201
from powershare_ocpp.upstream import behind

from .sockets import HOST
from .stations import Yard

REAL_TIME = ("OverSockets",)
"""What the names of such tests have in them."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(name in item.nodeid for name in REAL_TIME):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=[Voice16, Voice201], ids=["1.6", "2.0.1"])
def spoken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """The version that emulated stations speak; a test that uses this is made once for each."""
    monkeypatch.setattr(Yard, "spoken", request.param)
    return request.param


@pytest.fixture
def tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ports() -> tuple[int, int]:
    """Two TCP ports that nobody listens at."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a central system behind nobody waits longer than needed; what is shortened is time, and nothing else."""
    monkeypatch.setattr(behind, "_RETRY_S", (0.05,))
    monkeypatch.setattr(behind, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(behind, "_AGAIN_S", 0.02)
