"""A node's process and its host: one process per member, and signs of life for the service manager."""

import configparser
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from powershare.cli.node import command
from powershare.cli.node_process import MemberLocks, Service, lock_directory
from powershare.driver.driver import TURN_MS
from powershare.errors import InputError

NETWORK = bytes(range(8))
HOLD = (
    "import sys, time; from pathlib import Path; from powershare.cli.node_process import MemberLocks\n"
    "with MemberLocks(bytes(range(8)), sys.argv[2:], Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
)


def holding(directory: Path, *members: str) -> "subprocess.Popen[str]":
    """Another process that has the locks of these members."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, directory, *members], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_of_a_member_is_refused_however_the_first_one_ends(tmp_path: Path) -> None:
    """While it lives, stopped or not; once it is gone, killed or not, the member is free and the file means nothing."""
    with holding(tmp_path, "a", "b") as process:
        try:
            for _ in range(2):
                with pytest.raises(InputError) as refused, MemberLocks(NETWORK, ["b", "c", "a"], tmp_path):
                    pass
                assert [problem.where for problem in refused.value.problems] == ['member "b"', 'member "a"']
                assert f"(process {process.pid})" in str(refused.value)
                process.send_signal(signal.SIGSTOP)
        finally:
            process.kill()
    with MemberLocks(NETWORK, ["a", "b", "c"], tmp_path):
        assert len(list(tmp_path.iterdir())) == 3


def test_what_was_refused_holds_nothing(tmp_path: Path) -> None:
    with MemberLocks(NETWORK, ["b"], tmp_path):
        with pytest.raises(InputError), MemberLocks(NETWORK, ["a", "b"], tmp_path):
            pass
        with MemberLocks(NETWORK, ["a"], tmp_path):
            pass


def test_members_of_another_network_have_nothing_to_do_with_it(tmp_path: Path) -> None:
    with MemberLocks(NETWORK, ["a"], tmp_path), MemberLocks(bytes(8), ["a"], tmp_path):
        assert len(list(tmp_path.iterdir())) == 2


def test_a_name_of_any_letters_has_a_lock_of_its_own(tmp_path: Path) -> None:
    names = ["../a", "a/b", "ä" * 100, "ä" * 99 + "b", "A", "a"]
    with MemberLocks(NETWORK, names, tmp_path):
        assert len(list(tmp_path.iterdir())) == len(names)


def test_a_lock_that_somebody_planted_as_a_link_is_refused(tmp_path: Path) -> None:
    """Of a directory for all users nothing is followed elsewhere."""
    with MemberLocks(NETWORK, ["a"], tmp_path):
        (path,) = tmp_path.iterdir()
    path.unlink()
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(InputError, match="cannot be locked"), MemberLocks(NETWORK, ["a"], tmp_path):
        pass
    assert target.read_text() == "precious"


def test_all_users_of_a_host_look_in_one_place() -> None:
    assert lock_directory() == lock_directory()
    assert os.access(lock_directory(), os.W_OK)


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    """The socket at which a service manager would listen."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "notify"))
    listening.setblocking(False)
    return listening


def said(manager: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(manager.recv(100).decode())
        except BlockingIOError:
            return words


def test_a_sign_of_life_comes_with_turns_and_stops_with_them(manager: socket.socket) -> None:
    with manager:
        environment = {
            "NOTIFY_SOCKET": manager.getsockname(),
            "WATCHDOG_USEC": "9000000",
            "WATCHDOG_PID": str(os.getpid()),
        }
        service = Service(environment)
        service.say("READY=1")
        for now_ms in range(0, 10_000, 1_000):
            service.alive(now_ms)
        assert said(manager) == ["READY=1"] + ["WATCHDOG=1"] * 4
        assert said(manager) == []


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's own")
def test_a_manager_at_an_abstract_socket_hears_it() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"powershare-test-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.setblocking(False)
        Service({"NOTIFY_SOCKET": f"@{name}"}).say("READY=1")
        assert said(manager) == ["READY=1"]


def test_the_service_that_is_shown_starts_what_there_is() -> None:
    """Its options are the command's, its manager is told what the process says, and may write where locks are."""
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # as the documentation of configparser says
    unit.read(Path(__file__).resolve().parents[2] / "examples" / "powershare-node.service")
    service = unit["Service"]
    words = service["ExecStart"].split()
    assert words[:3] == ["/usr/bin/env", "powershare", "node"]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) * 1_000 // 3 >= 2 * TURN_MS
    assert service["ReadWritePaths"] == "/run/lock"


def test_who_is_not_asked_says_nothing(manager: socket.socket) -> None:
    """No socket, no watchdog, the watchdog of another process, or a manager that is gone: nothing is said or raised."""
    with manager:
        address = manager.getsockname()
        Service({}).say("READY=1")
        Service({"NOTIFY_SOCKET": address}).alive(0)
        Service({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"}).alive(0)
        Service({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "soon"}).alive(0)
        assert said(manager) == []
    Service({"NOTIFY_SOCKET": address}).say("READY=1")
