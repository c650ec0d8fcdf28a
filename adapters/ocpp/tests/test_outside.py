"""Profiles of a central system behind, stacked as a station would; what becomes of messages; addresses."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powershare.errors import AdapterRejected, FormatError
from powershare_ocpp.emulated.profiles import ProfileStore
from powershare_ocpp.profiles import time_text
from powershare_ocpp.settings import Upstream, settings_of
from powershare_ocpp.upstream.outside import MOST_PROFILES, OutsideProfiles, Transaction, Wiring
from powershare_ocpp.upstream.outside_messages import Desk, Place, Present, profile_of
from powershare_ocpp.upstream.relay import News, Numbers, Tags, Way, refused_here, way_of, without_profile
from powershare_ocpp.wire.frames import Call, Refusal, Result

NOW = 1_790_000_000_000
DAY_MS = 86_400_000
VOLTS, GREATEST_MA = 230, 32_000


def profile(limits: list[tuple[int, float]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A profile of OCPP 1.6; what belongs to its schedule is put there."""
    schedule: dict[str, Any] = {
        "chargingRateUnit": more.pop("unit", "A"),
        "chargingSchedulePeriod": [{"startPeriod": start_s, "limit": limit} for start_s, limit in limits],
    }
    schedule |= {key: more.pop(key) for key in ("startSchedule", "duration") if key in more}
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute" if "startSchedule" in schedule else "Relative",
        "chargingSchedule": schedule,
        **more,
    }


