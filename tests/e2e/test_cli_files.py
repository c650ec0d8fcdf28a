"""`powershare site`, `trace`, `sessions` and `simulate`: files in, files out."""

import json
import re
import stat
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.e2e.program import SESSIONS, SITE, run, write

from powershare.files import load_sessions

TREE = """
schema = "powershare/site/1"
name = "Maple Street garage"
supply = "three_phase"
network_limit_a = 48

[[circuit]]
id = "panel"
breaker_a = 60
other_load_worst_a = 5

[[circuit]]
id = "left"
parent = "panel"
limit_a = [32, 32, 20]

[[circuit]]
id = "right"
parent = "panel"
breaker_a = 40

[[meter]]
circuit = "panel"
adapter = "mqtt:home/panel"

[[connector]]
id = "north"
circuit = "left"
lines = ["L2", "L3", "L1"]

[[connector]]
id = "south"
circuit = "left"
fallback_a = 8

[[connector]]
id = "east"
circuit = "right"
lines = ["L1"]
vehicles = ["V1"]
adapter = "emulated:east"
"""

NORWAY = """session_ID;Garage_ID;User_ID;Start_plugin;End_plugout;El_kWh
1;Bl2;Bl2-1;21.12.2018 10:20;21.12.2018 20:20;14,5
2;Bl2;Bl2-1;22.12.2018 10:20;NA;3,0
3;AdO3;AdO3-4;22.12.2018 10:20;22.12.2018 11:20;3,0
"""

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="the extra plot is not installed")


def test_site_check_says_what_it_understood(tmp_path: Path) -> None:
    done = run("site", "check", write(tmp_path, "site.toml", TREE))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == ("Maple Street garage: three-phase supply (L1, L2, L3), 230 V, 3 circuits, 3 connectors")
    assert lines[1] == "network limit: 48 A per line, over all connectors"
    assert lines[3:6] == [
        "panel  48 A (80 % of the 60 A breaker), other loads up to 5 A, metered",
        "├── left  L1 32 A, L2 32 A, L3 20 A (limit); 2 connectors",
        "└── right  32 A (80 % of the 40 A breaker); 1 connector",
    ]
    rows = {line.split()[0]: line for line in lines[8:11]}
    assert "L2 L3 L1" in rows["north"]
    assert "L1 L2 L3, order unknown" in rows["south"]
    assert "8 A (set)" in rows["south"]
    assert rows["east"].endswith("V1        emulated:east")
    assert lines[-1].startswith("warning: the phase rotation is not known of south")


