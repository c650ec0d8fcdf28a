"""The trace of a run on real files: whatever the disk does, what is there is a trace, and writing is tried again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from powershare.driver import Recorder
from powershare.driver.recorder import AGAIN_MS
from powershare.errors import FormatError
from powershare.files import TraceHeader, read_trace
from powershare.site import Circuit, Connector, Site, Supply
from powershare.trace import ConnectorEvent

SITE = Site(
    supply=Supply.SINGLE_PHASE,
    circuits=(Circuit(id="feeder", limit_ma=32_000),),
    connectors=(Connector(id="north", circuit="feeder"), Connector(id="south", circuit="feeder")),
)
HEADER = TraceHeader(SITE, datetime(2026, 1, 31, 17, tzinfo=UTC), "monotonic")

# What it does beyond the size that a file may have, in a process of its own: the bound goes with the process.
BOUND = """
import resource, sys
from pathlib import Path
from tests.unit.test_driver_recorder import HEADER, event, recorder
path, said = Path(sys.argv[1]), []
one = recorder(path, said)
one.write(event(0), 0)
whole = path.stat().st_size
room = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (whole + room, resource.RLIM_INFINITY))
one.write(event(1_000), 1_000)
one.write(event(2_000), 2_000)
sizes = [whole, path.stat().st_size]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
one.write(event(3_000), 3_000)
sizes.append(path.stat().st_size)
one.write(event(int(sys.argv[3])), 9_000)
one.close()
print(sizes)
print("\\n".join(said))
"""


def event(t_ms: int, connector: str = "north", pilot_ma: int = 6_000) -> ConnectorEvent:
    return ConnectorEvent(t_ms=t_ms, connector=connector, pilot_ma=pilot_ma, drawn_ma=0, state="B")


def present() -> Iterator[ConnectorEvent]:
    return (event(8_999, name, 8_000) for name in ("north", "south"))


def recorder(path: Path, said: list[str]) -> Recorder:
    return Recorder(path, HEADER, present, lambda _about, words: said.append(words))


def events(path: Path) -> list[ConnectorEvent]:
    return [one for one in read_trace(path) if isinstance(one, ConnectorEvent)]


def open_files() -> int:
    """How many this process has open, where that can be known."""
    shown = Path("/proc/self/fd")
    return len(tuple(shown.iterdir())) if shown.exists() else 0


def test_every_event_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path, said = tmp_path / "trace.ndjson", list[str]()
    one = recorder(path, said)
    for place, t_ms in enumerate((0, 1_000, 2_000), 1):
        one.write(event(t_ms), t_ms)
        assert len(path.read_text(encoding="utf-8").splitlines()) == 1 + place
    one.close()
    assert [found.t_ms for found in events(path)] == [0, 1_000, 2_000]
    assert not said


def test_a_file_that_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "trace.ndjson"
    path.write_text("something else\n" * 1_000, encoding="utf-8")
    recorder(path, []).close()
    assert not events(path)


@pytest.mark.parametrize("room", [0, 1, 40])
@pytest.mark.parametrize("t_ms", [9_000, 8_998])
def test_a_line_that_was_cut_off_is_taken_back_and_writing_goes_on_when_there_is_room(
    tmp_path: Path, t_ms: int, room: int
) -> None:
    path = tmp_path / "trace.ndjson"
    done = subprocess.run(
        [sys.executable, "-c", BOUND, str(path), str(room), str(t_ms)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert not done.stderr
    sizes, *said = done.stdout.splitlines()
    whole, full, waiting = map(int, sizes.strip("[]").split(","))
    assert whole == full == waiting, "not before its time"
    assert [(one.t_ms, one.connector) for one in events(path)] == [
        (0, "north"),
        (8_999, "north"),  # how everything is, after the gap
        (8_999, "south"),
        *([(t_ms, "north")] if t_ms > 8_999 else []),  # time never goes back, and it is in the present state
    ]
    assert len(said) == 2
    assert "File too large; the trace has a gap from here on, regulation goes on" in said[0]
    assert said[1] == "is written again; 3 lines of this trace are missing"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_is_full_from_the_start_is_refused_and_nothing_stays_open() -> None:
    before = open_files()
    with pytest.raises(FormatError) as caught:
        recorder(Path("/dev/full"), [])
    assert "cannot be written: No space left on device" in str(caught.value)
    assert open_files() == before


@pytest.mark.parametrize("name", ["missing/trace.ndjson", "."])
def test_a_file_that_cannot_be_made_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError) as caught:
        recorder(tmp_path / name, [])
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_stays_full_is_said_once_and_tried_every_few_seconds(tmp_path: Path) -> None:
    path, said = tmp_path / "trace.ndjson", list[str]()
    one = recorder(path, said)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, one._file)
    os.close(full)
    for t_ms in range(0, 4 * AGAIN_MS, 500):
        one.write(event(t_ms), t_ms)
    one.close()
    assert len(said) == 1
