"""Places on the command line: a bad one is a usage error that says what to write, whatever it is."""

import pytest

from powershare.cli import main

BAD = ["x", "65536", "-1", "٣", "9" * 5_000]


@pytest.mark.parametrize("port", BAD)
def test_a_port_for_metrics(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "site.toml", "--metrics", port]) == 2
    assert "is no port; write [HOST:]PORT" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("port", BAD)
@pytest.mark.parametrize(("option", "words"), [("--listen", "write HOST:PORT"), ("--peer", "write ID=HOST:PORT")])
def test_a_place_of_a_node(option: str, words: str, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = f"192.0.2.7:{port}" if option == "--listen" else f"north=192.0.2.7:{port}"
    assert main(["node", "site.toml", "north", "--key", "net.key", option, place]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
