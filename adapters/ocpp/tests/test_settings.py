"""An address: what it may say, and that everything wrong with it is said at once."""

import pytest

from powershare.adapter import HostClock
from powershare.errors import FormatError
from powershare_ocpp import OcppAdapter
from powershare_ocpp.settings import Security, settings_of


def test_a_whole_address_is_read() -> None:
    settings = settings_of(
        "GARAGE%2D1/2?listen=[::1]:9000&lines=3&step_a=1&least_a=8&greatest_a=16.5&fallback_a=8&can_pause=no&unit=W"
        "&volts=240&meter=no&settle_s=3.5&longest_write_s=4&clock_s=2&wait_s=1&offered=nobody"
        "&tls_cert=a.pem&tls_key=b.pem&client_ca=c.pem&client_cn=box&password_file=d".replace(
            "greatest_a=16.5", "greatest_a=16"
        )
    )
    assert (settings.station, settings.connector, settings.host, settings.tcp_port) == ("GARAGE-1", 2, "::1", 9_000)
    assert settings.security == Security(tls_cert="a.pem", tls_key="b.pem", client_ca="c.pem")
    assert (settings.settle_ms, settings.clock_ms, settings.wait_ms) == (3_500, 2_000, 1_000)
    declaration = settings.declaration()
    assert (declaration.least_offer_ma, declaration.greatest_offer_ma) == (8_000, 16_000)
    assert (declaration.fallback_ma, declaration.can_pause) == (8_000, False)


def test_the_common_name_is_the_station_unless_said_otherwise() -> None:
    assert settings_of("G/1?listen=h:1").client_cn == "G"


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "names no station"),
        ("G", "names no station"),
        ("G/0?listen=h:1", "connector: is '0'; write a whole number from 1 to 64"),
        ("G H/1?listen=h:1", "names no station"),
        (f"{'G' * 49}/1?listen=h:1", "names no station"),
        ("G/1", "listen: is missing; write listen=HOST:PORT"),
        ("G/1?listen=h", "listen: names the host 'h' without a port; write HOST:PORT"),
        ("G/1?listen=:1", "listen: has no host in ':1'; write HOST:PORT, and 0.0.0.0 for every network"),
        ("G/1?listen=::1:9000", "listen: has more than one colon in '::1:9000'; an IPv6 address belongs in brackets"),
        ("G/1?listen=h:0", "listen: has a port that is '0'"),
        ("G/1?listen=h:1&listen=h:2", "listen: is given twice"),
        ("G/1?listen=h:1&grastest_a=5", "did you mean greatest_a"),
        ("G/1?listen=h:1&greatest_a=many", "greatest_a: is 'many'; write 6 to 1000 amps"),
        ("G/1?listen=h:1&greatest_a=5", "greatest_a: is '5'; write 6 to 1000 amps"),
        ("G/1?listen=h:1&version=2.1", "version: is '2.1'; write 1.6 or 2.0.1"),
        ("G/1?listen=h:1&unit=kW", "unit: is 'kW'; write A or W"),
        ("G/1?listen=h:1&step_a=0.05", "step_a: is no multiple of 0.1"),
        ("G/1?listen=h:1&step_a=0", "step_ma is 0, not above 0"),
        ("G/1?listen=h:1&fallback_a=3", "fallback_ma 3000 is neither 0 nor between"),
        ("G/1?listen=h:1&tls_key=k", "tls_key: needs tls_cert"),
        ("G/1?listen=h:1&client_ca=k", "client_ca: needs tls_cert"),
        ("G/1?listen=h:1&client_cn=k", "client_cn: needs client_ca"),
        ("G/1?listen=h:1&offered=meter&meter=no", "offered: is meter, and meter is no"),
        ("G/1?listen=h:1&meter=perhaps", "meter: is 'perhaps'; write yes or no"),
    ],
)
def test_a_bad_address_is_refused_with_place_and_remedy(rest: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        OcppAdapter(rest, clock=HostClock())
    assert message in str(caught.value)
    assert f'adapter "ocpp:{rest}"' in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        settings_of("/x?lisen=h:1&unit=V&volts=1")
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize("store", ["upstream_store=", "upstream_store=a&upstream_store=b"])
def test_what_is_there_and_wrong_is_not_missing_as_well(store: str) -> None:
    with pytest.raises(FormatError) as caught:
        settings_of(f"G/1?listen=h:1&upstream=wss://c.example/ocpp&{store}")
    assert len(caught.value.problems) == 1


def test_a_plus_sign_is_one() -> None:
    assert settings_of("A+B/1?listen=h:1&password_file=a+b%2Bc%20d").password_file == "a+b+c d"
