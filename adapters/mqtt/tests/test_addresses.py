"""Addresses of meters and bridges: what they may say, and that everything wrong with one is said at once."""

import pytest

from powershare.adapter import HostClock
from powershare.errors import FormatError
from powershare.registry import create_meter
from powershare_mqtt import MqttBridge, MqttMeter
from powershare_mqtt.addresses import Broker, Renewal, bridge_settings_of, meter_settings_of


def test_a_whole_address_of_a_meter_is_read() -> None:
    settings = meter_settings_of(
        "home/l1,home/l2,home/l%2C3?broker=h&port=1884&user=u&password_file=p&tls=yes&ca=a&cert=c&key=k&keepalive_s=30"
        "&json=power.total&unit=kW&volts=120&power_factor=0.85&lines=3&time=at&clock_s=0.5&wait_s=3"
    )
    assert settings.topics == ("home/l1", "home/l2", "home/l,3")
    assert settings.broker == Broker(
        host="h",
        tcp_port=1884,
        user="u",
        password_file="p",
        tls=True,
        ca="a",
        cert="c",
        key="k",
        keepalive_s=30,
    )
    assert (settings.keys, settings.unit, settings.volts, settings.power_factor_percent) == (
        ("power.total",),
        "kW",
        120,
        85,
    )
    assert (settings.lines, settings.time, settings.clock_ms, settings.wait_ms) == (3, "at", 500, 3_000)


def test_the_address_of_the_site_files_documentation_is_one() -> None:
    meter = create_meter("mqtt:home/panel", clock=HostClock())
    assert isinstance(meter, MqttMeter)
    assert meter.settings.topics == ("home/panel",)
    assert meter.settings.broker.words == "the broker at 127.0.0.1:1883"


def test_with_tls_the_port_is_another_one() -> None:
    assert meter_settings_of("x?tls=yes").broker.port == 8883
    assert meter_settings_of("x?tls=yes&port=1").broker.port == 1


def test_a_whole_address_of_a_bridge_is_read() -> None:
    settings = bridge_settings_of(
        "?broker=h&topic=garage/&discovery=ha&limits=no&renew_s=60&stale_a=6&circuit_renew_s=900&circuit_stale_a=none"
        "&every_s=5"
    )
    assert (settings.topic, settings.discovery, settings.limits, settings.every_ms) == ("garage", "ha", False, 5_000)
    assert settings.connectors == Renewal(within_ms=60_000, stale_ma=6_000, says_stale=True)
    assert settings.circuits == Renewal(within_ms=900_000, stale_ma=None, says_stale=True)
    assert bridge_settings_of("?discovery=no").discovery is None
    assert bridge_settings_of("").connectors == Renewal()


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "topic: is ''; write a topic"),
        ("home/+", "topic: is 'home/+'; write a topic: no + and no #"),
        ("home/#", "topic: is 'home/#'"),
        ("home/%00", "topic: is 'home/\\x00'"),
        ("home/%0A", "write a topic that can be printed"),
        ("home/%FF", "topic: is 'home/%FF'; what is percent-encoded in it is no UTF-8"),
        ("x" * 1_001, "at most 1000 bytes"),
        ("a,b,c,d", "topic: stands 4 times"),
        ("a,b?json=x,y", "json: names several paths beside several topics"),
        ("a?json=x,,y", "json: is 'x,,y'"),
        ("a?json=x..y", "json: is 'x..y'"),
        ("a?json=", "json: is ''"),
        ("a,b?lines=3", "lines: is 3, and there are 2 figures"),
        ("a?lines=4", "lines: is '4'; write a whole number from 1 to 3"),
        ("a?unit=VA", "unit: is 'VA'; write A or mA or W or kW"),
        ("a?volts=0", "volts: is '0'"),
        ("a?power_factor=0", "power_factor: is '0'; write 0.1 to 1"),
        ("a?power_factor=1.1", "power_factor: is '1.1'; write 0.1 to 1"),
        ("a?power_factor=x", "power_factor: is 'x'"),
        ("a?wait_s=60", "wait_s: is '60'; write 1 to 14 seconds"),
        ("a?port=65536", "port: is '65536'"),
        ("a?brooker=h", "brooker: is no setting; did you mean broker?"),
        ("a?x=1", "x: is no setting; there are broker, port"),
        ("a?port=1&port=2", "port: is given twice"),
        ("a?ca=f", "ca: needs tls=yes"),
        ("a?tls=yes&key=f", "key: needs cert"),
        ("a?password_file=f", "password_file: needs user"),
        ("a?tls=perhaps", "tls: is 'perhaps'; write yes or no"),
        ("a?user=", "user: is ''; write something that can be read"),
    ],
)
def test_a_bad_address_of_a_meter_is_refused_with_place_and_remedy(rest: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        MqttMeter(rest, clock=HostClock())
    assert message in str(caught.value)
    assert f'meter "mqtt:{rest}"' in str(caught.value)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("garage", "begins with 'garage'; write mqtt:?topic=garage"),
        ("?topic=a/%2B", "topic: is 'a/+'"),
        ("?topic=", "topic: is ''"),
        ("?discovery=#", "discovery: is '#'"),
        ("?renew_s=60", "stale_a: is missing; say what counts when no limit comes within renew_s: amps, or none"),
        ("?circuit_renew_s=60", "circuit_stale_a: is missing; say what counts when no limit comes within circuit_r"),
        ("?stale_a=many", "stale_a: is 'many'; write amps, or none for the commissioned limits alone"),
        ("?stale_a=-1", "stale_a: is '-1'"),
        ("?renew_s=0&stale_a=6", "renew_s: is '0'; write 1 to 86400 seconds"),
        ("?every_s=0.5", "every_s: is '0.5'; write 1 to 3600 seconds"),
        ("?unit=A", "unit: is no setting"),
    ],
)
def test_a_bad_address_of_a_bridge_is_refused_with_place_and_remedy(rest: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        MqttBridge(rest, clock=HostClock(), said=lambda _about, _words: None)
    assert message in str(caught.value)
    assert f'bridge "mqtt:{rest}"' in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        meter_settings_of("+?unit=V&volts=1&x=1&ca=f&password_file=p")
    assert len(caught.value.problems) == 6
    with pytest.raises(FormatError) as caught:
        bridge_settings_of("x?topic=%23&renew_s=9&circuit_renew_s=9&limits=1")
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize("stale", ["stale_a=x", "stale_a=6&stale_a=7"])
def test_what_is_there_and_wrong_is_not_missing_as_well(stale: str) -> None:
    with pytest.raises(FormatError) as caught:
        bridge_settings_of(f"?renew_s=9&{stale}")
    assert len(caught.value.problems) == 1


def test_a_plus_sign_is_one_and_a_question_mark_with_nothing_after_it_sets_nothing() -> None:
    assert meter_settings_of("a?user=a+b%2Bc%20d").broker.user == "a+b+c d"
    assert meter_settings_of("a?") == meter_settings_of("a")
    assert bridge_settings_of("?") == bridge_settings_of("")


def test_a_password_is_never_part_of_an_address() -> None:
    with pytest.raises(FormatError, match="password: is no setting; did you mean password_file"):
        meter_settings_of("a?user=u&password=secret")
