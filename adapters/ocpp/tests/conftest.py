"""What runs in real time, on sockets, is `slow`: it mostly waits, and may run beside the rest."""

import pytest

REAL_TIME = ("OverSockets",)
"""What the names of such tests have in them."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(name in item.nodeid for name in REAL_TIME):
            item.add_marker(pytest.mark.slow)
