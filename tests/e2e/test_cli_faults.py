"""`powershare faults`: storms from the command line, the same bytes from the same seed, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.program import SITE, run, write

from powershare.simulation.network import ABOUT
from powershare.simulation.network.invariants import NAMES

STEP = SITE.replace("breaker_a = 40", "breaker_a = 40\nother_load_worst_a = 10")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write(tmp_path, "site.toml", STEP)


def report(*arguments: str | Path, hash_seed: str = "random") -> dict[str, Any]:
    done = run("faults", *arguments, "--json", PYTHONHASHSEED=hash_seed)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_same_seed_writes_the_same_bytes_whatever_the_hash_seed(site: Path, tmp_path: Path) -> None:
    written: list[bytes] = []
    figures: list[dict[str, Any]] = []
    for hash_seed in ("0", "1", "random"):
        trace = tmp_path / f"{hash_seed}.ndjson"
        arguments = (site, "--seed", "11", "--hours", "0.1", "--faults", "all", "--trace", trace)
        found = report(*arguments, hash_seed=hash_seed)
        del found["wall_s"]
        figures.append(found)
        written.append(trace.read_bytes())
    assert len(written[0]) > 5_000
    assert written[0] == written[1] == written[2]
    assert figures[0] == figures[1] == figures[2]


def test_many_seeds_in_many_processes_add_up_as_in_one(site: Path) -> None:
    alone, together = (
        report(site, "--seeds", "3..5", "--hours", "0.05", "--faults", "inside", "--jobs", jobs) for jobs in ("1", "3")
    )
    assert alone.pop("wall_s") > 0
    assert together.pop("wall_s") > 0
    assert alone == together
    assert alone["seeds"] == [3, 4, 5]


def test_json_has_every_figure_that_is_promised(site: Path) -> None:
    found = report(site, "--hours", "0.2", "--faults", "all", "--loss", "20")
    assert found["schema"] == "powershare/faults/1"
    assert found["seed"] == 1
    assert found["connector_hours"] == 0.4
    assert found["limits_broken"] == 0
    assert found["messages"] > found["lost"] > found["messages"] // 10
    assert found["events"] > 1_000
    assert found["leader_changes"] >= 1
    assert {"crashes", "partitions", "served_percent", "wall_s"} <= set(found)
    assert set(found["outside"]) == {"done", "limits_broken", "back_under_s"}
    assert list(found["invariants"]) == list(NAMES)
    assert all(one["failed"] == 0 for one in found["invariants"].values())
    assert sum(one["checked"] for one in found["invariants"].values()) > found["events"]


def test_a_trace_of_a_storm_is_judged_by_trace_check(site: Path, tmp_path: Path) -> None:
    trace = tmp_path / "storm.ndjson"
    report(site, "--seed", "2", "--hours", "0.5", "--faults", "inside", "--trace", trace)
    done = run("trace", "check", site, trace)
    assert (done.returncode, done.stderr) == (0, "")
    told = {row.get("event", "").split(" ")[0] for row in map(json.loads, trace.read_text().splitlines())}
    assert told >= {"plugged_in", "raise", "crashed", "restarted", "leads"}


def test_every_seed_of_many_has_its_own_trace(site: Path, tmp_path: Path) -> None:
    arguments = ("--hours", "0.1", "--faults", "inside")
    report(site, "--seeds", "3..4", *arguments, "--traces", tmp_path / "traces")
    report(site, "--seed", "4", *arguments, "--trace", tmp_path / "alone.jsonl")
    assert sorted(path.name for path in (tmp_path / "traces").iterdir()) == ["3.jsonl", "4.jsonl"]
    assert (tmp_path / "traces" / "4.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()


def test_deeds_from_a_file_are_done_instead_of_the_plan(site: Path, tmp_path: Path) -> None:
    story = "# two cars, and a leader that dies\n10 plug north 32\n12.5 plug south 16\n90 crash leader for 30\n"
    deeds = write(tmp_path, "story.txt", story)
    done = run("faults", site, "--hours", "0.05", "--faults", "none", "--deeds", deeds)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 crashes, 0 partitions" in done.stdout
    assert "limits broken             0" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10 plug north 32\nsoon crash north", "line 2: does not begin with its time in seconds"),
        ("10 plug attic 32", "deed \"10 plug attic 32\": names 'attic', which is not there"),
        ("", "is empty"),
    ],
)
def test_deeds_that_cannot_be_done_are_named(site: Path, tmp_path: Path, text: str, said: str) -> None:
    deeds = write(tmp_path, "story.txt", text)
    trace = tmp_path / "trace.ndjson"
    done = run("faults", site, "--hours", "0.05", "--deeds", deeds, "--trace", trace)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{deeds}: ")
    assert said in done.stderr
    assert not trace.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--faults", "lightning"), "lightning"),
        (("--seeds", "5..1"), "the second seed is below the first"),
        (("--seeds", "some"), "write 1..100"),
        (("--seed", "1", "--seeds", "1..2"), "not both"),
        (("--seeds", "1..2", "--trace", "t.ndjson"), "--trace is for one seed"),
        (("--seed", "1", "--traces", "traces"), "--traces is for many seeds"),
        (("--seeds", "1..2", "--traces", "pyproject.toml/x"), "there is no directory"),
        (("--seeds", "1..2", "--traces", __file__), "is a file; name a directory"),
        (("--hours", "0"), "--hours"),
        (("--loss", "100"), "--loss"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_in_one_line(site: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("faults", site, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_help_lists_every_fault() -> None:
    words = " ".join(run("faults", "--help").stdout.split())
    assert all(f"{name}: {about}" in words for name, about in ABOUT.items())
