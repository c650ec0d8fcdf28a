"""What runs in real time, on sockets and in processes, is `slow`: it mostly waits, and may run beside the rest."""

import signal
from pathlib import Path

import pytest

from powershare_http.charger.map_file import load_map

from .benches import WATCHDOG_MAP, VirtualBench

# A shell starts what it runs in the background with interrupts ignored, and every child would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REAL_TIME = ("OnRealSockets", "test_run_")
"""What the names of such tests have in them."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(name in item.nodeid for name in REAL_TIME):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def watchdog_bench(tmp_path: Path) -> VirtualBench:
    """A device with a watchdog, by a map of one's own."""
    path = tmp_path / "box.toml"
    path.write_text(WATCHDOG_MAP, encoding="utf-8")
    return VirtualBench(load_map(str(path)), "map", f"?map={path}")
