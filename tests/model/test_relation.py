"""A right run is accepted, and each known mistake, told as a run, is refused at the step where it shows."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from tests.model import relation, story
from tests.model import vocabulary as say
from tests.model.story import ASKING, LEADING, NETWORK, TIMES
from tests.model.vocabulary import Entry, Event, Network, Times

Run = dict[str, Event]
Change = Callable[[Run], Run]


def changed(name: str, **fields: object) -> Change:
    """Change one event."""
    values: dict[str, Any] = fields
    return lambda run: {**run, name: attrs.evolve(run[name], **values)}


def inserted(before: str, event: Event) -> Change:
    """Tell one more event."""

    def change(run: Run) -> Run:
        told: Run = {}
        for name, one in run.items():
            if name == before:
                told["inserted"] = event
            told[name] = one
        return told

    return change


def both(*changes: Change) -> Change:
    """Make one change after the other."""

    def change(run: Run) -> Run:
        for one in changes:
            run = one(run)
        return run

    return change


def without(*names: str) -> Change:
    """Leave events out."""
    return lambda run: {name: event for name, event in run.items() if name not in names}


def wrong_step(run: Run, network: Network = NETWORK) -> tuple[str, str]:
    """Return the name of the first wrong step and why, or nothing."""
    wrong = relation.first_wrong(network, run.values())
    if wrong is None:
        return "", ""
    return (list(run)[wrong.place] if wrong.place >= 0 else "times"), wrong.why


@pytest.mark.parametrize("drift_percent", [-1, 0, 1])
def test_a_right_run_is_accepted(drift_percent: int) -> None:
    """Whatever the clocks say within the drift, a run by the rules has no wrong step."""
    assert wrong_step(story.told(drift_percent)) == ("", "")


def at(member: int, at_ms: int) -> dict[str, Any]:
    """Return who, when, and by which clock, without drift."""
    return {"member": member, "at_ms": at_ms, "clock_ms": story.clock(member, at_ms, 0)}


RESTART_OF_1 = say.Restart(**at(1, 9_250), boot=99, ceiling_ma=0, until_ms=9_750 + TIMES.cold_ms)
LATE_CONFIRM = say.Confirm(**at(1, 6_990), write=1, offer_ma=0, when_ms=7_490, until_ms=31_500)
UNITS = {
    "3 lease counted from receipt": (changed("accept of 0", until_ms=9_000 + TIMES.raise_ms), "accept of 0"),
    "3 grant for an old report": (changed("accept of 0", at_ms=18_000, clock_ms=18_000), "accept of 0"),
    "4 no fence": (changed("accept of 0", term=ASKING), "accept of 0"),
    "5 older grant after a newer one": (changed("accept trim", seq=1), "accept trim"),
    "6 boot ignored": (inserted("accept of 1", RESTART_OF_1), "accept of 1"),
    "6 car ignored": (
        inserted("accept of 1", say.Plug(**at(1, 9_250), session=1, ceiling_ma=0, until_ms=500 + TIMES.cold_ms)),
        "accept of 1",
    ),
    "7 report forgets the tail": (changed("report in the tail", most_ma=6_000), "report in the tail"),
    "9 restart to the fall-back": (changed("restart 0", ceiling_ma=6_000), "restart 0"),
    "13 report while a former current may flow": (
        both(without("confirm 0 A of 1"), inserted("first ask", LATE_CONFIRM)),
        "first report of 1",
    ),
    "13 report before the device is at 0": (without("confirm 0 A of 1"), "first report of 1"),
    "14 cold hold too short": (changed("restart 1", until_ms=500 + TIMES.cold_ms - 2_000), "restart 1"),
    "21 cap reported before the device has it": (
        changed("second report of 1", cap_left_ms=8_550 + TIMES.cap_ms - 9_750),
        "second report of 1",
    ),
    "22 trim sets": (changed("accept trim", amps_ma=13_000, ceiling_ma=13_000), "accept trim"),
    "22 trim prolongs": (changed("accept trim", until_ms=9_900 + TIMES.raise_ms), "accept trim"),
    "offer above the ceiling": (changed("write 6 A to 0", offer_ma=7_000), "write 6 A to 0"),
    "device holds a raise for longer": (changed("write 12 A to 0", until_ms=18_001), "write 12 A to 0"),
    "device holds a cap for shorter": (changed("prolong 0 A of 1", until_ms=20_000), "prolong 0 A of 1"),
    "lease held on after its end": (
        both(
            without("expire of 0"),
            inserted("expire of 1", say.Plug(**at(0, 18_500), session=1, ceiling_ma=6_000, until_ms=None)),
        ),
        "inserted",
    ),
    "lease ended early": (changed("expire of 1", at_ms=30_000, clock_ms=30_500), "expire of 1"),
    "fence unmoved by a claim": (changed("first report of 0", fence=ASKING), "first report of 0"),
    "wrong ceiling": (changed("second report of 0", ceiling_ma=6_000), "second report of 0"),
}


@pytest.mark.parametrize("mistake", UNITS)
def test_a_mistake_of_a_unit_is_refused(mistake: str) -> None:
    change, where = UNITS[mistake]
    assert wrong_step(change(story.told()))[0] == where


def test_a_tail_counts_from_the_answer_of_the_device() -> None:
    """The write came 300 ms after the decision: what is drawn counts 300 ms longer."""
    decided_ms, written_ms = 9_900, 10_200
    ends_by_decision_ms = decided_ms + TIMES.tail_ms
    assert ends_by_decision_ms + 100 < written_ms + TIMES.tail_ms
    moment = {"at_ms": ends_by_decision_ms + 100, "clock_ms": ends_by_decision_ms + 100}
    where, why = wrong_step(changed("report in the tail", **moment, most_ma=6_000)(story.told()))
    assert where == "report in the tail"
    assert "12000 mA" in why


VOTES = {
    "1 no margin for drift": (changed("count 0", until_ms=7_000 + TIMES.promise_ms), "count 0"),
    "2 promise counted from receipt": (changed("count 0", until_ms=7_100 + story.PROMISE_COUNTS_MS), "count 0"),
    "4 half of the weight is enough": (changed("count 0", voter=1), "gain"),
    "5 a promise is overwritten": (changed("second answer of 1", term=(3, 1, 11), claims=False), "second answer of 1"),
    "a promise nobody made": (without("first answer of 0"), "count 0"),
    "authority under an old term": (changed("gain", term=ASKING), "gain"),
    "authority under another's term": (changed("gain", term=(9, 1, 11)), "gain"),
    "authority without a claim": (changed("second ask", claims=False), "second ask"),
    "claim without authority": (changed("first ask", claims=True), "first ask"),
    "a claim that was not made": (changed("first report of 0", heartbeat_ms=7_000), "first report of 0"),
    "ledger without authority": (inserted("learn of 0", say.Lose(**at(0, 8_100))), "learn of 0"),
    "a gap that goes unnoticed": (
        both(without("count 0 again"), changed("count 0 third", at_ms=11_900, clock_ms=11_900)),
        "count 0 third",
    ),
    "clock worse than assumed": (changed("first answer of 1", clock_ms=7_050 + 500 + 80), "first answer of 1"),
    "clock goes back": (changed("count 0", clock_ms=6_999), "count 0"),
}


@pytest.mark.parametrize("mistake", VOTES)
def test_a_mistake_with_votes_is_refused(mistake: str) -> None:
    change, where = VOTES[mistake]
    assert wrong_step(change(story.told()))[0] == where


def test_a_restarted_voter_is_promised_to_nobody() -> None:
    """What it may have promised before it restarted must be over first."""
    again = say.Restart(**at(0, 6_900), boot=77, ceiling_ma=0, until_ms=6_900 + TIMES.cold_ms)
    ask: dict[str, Any] = {"term": (1, 1, 11), "claims": False}
    told = both(
        inserted("first ask", again),
        changed("first ask", **{**at(1, 7_000), **ask}),
        changed("first answer of 0", **ask, heartbeat_ms=7_500),
    )(story.told())
    where, why = wrong_step(told)
    assert where == "first answer of 0"
    assert "promised until 11900" in why


def second_leader(at_ms: int) -> list[Event]:
    """Return how member 1 would be elected after member 0, whose promise it needs."""
    term, clock_ms = (3, 1, 11), at_ms + 500
    until_ms = clock_ms + TIMES.surely_ms(TIMES.promise_ms)
    over = Entry(12_000, clock_ms + TIMES.wait_ms)
    answer: dict[str, Any] = {"term": term, "claims": False, "heartbeat_ms": clock_ms, "yes": True}
    return [
        say.Ask(**at(1, at_ms), term=term, claims=False),
        say.Answer(**at(0, at_ms), **answer, until_ms=at_ms + TIMES.promise_ms),
        say.Count(**at(1, at_ms), voter=0, heartbeat_ms=clock_ms, until_ms=until_ms),
        say.Gain(**at(1, at_ms), term=(4, 1, 11), ledger=(over, over)),
    ]


def test_a_second_leader_waits_for_the_promise() -> None:
    """The promise of 9.9 s is over at 14.9 s, and no earlier."""
    told = list(
        without("expire of 0", "expire of 1", "report in the tail", "report after the tail")(story.told()).values()
    )
    early = relation.first_wrong(NETWORK, [*told, *second_leader(14_000)])
    assert early is not None
    assert "promised until 14900" in early.why
    assert relation.first_wrong(NETWORK, [*told, *second_leader(14_900)]) is None


def test_two_authorities_at_once_are_refused() -> None:
    """Even where every vote were right, two at one instant are not."""
    run = story.told()
    cheat = relation.Relation.of(NETWORK)
    for event in list(run.values())[: list(run).index("lose")]:
        cheat.step(event)
    second = say.Gain(**at(1, 10_300), term=(4, 1, 11), ledger=())
    cheat.voting.candidates[1].counted = {0: 30_000, 1: 30_000}
    with pytest.raises(say.NotAllowedError, match="member 0 has authority"):
        cheat.voting.gain(second)


def test_a_hand_over_frees_the_voters_and_voids_the_promises() -> None:
    """After a release its promises count no more, and a later promise is not undone by an old release."""
    start = list(story.told().values())
    start = start[: list(story.told()).index("second ask")]
    handed = [
        say.Lose(**at(0, 7_200)),
        say.Release(**at(0, 7_200)),
        say.Free(**at(0, 7_210), leader=0, leader_boot=10),
    ]
    assert relation.first_wrong(NETWORK, [*start, *handed, *second_leader(7_300)]) is None
    counted = say.Count(**at(0, 7_300), voter=1, heartbeat_ms=7_000, until_ms=7_000 + TIMES.surely_ms(TIMES.promise_ms))
    wrong = relation.first_wrong(NETWORK, [*start, *handed, counted])
    assert wrong is not None
    assert wrong.why == "the promise was given back"
    stranger = say.Free(**at(1, 7_150), leader=0, leader_boot=10)
    wrong = relation.first_wrong(NETWORK, [*start, stranger])
    assert wrong is not None
    assert "not handed over" in wrong.why


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (Times(wait_ms=16_500), "wait"),  # mistake 8
        (Times(cold_ms=29_000), "cold hold"),  # mistake 14
        (Times(tail_ms=6_000), "tail"),
        (Times(cap_ms=15_000), "cap"),
    ],
)
def test_times_that_do_not_fit_are_refused(times: Times, why: str) -> None:
    wrong = relation.first_wrong(attrs.evolve(NETWORK, times=times), [])
    assert wrong is not None
    assert why in wrong.why


def test_a_leader_may_go_on_under_a_higher_term() -> None:
    """Then what echoes the former term teaches nothing more."""
    climb = say.Climb(**at(0, 8_090), term=(5, 0, 10))
    where, why = wrong_step(inserted("learn of 0", attrs.evolve(climb, at_ms=8_100, clock_ms=8_100))(story.told()))
    assert (where, why) == ("learn of 0", "the report does not echo this authority")
    lower = attrs.evolve(climb, at_ms=8_100, clock_ms=8_100, term=LEADING)
    assert wrong_step(inserted("learn of 0", lower)(story.told()))[0] == "inserted"
