"""Stations that others have written, from npm, led over real WebSockets; skipped where they are not installed.

    npm install --prefix DIR --no-audit --no-fund --ignore-scripts \
        ocpp-ws-cli@1.1.12 charger-simulator@1.0.1 @push-rpc/core@1.2.9
    POWERSHARE_OCPP_STATIONS=DIR pytest adapters/ocpp/tests/test_station_software.py

`ocpp-ws-cli` (1.6 and 2.0.1) accepts every profile and ignores it. `charger-simulator` (1.6) knows no profiles at all;
it needs that version of its library, since it does not run with later ones.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from powershare.adapter import HostClock, Offer
from powershare.errors import AdapterRejected, AdapterTimeout
from powershare_ocpp import OcppAdapter

from .upstreams import HOST, Csms, profile_of, until

pytestmark = pytest.mark.slow
_T = TypeVar("_T")

INSTALL = (
    "npm install --prefix DIR --no-audit --no-fund --ignore-scripts "
    "ocpp-ws-cli@1.1.12 charger-simulator@1.0.1 @push-rpc/core@1.2.9"
)
GREATEST_MA = 16_000
SIMULATOR = """
const {ChargerSimulator} = require(process.argv[1] + "/node_modules/charger-simulator/dist/ChargerSimulator");
(async () => {
  const station = new ChargerSimulator({
    centralSystemEndpoint: process.argv[2], chargerIdentity: "SIM",
    startDelayMs: 100, stopDelayMs: 100, meterValuesIntervalSec: 1,
  });
  await station.start();
  await station.centralSystem.BootNotification({chargePointVendor: "Test", chargePointModel: "1"});
  await station.centralSystem.StatusNotification({connectorId: 1, errorCode: "NoError", status: "Available"});
})();
"""


@pytest.fixture
def software() -> Path:
    folder = os.environ.get("POWERSHARE_OCPP_STATIONS")
    if folder is None or shutil.which("node") is None:
        pytest.skip(f"needs node, and POWERSHARE_OCPP_STATIONS=DIR after: {INSTALL}")
    return Path(folder)


@asynccontextmanager
async def running(words: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of somebody else's program."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec("node", *words, stdin=pipe, stdout=nowhere, stderr=nowhere)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Ask again where the answer is late: it says its meter's values 1.5 s after it was asked for them."""
    for _ in range(4):
        with contextlib.suppress(AdapterTimeout):
            return await ask()
    return await ask()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_one_that_accepts_and_ignores_is_never_believed(
    software: Path, ports: tuple[int, int], tmp_path: Path, version: str
) -> None:
    """Its answer to every order is `Accepted`. It does not say what it offers, and counts with all that it can."""

    async def test() -> None:
        clock = HostClock()
        rest = f"SIM/1?listen={HOST}:{ports[0]}&greatest_a={GREATEST_MA // 1000}&wait_s=30"
        adapter = OcppAdapter(rest, clock=clock)
        words = [str(software / "node_modules/ocpp-ws-cli/dist/index.js"), "simulate"]
        words += ["-e", f"ws://{HOST}:{ports[0]}/ocpp", "-i", "SIM", "-p", f"ocpp{version}", "--id-tag", "TAG"]
        words += ["--report", "json", "--report-dir", str(tmp_path)]
        async with asyncio.timeout(90), running(words) as process:
            await adapter.open()
            try:
                assert (await patiently(adapter.read)).state == "A"
                assert process.stdin is not None
                process.stdin.write(b"t")  # a person begins a transaction
                await process.stdin.drain()
                async with asyncio.timeout(40):
                    while (await patiently(adapter.read)).state != "C":  # noqa: ASYNC110 - only asking tells
                        await asyncio.sleep(0.1)
                for offered_ma in (10_000, 6_000, 0):
                    offer = Offer(offered_ma=offered_ma, valid_until_ms=clock.now_ms() + 30_000, then_ma=0)
                    assert (await patiently(partial(adapter.offer, offer))).offered_ma is None
                    reading = await patiently(adapter.read)
                    assert (reading.offered_ma, reading.state) == (GREATEST_MA, "C")
            finally:
                await adapter.close()

    asyncio.run(test())


def test_one_without_profiles_is_named_and_goes_on_with_who_is_behind(
    software: Path, ports: tuple[int, int], tmp_path: Path
) -> None:
    async def test() -> None:
        clock, csms = HostClock(), Csms(ports[1])
        rest = f"SIM/1?listen={HOST}:{ports[0]}&wait_s=30&upstream=ws://{HOST}:{ports[1]}/csms"
        adapter = OcppAdapter(f"{rest}&upstream_store={tmp_path}/store", clock=clock)
        words = ["-e", SIMULATOR, str(software), f"ws://{HOST}:{ports[0]}/ocpp"]
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            stack.push_async_callback(csms.close)
            await csms.open()
            await stack.enter_async_context(running(words))
            stack.push_async_callback(adapter.close)
            await adapter.open()
            await until(lambda: bool(csms.of("BootNotification")))
            wish = {"connectorId": 1, "idTag": "GUEST", "chargingProfile": profile_of(9, "TxProfile")}
            assert (await csms.ask("RemoteStartTransaction", wish))[2] == {"status": "Accepted"}
            await until(lambda: bool(csms.of("StartTransaction")))
            assert csms.of("StartTransaction")[0]["idTag"] == "GUEST"
            await until(lambda: bool(csms.of("MeterValues")))
            assert csms.of("MeterValues")[0]["transactionId"] == 77, "the number that was given behind"
            limit = adapter.outside_limit()
            assert limit is not None
            assert limit.most_ma == 9_000, "the profile stayed here"
            with pytest.raises(AdapterRejected):
                await adapter.offer(Offer(offered_ma=10_000, valid_until_ms=clock.now_ms() + 10_000, then_ma=0))
            assert (await csms.ask("RemoteStopTransaction", {"transactionId": 77}))[2] == {"status": "Accepted"}
            await until(lambda: bool(csms.of("StopTransaction")))
            assert csms.of("StopTransaction")[0]["transactionId"] == 77

    asyncio.run(test())
