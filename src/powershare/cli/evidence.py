"""What devices say of themselves, for `powershare doctor`: each is opened, asked and closed, all at the same time."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from powershare.errors import AdapterError
from powershare.metering import SupportsEvidence

PATIENCE_S = 30.0
"""The longest that one device may take altogether."""

CLOSING_S = 2.0
"""The longest that it may take to let go of it."""


@runtime_checkable
class _Asked(SupportsEvidence, Protocol):
    """A meter or an adapter that can be asked."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


def evidence_of(devices: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """What those devices say that can be asked without a change at them.

    Args:
        devices: What each is called, and its meter or adapter.

    Returns:
        Rows of a table: the device and what it says something about, and what it says.
    """
    asked = {name: device for name, device in devices.items() if isinstance(device, _Asked)}
    return asyncio.run(_rows(asked)) if asked else []


async def _rows(asked: Mapping[str, _Asked]) -> list[tuple[str, str]]:
    answers = await asyncio.gather(*map(_said, asked.values()))
    return [
        (f"{name}: {what}" if what else name, words)
        for name, said in zip(asked, answers, strict=True)
        for what, words in said.items()
    ]


async def _said(device: _Asked) -> Mapping[str, str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await device.open()
            return await device.evidence()
    except AdapterError as error:
        return {"": " ".join(str(error).splitlines())}
    except TimeoutError:
        return {"": f"said nothing within {PATIENCE_S:g} s"}
    except Exception as error:  # noqa: BLE001 - a stranger's code must not end what looks for what is wrong
        return {"": f"its adapter failed: {type(error).__name__}: {error}"}
    finally:
        await _closed(device)


async def _closed(device: _Asked) -> None:
    try:
        async with asyncio.timeout(CLOSING_S):
            await device.close()
    except Exception:  # noqa: BLE001 - closing promises not to fail; what it said is not lost for that
        return
