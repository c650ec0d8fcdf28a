"""What devices say of themselves: every one is asked, none can spoil it for the others, and all are let go of."""

import asyncio
from collections.abc import Mapping

import attrs
import pytest

from powershare.cli import evidence
from powershare.errors import AdapterUnavailable
from powershare.metering import SupportsEvidence


@attrs.define
class Device:
    """A device that says what the test wants, or fails as it wants."""

    said: Mapping[str, str] | BaseException
    opens: bool = True
    calls: list[str] = attrs.field(factory=list)

    async def open(self) -> None:
        self.calls.append("open")
        if not self.opens:
            raise AdapterUnavailable("nobody\nis there")

    async def evidence(self) -> Mapping[str, str]:
        self.calls.append("evidence")
        await asyncio.sleep(0)
        if isinstance(self.said, BaseException):
            raise self.said
        return self.said

    async def close(self) -> None:
        self.calls.append("close")
        raise RuntimeError("it will not close")


def test_each_device_says_its_own_and_is_let_go_of() -> None:
    panel, north = Device({"firmware": "25.34", "alerts": "none"}), Device({"firmware": "055.7"})
    assert isinstance(panel, SupportsEvidence)
    rows = list(evidence.evidence_of({"meter of panel": panel, "connector north": north}))
    assert rows == [
        ("meter of panel: firmware", "25.34"),
        ("meter of panel: alerts", "none"),
        ("connector north: firmware", "055.7"),
    ]
    assert panel.calls == north.calls == ["open", "evidence", "close"]


def test_a_device_that_cannot_be_asked_is_left_alone() -> None:
    """Opening may pause a device; whoever does not say that it changes nothing is not opened."""

    class Plain:
        async def open(self) -> None:
            raise AssertionError("it was opened")

        async def close(self) -> None:
            raise AssertionError("it was closed")

    assert list(evidence.evidence_of({"connector north": Plain()})) == []


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (Device({}, opens=False), "nobody is there"),
        (Device(AdapterUnavailable("it broke off")), "it broke off"),
        (Device(ValueError("a stranger's")), "its adapter failed: ValueError: a stranger's"),
    ],
)
def test_what_fails_is_said_and_spoils_nothing(device: Device, words: str) -> None:
    other = Device({"firmware": "25.34"})
    rows = list(evidence.evidence_of({"meter of left": device, "meter of right": other}))
    assert rows == [("meter of left", words), ("meter of right: firmware", "25.34")]
    assert device.calls[-1] == "close"


def test_a_device_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Device):
        async def evidence(self) -> Mapping[str, str]:
            await asyncio.Event().wait()
            return {}

    monkeypatch.setattr(evidence, "PATIENCE_S", 0.05)
    silent = Silent({})
    assert list(evidence.evidence_of({"meter of panel": silent})) == [("meter of panel", "said nothing within 0.05 s")]
    assert silent.calls[-1] == "close"