periods = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), max_size=4, unique_by=lambda pair: pair[0]).map(
    lambda more: [(0, 16.0), *((start_s, tenths / 10) for start_s, tenths in sorted(more))]
)
around = st.integers(NOW - 2 * DAY_MS, NOW + 600_000).map(lambda at_ms: time_text(at_ms // 100 * 100))


@st.composite
def raw_profiles(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    """A profile, and where it is."""
    purpose = draw(st.sampled_from(["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"]))
    connector = {"TxProfile": 1, "ChargePointMaxProfile": 0}.get(purpose, draw(st.sampled_from([0, 1])))
    kinds = ["Absolute", "Recurring"] if connector == 0 and purpose != "TxDefaultProfile" else None
    kind = draw(st.sampled_from(kinds or ["Absolute", "Recurring", "Relative"]))
    more: dict[str, Any] = {"chargingProfileKind": kind, "chargingProfilePurpose": purpose}
    if kind != "Relative":
        more["startSchedule"] = draw(around)
    if kind == "Recurring":
        more["recurrencyKind"] = draw(st.sampled_from(["Daily", "Weekly"]))
    if draw(st.booleans()):
        more["duration"] = draw(st.integers(0, 90_000))
    for key in ("validFrom", "validTo"):
        if draw(st.integers(0, 3)) == 0:
            more[key] = draw(around)
    more["unit"] = draw(st.sampled_from(["A", "W"]))
    more["stackLevel"], more["chargingProfileId"] = draw(st.integers(0, 3)), draw(st.integers(1, 6))
    return connector, profile(draw(periods), **more)


@settings(max_examples=300, deadline=None)
@given(
    kept=st.lists(raw_profiles(), max_size=6),
    transaction_ms=st.none() | st.integers(NOW - 500_000, NOW),
    later_ms=st.lists(st.integers(0, DAY_MS), max_size=4),
    lines=st.integers(1, 3),
)
def test_what_is_allowed_is_what_a_station_would_offer(
    kept: list[tuple[int, dict[str, Any]]], transaction_ms: int | None, later_ms: list[int], lines: int
) -> None:
    """The emulated station keeps profiles by code of its own; the two agree at every instant."""
    store, profiles = ProfileStore(VOLTS, lines, GREATEST_MA), OutsideProfiles()
    for connector, raw in kept:
        store.put(connector, raw)
        assert profiles.put(profile_of(connector, raw, NOW))
    wiring = Wiring(lines=lines, volts=VOLTS)
    transaction = None if transaction_ms is None else Transaction("1", transaction_ms)
    for at_ms in (NOW, *(NOW + ms for ms in later_ms)):
        allowed = profiles.allowed(1, at_ms, transaction, wiring)
        most_ma = GREATEST_MA if allowed.most_ma is None else min(allowed.most_ma, GREATEST_MA)
        assert most_ma == store.offered_ma(1, at_ms, transaction_ms)
        if allowed.until_ms is not None and transaction is not None:
            assert allowed.until_ms > at_ms
            for before_ms in (at_ms + 1, (at_ms + allowed.until_ms) // 2, allowed.until_ms - 1):
                if at_ms < before_ms < allowed.until_ms:
                    assert profiles.allowed(1, before_ms, transaction, wiring).most_ma == allowed.most_ma


@settings(max_examples=100, deadline=None)
@given(kept=st.lists(raw_profiles(), max_size=6), later_ms=st.integers(0, 2 * DAY_MS))
def test_the_least_of_all_times_is_not_above_what_is_allowed_at_any(
    kept: list[tuple[int, dict[str, Any]]], later_ms: int
) -> None:
    profiles, wiring = OutsideProfiles(), Wiring(lines=1, volts=VOLTS, shares=2)
    for connector, raw in kept:
        profiles.put(profile_of(connector, raw, NOW))
    allowed = profiles.allowed(1, NOW + later_ms, None, wiring)
    least_ma = profiles.least_ma(1, NOW, wiring)
    if allowed.most_ma is not None:
        assert least_ma is not None
        assert least_ma <= allowed.most_ma


def test_watts_count_on_all_lines_and_round_down() -> None:
    profiles = OutsideProfiles()
    profiles.put(profile_of(1, profile([(0, 11_000)], unit="W"), NOW))
    allowed = [profiles.allowed(1, NOW, None, Wiring(lines=lines, volts=VOLTS)).most_ma for lines in (1, 3)]
    assert allowed == [47_826, 15_942]


def test_a_station_that_is_full_refuses_a_further_one_and_takes_one_in_the_place_of_another() -> None:
    profiles = OutsideProfiles()
    for number in range(MOST_PROFILES):
        assert profiles.put(profile_of(1, profile([(0, 6)], chargingProfileId=number, stackLevel=number), NOW))
    assert not profiles.put(profile_of(1, profile([(0, 0)], chargingProfileId=99, stackLevel=99), NOW))
    assert profiles.put(profile_of(1, profile([(0, 0)], chargingProfileId=99, stackLevel=3), NOW))
    assert len(profiles) == MOST_PROFILES


@pytest.mark.parametrize(
    "wrong",
    [
        {"chargingProfilePurpose": "Nonsense"},
        {"chargingProfilePurpose": []},
        {"chargingProfilePurpose": "ChargePointMaxProfile"},  # of a connector
        {"chargingProfileKind": {}},
        {"chargingProfileKind": "Recurring"},
        {"chargingProfileKind": "Recurring", "recurrencyKind": []},
        {"stackLevel": -1},
        {"stackLevel": True},
        {"chargingProfileId": "1"},
        {"validTo": "soon"},
        {"customData": "x" * 20_000},
        {"chargingSchedule": []},
        {"chargingSchedule": [{}, {}]},
        {"chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": []}},
        {"chargingSchedule": {"chargingRateUnit": "kW", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}]}},
        *(
            {"chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": told}}
            for told in (
                [{"startPeriod": 1, "limit": 1}],
                [{"startPeriod": 0, "limit": -0.1}],
                [{"startPeriod": 0, "limit": float("inf")}],
                [{"startPeriod": 0, "limit": True}],
                [{"startPeriod": 0, "limit": 10**30}],
                [{"startPeriod": 0, "limit": 1}, {"startPeriod": 0, "limit": 2}],
                [{"startPeriod": 0, "limit": 1}] * 1_000,
                [None],
            )
        ),
    ],
)
def test_what_is_no_profile_is_refused_when_it_comes(wrong: dict[str, Any]) -> None:
    with pytest.raises(AdapterRejected):
        profile_of(1, profile([(0, 6)]) | wrong, NOW)


