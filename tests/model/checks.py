"""The table of searches: every model and scope, every mistake that is put in, and what must come out."""

from tests.model.table import Check, caught, holds, reached, scope

NO_DELAYS = "HB=0 FRESH=0 ONE_SLOT"
"""A report is used in the tick in which it is made, and one grant per unit is in flight."""

CHECKS: tuple[Check, ...] = (
    # Who may issue.
    *scope(
        "authority-2",
        "authority",
        "NV=2",
        holds("right", "", 221_265, "two voters, weights 2 and 1"),
    ),
    *scope(
        "authority-3",
        "authority",
        "NV=3 P=2",
        holds("right", "", 884_736, "three voters"),
        caught(1, "", "no margin for drift"),
        caught(2, "", "promise counted from receipt"),
        caught(3, "", "restarted voter votes at once"),
        caught(4, "", "half of the weight is enough"),
        caught(5, "", "a promise may be overwritten"),
        reached(1, "", "the second candidate leads while the first voter is free"),
    ),
    # What is issued. Two units; all delays, two grants in flight to each.
    *scope(
        "grant-2",
        "grant",
        "N=2 SL=0 TU=1 MAXSW=0",
        holds("right", "MAXSW=2", 2_923_955, "two changes of leader").long(),
        holds("pilot", "MAXSW=1 PILOT", 2_326_968, "x <= min(ceiling reported, F) needs no fit test").long(),
        caught(1, "", "increase before the decrease is confirmed"),
        caught(2, "MAXSW=1", "new leader does not wait out old leases"),
        caught(3, "", "lease counted from receipt"),
        caught(4, "MAXSW=1", "no fence"),
        caught(5, "", "older grant applied after a newer one"),
        caught(6, "", "boot id ignored"),
        caught(7, "", "report forgets the car's lag"),
        caught(8, "SL=1", "no margin for drift"),
        caught(9, "", "restart goes straight to the fall-back"),
        caught(10, "", "cap counted from receipt of the report"),
        caught(11, "", "fit test looks at the present only"),
        caught(12, "MAXSW=1", "reports from before the authority count"),
        caught(13, "", "report before the old current is gone"),
        caught(14, "", "cold hold too short"),
        holds("bug-15", "BUG=15", 965_902, "weaker knowledge replaces better: costs amps, not safety"),
        caught(16, "", "'my ledger does not change' taken for harmless"),
        caught(17, "SL=1", "new cap shorter than the old one not minded"),
        reached(1, "MAXSW=1", "one car has the whole breaker"),
        reached(2, "MAXSW=1", "one car has the whole breaker under the second leader"),
    ),
)
