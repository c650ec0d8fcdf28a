"""`powershare allocate`: one answer for people or programs, and the stream."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.e2e.program import DEMANDS, SITE, command, environment, run, write

from powershare import _native

SITE_DATA = {
    "supply": "single_phase",
    "circuit": [{"id": "feeder", "breaker_a": 40}],
    "connector": [{"id": "north", "circuit": "feeder"}, {"id": "south", "circuit": "feeder"}],
}


def stream(*lines: object) -> list[dict[str, Any]]:
    """Send lines (data as JSON, bytes as they are) through one process; the answers."""
    given = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    done = run("allocate", "--stream", given=given)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_table_for_people_says_what_each_may_offer_and_why(tmp_path: Path) -> None:
    done = run("allocate", write(tmp_path, "site.toml", SITE), write(tmp_path, "demands.json", DEMANDS))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "connector  status     offer  bound by                    reason",
        "north      allocated   22 A  feeder L1, 32 A by breaker",
        "south      allocated   10 A  the vehicle, 10 A",
        "",
        "circuit  line  limit  allocated  held  other load  headroom",
        "feeder   L1     32 A       32 A   0 A         0 A       0 A",
    ]


def test_json_is_one_object_of_its_schema(tmp_path: Path) -> None:
    done = run("allocate", write(tmp_path, "site.toml", SITE), write(tmp_path, "demands.json", DEMANDS), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["schema"] == "powershare/allocation/1"
    assert answer["backend"] == _native.backend
    assert [entry["allocated_a"] for entry in answer["connectors"]] == [22, 10]
    assert answer["connectors"][0]["bound_by"] == {
        "kind": "circuit", "id": "feeder", "line": "L1", "limit_a": 32, "source": "breaker",
    }  # fmt: skip
    assert done.stdout.count("\n") == 1


def test_either_file_may_be_standard_input(tmp_path: Path) -> None:
    site, demands = write(tmp_path, "site.toml", SITE), write(tmp_path, "demands.json", DEMANDS)
    expected = run("allocate", site, demands).stdout
    assert run("allocate", site, "-", given=DEMANDS).stdout == expected
    assert run("allocate", "-", demands, given=SITE).stdout == expected


def test_bad_standard_input_is_named_in_its_problems(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE)
    done = run("allocate", site, "-", given=DEMANDS.replace("north", "nroth"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('standard input: demand of "nroth": connector: ')
    assert 'did you mean "north"?' in done.stderr
    assert run("allocate", site, "-", given=b"\xff").stderr.startswith("standard input: line 1: ")


def test_shed_is_done_and_exceeded_is_3(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE)
    shed = json.loads(DEMANDS) | {"other_load": [{"circuit": "feeder", "amps": 24}]}
    done = run("allocate", site, "-", given=json.dumps(shed))
    assert done.returncode == 0
    assert " shed " in done.stdout
    exceeded = json.loads(DEMANDS) | {"other_load": [{"circuit": "feeder", "amps": 32.001}]}
    done = run("allocate", site, "-", given=json.dumps(exceeded))
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].endswith("EXCEEDED")
    assert done.stderr == "feeder L1 is exceeded by held and other load alone: 32.001 A, limit 32 A\n"
    assert run("allocate", site, "-", "--json", given=json.dumps(exceeded)).returncode == 3


def test_an_exceeded_network_limit_is_3_too(tmp_path: Path) -> None:
    site = write(tmp_path, "site.toml", SITE.replace('supply = "', 'network_limit_a = 20\nsupply = "'))
    held = {"schema": "powershare/demands/1", "held": [{"connector": "north", "amps": 20.5}]}
    done = run("allocate", site, "-", given=json.dumps(held))
    assert done.returncode == 3
    assert done.stderr == "the network limit L1 is exceeded by held and other load alone: 20.5 A, limit 20 A\n"


def test_stream_answers_each_line_in_order_and_remembers_the_site() -> None:
    wants = [{"connector": "north", "wanted_a": 12}]
    answers = stream(
        {"site": SITE_DATA, "demands": {"demands": wants}},
        {"demands": {"demands": []}},
        {"site": SITE_DATA | {"circuit": [{"id": "feeder", "limit_a": 10}]}, "demands": {"demands": wants}},
        {"demands": {"demands": wants}},
        {"site": SITE_DATA, "demands": {"demands": wants}},
    )
    assert [answer["connectors"][0]["allocated_a"] for answer in answers] == [12, 0, 10, 10, 12]


def test_stream_answers_a_bad_line_with_an_error_and_goes_on() -> None:
    good = {"demands": {"demands": [{"connector": "south", "wanted_a": 8}]}}
    answers = stream(
        good,  # no site yet
        {"site": SITE_DATA} | good,
        b"no json",
        b"",
        b"\xff\xfe",
        b"[1]",
        {"sites": SITE_DATA} | good,
        {"site": SITE_DATA | {"supply": "nine_phase"}} | good,
        {"demands": {"demands": [{"connector": "\ud800"}]}},
        {"demands": {"demands": [{"connector": "south", "wanted_a": "8"}]}},
        {"site": SITE_DATA},
        b"[" * 100_000,
        good,
    )
    assert ["error" in answer for answer in answers] == [True, False, *[True] * 10, False]
    assert answers[-1] == answers[1]
    assert answers[2]["problems"] == [
        {"where": "column 1", "field": "", "message": "is no JSON: expecting value"},
    ]
    assert "site.supply" in answers[7]["error"]


def test_a_faulty_site_does_not_replace_the_one_before() -> None:
    wants = {"demands": [{"connector": "north"}]}
    answers = stream(
        {"site": SITE_DATA, "demands": wants},
        {"site": SITE_DATA | {"circuit": []}, "demands": wants},
        {"demands": wants},
    )
    assert ["error" in answer for answer in answers] == [False, True, False]


def test_stream_answers_before_the_next_line_comes() -> None:
    with subprocess.Popen(
        command("allocate", "--stream"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for wanted_a in (6, 7):
            line = {"site": SITE_DATA, "demands": {"demands": [{"connector": "north", "wanted_a": wanted_a}]}}
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["connectors"][0]["allocated_a"] == wanted_a
        process.stdin.close()
        assert process.wait(30) == 0


def test_stream_compiles_a_site_once() -> None:
    """A thousand connectors take long to compile; the same site again, spelled out or not, must not."""
    site = SITE_DATA | {"connector": [{"id": f"c{number}", "circuit": "feeder"} for number in range(1000)]}
    first = {"site": site, "demands": {"demands": []}}
    with subprocess.Popen(
        command("allocate", "--stream"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def seconds(line: object) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            started = time.perf_counter()
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
            assert "error" not in json.loads(process.stdout.readline())
            return time.perf_counter() - started

        compiling = seconds(first)
        again = min(seconds({"demands": {"demands": []}}) for _ in range(5))
        process.stdin.close()
    assert again < compiling / 2