@pytest.mark.parametrize("two", [False, True])
def test_hostile_questions_get_an_answer_and_change_nothing(two: bool) -> None:
    dice = Random(7)
    values: list[Any] = [
        None,
        True,
        -1,
        0,
        1,
        2**40,
        1.5,
        "1",
        "x" * 50,
        [],
        {},
        [{}],
        profile([(0, 6)]),
        float("1e300"),
    ]
    names = ["connectorId", "evseId", "csChargingProfiles", "chargingProfile", "duration", "chargingRateUnit", "id"]
    names += ["chargingProfileId", "chargingProfileCriteria", "stackLevel", "chargingProfilePurpose"]
    profiles = OutsideProfiles()
    desk = Desk(profiles, two=two)
    place = Place(greatest_ma=GREATEST_MA, wiring=Wiring(lines=1, volts=VOLTS))
    present = Present(now_ms=NOW, transactions={}, places={1: place})
    for action in ("SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule"):
        assert desk.answers(action)
        for _ in range(2_000):
            payload = {name: dice.choice(values) for name in dice.sample(names, 4)}
            assert isinstance(desk.answer(Call("1", action, payload), present), Result | Refusal)
            allowed = profiles.allowed(1, NOW, None, place.wiring)
            assert allowed.most_ma in (None, 6_000)
    assert not desk.answers("Reset")


def test_a_composite_schedule_is_bounded_whatever_is_kept() -> None:
    profiles = OutsideProfiles()
    told = [(second, float(second % 2)) for second in range(128)]
    for number in range(MOST_PROFILES):
        raw = profile(told, chargingProfileId=number, stackLevel=number, startSchedule=time_text(NOW + number * 7))
        profiles.put(profile_of(1, raw, NOW))
    place = Place(greatest_ma=GREATEST_MA, wiring=Wiring(lines=1, volts=VOLTS))
    present = Present(now_ms=NOW, transactions={}, places={1: place})
    answer = Desk(profiles, two=False).answer(
        Call("1", "GetCompositeSchedule", {"connectorId": 1, "duration": 2**31 - 1}), present
    )
    assert isinstance(answer, Result | Refusal)


# What becomes of messages


def test_every_message_that_a_transaction_needs_is_kept_and_none_that_leads_the_station_is_left_to_others() -> None:
    ways = {
        "BootNotification": Way.BOOT,
        "Heartbeat": Way.HERE,
        "StatusNotification": Way.TOLD,
        "StartTransaction": Way.KEPT,
        "StopTransaction": Way.KEPT,
        "TransactionEvent": Way.KEPT,
        "SecurityEventNotification": Way.KEPT,
        "Authorize": Way.ASKED,
        "DataTransfer": Way.ASKED,
        "Nonsense": Way.ASKED,
    }
    assert {action: way_of(Call("1", action, {})) for action in ways} == ways
    assert way_of(Call("1", "MeterValues", {"transactionId": 3})) is Way.KEPT
    assert way_of(Call("1", "MeterValues", {})) is Way.TOLD


def test_no_profile_is_passed_on_by_whichever_message() -> None:
    for action in ("RemoteStartTransaction", "RequestStartTransaction"):
        call, found, where = without_profile(Call("1", action, {"connectorId": 2, "chargingProfile": {"id": 1}}))
        assert (call.payload, found, where) == ({"connectorId": 2}, {"id": 1}, 2)
    assert refused_here(Call("1", "ChangeConfiguration", {"key": "AuthorizationKey"})) == {"status": "Rejected"}
    assert refused_here(Call("1", "ChangeConfiguration", {"key": "HeartbeatInterval"})) is None