def test_site_check_draws_its_tree_in_letters_where_there_is_nothing_else(tmp_path: Path) -> None:
    done = run("site", "check", write(tmp_path, "site.toml", TREE), PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert "|-- left  L1 32 A" in done.stdout
    assert "`-- right  32 A" in done.stdout


def test_site_check_warns_of_many_connectors_in_one_sentence(tmp_path: Path) -> None:
    few = SITE.replace("breaker_a = 40", "limit_a = 10")
    done = run("site", "check", write(tmp_path, "few.toml", few))
    assert done.stdout.count('warning: connector "') == 2
    more = "".join(f'[[connector]]\nid = "c{number}"\ncircuit = "feeder"\n' for number in range(5))
    done = run("site", "check", write(tmp_path, "many.toml", few + more))
    assert done.stdout.splitlines()[-1] == (
        "warning: 7 connectors fall back to 0, because their fair share is under their least offer: "
        "north, south, c0, c1, c2, c3, c4"
    )


def test_site_check_goes_as_deep_as_a_site_goes(tmp_path: Path) -> None:
    """No recursion: a chain of circuits longer than the interpreter's stack is only a long chain."""
    depth = sys.getrecursionlimit() + 100
    circuits = [{"id": f"c{level}", "limit_a": 40} for level in range(depth)]
    for level in range(1, depth):
        circuits[level]["parent"] = f"c{level - 1}"
    site = {"schema": "powershare/site/1", "supply": "single_phase", "circuit": circuits,
            "connector": [{"id": "north", "circuit": f"c{depth - 1}"}]}  # fmt: skip
    done = run("site", "check", write(tmp_path, "site.json", json.dumps(site)))
    assert done.returncode == 0, done.stderr[-500:]
    assert f"c{depth - 1}  40 A (limit); 1 connector" in done.stdout


def test_site_schema_is_json_and_nothing_else() -> None:
    done = run("site", "schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["title"] == "powershare/site/1"


def test_simulate_reports_and_its_trace_checks(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", SESSIONS)
    trace = tmp_path / "trace.ndjson"
    done = run("simulate", site, sessions, "--trace", trace, "--json")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f'{sessions}: line 4: plugged_in: "south" is still in the session of line 3; skipped'
    ]
    report = json.loads(done.stdout)
    assert report["schema"] == "powershare/simulation/1"
    assert (report["sessions"], report["skipped_rows"], report["limits_broken"]) == (2, 1, 0)
    assert report["wall_s"] > 0
    checked = run("trace", "check", site, trace)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.endswith("\nno limit broke\n")
    peak_a = report["peaks"][0]["peak_a"]
    assert f"{peak_a:g} A\n" in checked.stdout


def test_simulate_for_people(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", SESSIONS)
    done = run("simulate", site, sessions, "--policy", "deadline")
    assert done.returncode == 0
    assert re.search(r"^sessions +2, of which 2 got all they asked for$", done.stdout, re.MULTILINE)
    assert re.search(r"^feeder +L1 +32 A +[\d.]+ A$", done.stdout, re.MULTILINE)


def test_simulate_refuses_sessions_of_another_site(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE.replace('"south"', '"west"'))
    sessions = write(tmp_path, "sessions.csv", SESSIONS)
    done = run("simulate", site, sessions, "--trace", tmp_path / "trace.ndjson", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"{sessions}: sessions: connector: ")
    assert not (tmp_path / "trace.ndjson").exists()


def test_an_output_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", "nothing\n")
    trace = write(tmp_path, "trace.ndjson", "precious")
    assert run("simulate", site, sessions, "--trace", trace).returncode == 2
    assert trace.read_text(encoding="utf-8") == "precious"


def test_an_output_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", SESSIONS)
    run("simulate", site, sessions, "--trace", tmp_path / "trace.ndjson")
    assert stat.S_IMODE((tmp_path / "trace.ndjson").stat().st_mode) == stat.S_IMODE(site.stat().st_mode)


@needs_matplotlib
def test_plot_draws_a_panel_per_circuit_as_svg(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", TREE)
    sessions = write(tmp_path, "sessions.csv", SESSIONS)
    pictures = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for picture in pictures:
        assert run("simulate", site, sessions, "--plot", picture).returncode == 0
    text = pictures[0].read_text(encoding="utf-8")
    assert "</svg>" in text
    for words in (
        "panel",
        "left",
        "right",
        "network limit",
        "L1 drawn",
        "L3 offered",
        "limit",
        "A per line",
        "L3 20 A",
    ):
        assert f">{words}<" in text, words
    assert text == pictures[1].read_text(encoding="utf-8")


@needs_matplotlib
def test_plot_draws_png_by_the_ending(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", SESSIONS)
    assert run("simulate", site, sessions, "--plot", tmp_path / "picture.png").returncode == 0
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG\r\n")


def doctored(trace: Path, changes: dict[str, object], at: int) -> None:
    """Change one line of a trace."""
    lines = trace.read_text(encoding="utf-8").splitlines()
    lines[at] = json.dumps(json.loads(lines[at]) | changes)
    trace.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_trace_check_finds_the_limit_that_a_doctored_trace_breaks(tmp_path: Path) -> None:
    site, sessions = write(tmp_path, "site.toml", SITE), write(tmp_path, "sessions.csv", SESSIONS)
    trace = tmp_path / "trace.ndjson"
    run("simulate", site, sessions, "--trace", trace)
    first = next(
        number for number, line in enumerate(trace.read_text(encoding="utf-8").splitlines()) if '"drawn_a": 3' in line
    )
    doctored(trace, {"drawn_a": 40.5}, first)
    done = run("trace", "check", site, trace)
    assert done.returncode == 3
    t_s = json.loads(trace.read_text(encoding="utf-8").splitlines()[first])["t_s"]
    assert f"({t_s:g} s)" in done.stdout
    assert "feeder L1 drawn 40.5 A, limit 32 A, inside the assumptions" in done.stdout
    assert done.stdout.endswith("limits broke 1 time inside the assumptions, 0 times outside\n")


def test_trace_check_says_what_happened_outside_the_assumptions(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE)
    head = {"schema": "powershare/trace/1", "started": "2026-01-31T18:00:00+00:00", "clock": "virtual",
            "site": {"supply": "single_phase", "circuit": [{"id": "feeder", "breaker_a": 40}],
                     "connector": [{"id": "north", "circuit": "feeder"}]}}  # fmt: skip
    event = {"t_s": 5, "connector": "north", "pilot_a": 6, "drawn_a": 33, "state": "C", "outside": "A2"}
    after = event | {"t_s": 8, "drawn_a": 6, "outside": None}
    trace = write(tmp_path, "t.ndjson", "\n".join(map(json.dumps, (head, event, after))) + "\n")
    done = run("trace", "check", site, trace)
    assert done.returncode == 3
    assert done.stderr == f"{trace}: was written on a site that differs from {site}, whose limits count here\n"
    expected = "2026-01-31T18:00:05.000+00:00 (5 s), for 3 s: feeder L1 drawn 33 A, limit 32 A, outside the assumptions"
    assert expected in done.stdout.splitlines()


def test_trace_check_merges_traces_by_the_time_they_started(tmp_path: Path) -> None:
    """Alone neither is above the limit; together they are, for the second in which they overlap."""
    site = write(tmp_path, "site.toml", SITE)
    files = []
    for name, started in (("north", "2026-01-31T19:00:00+01:00"), ("south", "2026-01-31T18:00:09+00:00")):
        head = {"schema": "powershare/trace/1", "site": site_data(), "started": started, "clock": "monotonic"}
        on = {"t_s": 0, "connector": name, "pilot_a": 20, "drawn_a": 0, "state": "C"}
        off = on | {"t_s": 10, "pilot_a": 0}
        files.append(write(tmp_path, f"{name}.ndjson", "\n".join(map(json.dumps, (head, on, off))) + "\n"))
        assert run("trace", "check", site, files[-1]).returncode == 0
    done = run("trace", "check", site, *files)
    assert done.returncode == 3
    assert "(9 s), for 1 s: feeder L1 offered 40 A, limit 32 A, inside the assumptions" in done.stdout
    bad = write(tmp_path, "bad.ndjson", files[0].read_text(encoding="utf-8") + "{}\n")
    refused = run("trace", "check", site, files[1], bad)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert all(line.startswith(f"{bad}: line 4") for line in refused.stderr.splitlines())


def site_data() -> dict[str, object]:
    return {
        "name": "Maple Street garage",
        "supply": "single_phase",
        "circuit": [{"id": "feeder", "breaker_a": 40}],
        "connector": [{"id": "north", "circuit": "feeder"}, {"id": "south", "circuit": "feeder"}],
    }


def test_sessions_import_writes_sessions_and_lists_what_it_skipped(tmp_path: Path) -> None:
    data, out = write(tmp_path, "data.csv", NORWAY), tmp_path / "sessions.csv"
    done = run("sessions", "import", "norway", data, "--garage", "Bl2", "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        f"{data}: line 3: End_plugout: is not given; skipped",
        "1 session at 1 connector, 1 row skipped",
    ]
    (session,) = load_sessions(out).sessions
    assert (session.connector, session.energy_wh) == ("Bl2-1", 14_500)
    to_pipe = run("sessions", "import", "norway", data, "--garage", "Bl2", "-o", "-")
    assert to_pipe.stdout == out.read_text(encoding="utf-8")
    refused = run("sessions", "import", "norway", data, "--garage", "Bl9", "-o", tmp_path / "other.csv")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert not (tmp_path / "other.csv").exists()
