"""Each mistake that a story tells of, planted: the story goes wrong, and a limit breaks where it says so."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from tests.datadriven.harness import Block, StoryError, parse, play
from tests.datadriven.story.stage import Story

from powershare._native.codes import GrantKind
from powershare._native.ledger_reference import ReferenceLedger
from powershare.election import Cause
from powershare.leases import Grant, Holder
from powershare.leases.tail import Tail
from powershare.node import Node, Vote
from powershare.node.leading import Leading

TESTDATA = Path(__file__).parent / "testdata"
LEDGER = "powershare.leases.ledger.KernelLedger"


class TakesTheNewerForTheBetter(ReferenceLedger):
    def _learn_current(self, unit: int, now: int, wait: int, current: int, cap_until: int) -> None:
        super()._learn_current(unit, now, wait, current, cap_until)
        if current < self.fallback[unit]:
            self.high[unit], self.until[unit] = current, cap_until


class TakesWhatIsNotAboveForHarmless(ReferenceLedger):
    def _fits(self, unit: int, high: int, until: int, now: int, horizon: int) -> bool:
        return high <= self.high[unit] or super()._fits(unit, high, until, now, horizon)


class ForgetsThatANewCapMayEndSooner(ReferenceLedger):
    def _entry_after(self, unit: int, kind: int, amps: int, now: int, wait: int, cap_until: int) -> tuple[int, int]:
        high, until = super()._entry_after(unit, kind, amps, now, wait, cap_until)
        return high, self.until[unit] if kind == GrantKind.CAP else until


def with_ledger(ledger: type[ReferenceLedger]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(LEDGER, ledger)


def believes_reports_from_before(patch: pytest.MonkeyPatch) -> None:
    answered = Node._answered

    def believing(self: Node, message: Vote, now_ms: int) -> None:
        term = self.elector.term
        if (message.term.leader, message.term.boot) == (term.leader, term.boot):
            message = attrs.evolve(message, term=term)
        answered(self, message, now_ms)

    patch.setattr(Node, "_answered", believing)


def lets_the_tail_start_at_the_decision(patch: pytest.MonkeyPatch) -> None:
    lowered = Tail.lowered

    def at_once(
        self: Tail, former_ma: int, now_ms: int, *, pilot_is_low: bool, write: int, latest_ms: int | None = None
    ) -> None:
        lowered(self, former_ma, now_ms, pilot_is_low=True, write=write, latest_ms=latest_ms)

    patch.setattr(Tail, "lowered", at_once)


def keeps_its_ledger(patch: pytest.MonkeyPatch) -> None:
    turned, kept = Node._turned, dict[int, Leading]()

    def going_on(self: Node, cause: Cause | None, now_ms: int) -> None:
        if self.leading is not None:
            kept[self.boot] = self.leading
        turned(self, cause, now_ms)
        if cause is Cause.MAJORITY and self.boot in kept:
            self.leading = kept[self.boot]
            self.leading.granting.new_term()

    patch.setattr(Node, "_turned", going_on)


def sets_what_a_trim_says(patch: pytest.MonkeyPatch) -> None:
    accept = Holder.accept

    def setting(self: Holder, grant: Grant, now_ms: int) -> bool:
        applied = accept(self, grant, now_ms)
        if applied and grant.kind is GrantKind.TRIM:
            self._set(grant.ceiling_ma, grant.offer_ma, self.until_ms, now_ms)
        return applied

    patch.setattr(Holder, "accept", setting)


UNSAFE = {
    "mistake_2_not_above_the_ledger": with_ledger(TakesWhatIsNotAboveForHarmless),
    "mistake_3_shorter_cap": with_ledger(ForgetsThatANewCapMayEndSooner),
    "mistake_4_earlier_report": believes_reports_from_before,
    "mistake_5_tail_from_the_decision": lets_the_tail_start_at_the_decision,
    "mistake_6_regained_majority": keeps_its_ledger,
    "mistake_7_trim_sets": sets_what_a_trim_says,
}


def end_of(name: str) -> list[str]:
    """What the last line of a story sees, whatever its conditions said on the way."""
    path = TESTDATA / f"{name}.txt"
    story, seen = Story(), [""]
    for part in parse(path.read_text(encoding="utf-8"), path.name):
        for line in part.commands if isinstance(part, Block) else ():
            try:
                seen = story.say(line)
            except ValueError:
                assert line.startswith("run "), line
    return seen


@pytest.mark.parametrize("name", list(UNSAFE))
def test_the_limit_breaks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the mistake of the story more is drawn than the breaker carries; without it nothing is."""

    def over(lines: list[str]) -> list[str]:
        return [line for line in lines if " A drawn of " in line and not line.startswith("outside")]

    assert over(end_of(name)) == []
    UNSAFE[name](monkeypatch)
    assert over(end_of(name))


def test_a_weaker_report_that_is_believed_costs_amps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit breaks by this mistake alone: the raise that leans on the cap ends before its time."""
    name = "mistake_1_weaker_report"
    monkeypatch.setattr(LEDGER, TakesTheNewerForTheBetter)
    with pytest.raises(StoryError, match="offers b 30"):
        play((TESTDATA / f"{name}.txt").read_text(encoding="utf-8"), name)
    assert end_of(name) == ["nothing broke"]


def test_every_mistake_has_its_story() -> None:
    stories = {path.stem for path in TESTDATA.glob("mistake_*.txt")}
    assert stories == {*UNSAFE, "mistake_1_weaker_report"}