def test_a_number_that_is_taken_is_another_one_here() -> None:
    numbers = Numbers()
    assert numbers.given(77, 500) == 77
    numbers.waits(501)
    assert numbers.given(501, 502) == 502, "its own is taken by one that waits"
    assert numbers.given(2**40, 503) == 503, "no station could be told that"
    assert numbers.outward({"transactionId": 502})["transactionId"] == 501
    assert numbers.inward({"transactionId": 501})["transactionId"] == 502
    numbers.found(501, 9)
    kept = Numbers.of(numbers.kept())
    assert [kept.behind(number) for number in (501, 502, 503, 77)] == [9, 501, 2**40, 77]
    assert Numbers.of([1, [], ["a", 1], [5, "b"]]).behind(5) == 5
    kept.ended(501)
    assert kept.behind(501) == 501


def test_news_are_the_latest_of_each_kind_and_what_was_asked_for_here_is_none() -> None:
    news = News()
    first, later = (
        Call(str(number), "StatusNotification", {"connectorId": 1, "status": str(number)}) for number in (1, 2)
    )
    news.add(first, ours=False)
    news.add(later, ours=False)
    assert news.first() is later
    news.told(first)
    assert news.first() is later
    news.told(later)
    assert news.first() is None
    news.add(later, ours=True)
    assert news.first() is None, "nothing new"
    news.add(Call("3", "MeterValues", {"connectorId": 1}), ours=True)
    assert news.first() is None


@pytest.mark.parametrize("rule", ["known", "all", "nobody"])
def test_who_may_charge_alone_follows_the_rule(rule: str) -> None:
    tags = Tags(rule)

    def said(status: str) -> Result:
        return Result("1", {"idTagInfo": {"status": status}})

    tags.answered(Call("1", "Authorize", {"idTag": "A"}), said("Accepted"))
    tags.answered(Call("1", "Authorize", {"idTag": "B"}), said("Accepted"))
    tags.answered(Call("1", "Authorize", {"idTag": "B"}), said("Blocked"))
    tags.wished(Call("1", "RemoteStartTransaction", {"idTag": "C"}))
    judged = {tag: tags.judged(Call("1", "Authorize", {"idTag": tag}), said("Accepted")) for tag in "ABCD"}
    found = {tag: answer.payload["idTagInfo"]["status"] for tag, answer in judged.items() if isinstance(answer, Result)}
    accepted = {"known": "AC", "all": "ABCD", "nobody": ""}[rule]
    assert {tag for tag, status in found.items() if status == "Accepted"} == set(accepted)


# Addresses


def test_a_central_system_behind_is_read_from_an_address() -> None:
    more = (
        "&upstream=wss://csms.example/ocpp/&upstream_store=s&upstream_password_file=p&upstream_ca=c&upstream_away=all"
    )
    assert settings_of(f"G/1?listen=h:1{more}").upstream == Upstream(
        url="wss://csms.example/ocpp/", store="s", password_file="p", ca="c", away="all"
    )
    assert settings_of("G/1?listen=h:1").upstream is None


@pytest.mark.parametrize(
    ("more", "messages"),
    [
        ("&upstream=ws://h/", ["upstream_store: is missing; write upstream_store=FILE"]),
        ("&upstream_ca=c&upstream_away=all", ["upstream_ca: needs upstream", "upstream_away: needs upstream"]),
        ("&upstream=ws://h/&upstream_store=s&upstream_ca=c", ["upstream_ca: needs wss"]),
        ("&upstream=http://h/&upstream_away=often", ["upstream: is 'http://h/'", "upstream_away: is 'often'"]),
        ("&upstream=ws://a:b@h/&upstream_store=s", ["upstream: is 'ws://a:b@h/'; write wss://HOST/PATH, and the pass"]),
        ("&upstream=ws://h:99999/&upstream_store=s", ["upstream: is 'ws://h:99999/'"]),
        ("&upstream=ws://h/?x&upstream_store=s", ["upstream: is 'ws://h/?x'"]),
    ],
)
def test_a_wrong_one_is_refused_with_everything_that_is_wrong(more: str, messages: list[str]) -> None:
    with pytest.raises(FormatError) as caught:
        settings_of(f"G/1?listen=h:1{more}")
    assert len(caught.value.problems) == len(messages)
    for message in messages:
        assert message in str(caught.value)
