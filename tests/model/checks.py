"""The table of searches: every model and scope, every mistake that is put in, and what must come out."""

from tests.model.table import Check, caught, found, holds, reached, scope

AT_ONCE = "HB=0 FRESH=0 ONE_SLOT"
"""A report is used in the tick in which it is made, and one grant per unit is in flight."""

AUTHORITY = (
    *scope(
        "authority-2",
        "authority",
        "NV=2",
        holds("right", "", 221_265, "two voters, weights 2 and 1"),
        caught(1, "", "no margin for drift"),
        caught(2, "", "promise counted from receipt"),
    ),
    *scope(
        "authority-3",
        "authority",
        "NV=3 P=2",
        holds("right", "", 884_736, "three voters").long(),
        holds("alike", "SYM", 152_096, "the same, of alike voters one order"),
        holds("longer", "P=3 SYM", 17_393_980, "promises of three ticks").long(memory_mb=8_000, hash_bits=25),
        caught(1, "", "no margin for drift").deep(),
        caught(2, "", "promise counted from receipt").deep(),
        caught(3, "", "restarted voter votes at once").deep(),
        caught(4, "", "half of the weight is enough"),
        caught(5, "", "a promise may be overwritten").deep(),
        reached(1, "", "the second candidate leads while the first voter is free"),
    ),
    *scope(
        "authority-4",
        "authority",
        "NV=4 P=2",
        holds("right", "SYM", 14_601_216, "four voters, weights 2, 1, 1 and 1").long(memory_mb=8_000, hash_bits=27),
    ),
)

GRANT_2 = (
    # All delays, two grants in flight to each unit.
    *scope(
        "grant-2",
        "grant",
        "N=2 SL=0 TU=1 MAXSW=0",
        holds("one-leader", "", 870_670, "one leader").long(),
        holds("right", "MAXSW=2", 2_923_955, "two changes of leader").long(),
        holds("alike", "MAXSW=2 SYM", 1_463_232, "the same, of alike units one order"),
        holds("pilot", "MAXSW=1 PILOT", 2_326_968, "x <= min(ceiling reported, F) needs no fit test").long(),
        holds("idle", "MAXSW=0 PILOT IDLE SYM", 742_115, "units at their fall-back may cap themselves"),
        holds("idle-leaders", "MAXSW=1 PILOT IDLE SYM", 1_592_848, "the same, and one change of leader").long(),
        holds("longer", "MAXSW=1 TU=2 SYM", 3_388_580, "raise leases of two ticks").long(memory_mb=8_000),
        caught(1, "", "increase before the decrease is confirmed"),
        caught(2, "MAXSW=1", "new leader does not wait out old leases"),
        caught(3, "", "lease counted from receipt"),
        caught(4, "MAXSW=1", "no fence"),
        caught(5, "", "older grant applied after a newer one"),
        caught(6, "", "boot id ignored"),
        caught(7, "", "report forgets the car's lag"),
        caught(8, "SL=1", "no margin for drift").hard(),
        caught(9, "", "restart goes straight to the fall-back"),
        caught(10, "", "cap counted from receipt of the report"),
        caught(11, "", "fit test looks at the present only"),
        caught(12, "MAXSW=1", "reports from before the authority count").hard(),
        caught(13, "", "report before the old current is gone"),
        caught(14, "", "cold hold too short"),
        holds("bug-15", "BUG=15", 965_902, "weaker knowledge replaces better: costs amps, not safety").long(),
        caught(16, "", "'my ledger does not change' taken for harmless"),
        caught(17, "SL=1", "new cap shorter than the old one not minded").hard(),
        reached(1, "MAXSW=1", "one car has the whole breaker"),
        reached(2, "MAXSW=1", "one car has the whole breaker under the second leader"),
    ),
    *scope(
        "drift-2",
        "grant",
        "N=2 SL=1 TU=1",
        holds("late", "MAXSW=1 HB=0 FRESH=1 ONE_SLOT", 5_116_283, "drift; reports up to a tick late").long(),
        holds("delays", "MAXSW=0 SYM", 8_772_602, "drift and all delays").long(
            memory_mb=9_500, depth=12_000_000, hash_bits=27
        ),
    ),
    # A write to the actuator that takes any time, trims, and both.
    *scope(
        "pause",
        "grant",
        "N=2 SL=0 TU=1 MAXSW=0",
        holds("none", "PAUSE=0", 870_670, "tail from the decision, where the write comes at once").long(),
        found("later", "PAUSE=1", "tail from the decision, the write a tick later"),
    ),
    *scope(
        "resume",
        "grant",
        "N=2 SL=0 TU=1 MAXSW=2",
        found("goes-on", "RESUME=1", "a regained majority goes on with its ledger").hard(),
        holds("anew", "RESUME=2", 14_234_244, "a regained majority starts anew").long(memory_mb=4_000),
    ),
    *scope(
        "trim",
        "grant",
        f"N=2 L=3 SL=0 TU=1 TRIM MAXSW=0 {AT_ONCE}",
        holds("right", "MAXSW=1", 464_032, "trims"),
        caught(22, "", "the ceiling is set, not only lowered"),
        caught(23, "", "the leader counts the trim when it issues it"),
    ),
    *scope(
        "stall",
        "grant",
        f"N=2 SL=0 TU=1 STALL MAXSW=0 {AT_ONCE}",
        holds("right", "MAXSW=1", 968_329, "writes that take any time"),
        holds("idle", "MAXSW=1 IDLE", 1_155_722, "the same, units may cap themselves").long(),
        caught(20, "", "tail starts at the decision"),
        caught(21, "", "cap reported before the actuator has it"),
    ),
    *scope(
        "stall-trim",
        "grant",
        f"N=2 L=3 SL=0 TU=1 STALL TRIM MAXSW=0 {AT_ONCE}",
        holds("right", "", 3_996_367, "trims, and writes that take any time").long(),
        holds("leaders", "MAXSW=1", 9_996_775, "the same with a change of leader").long(),
        caught(20, "", "tail starts at the decision"),
        caught(21, "", "cap reported before the actuator has it"),
        caught(22, "", "the ceiling is set, not only lowered"),
        caught(23, "", "the leader counts the trim when it issues it"),
    ),
)

NESTED = (
    *scope(
        "nested-2",
        "grant",
        f"N=2 L=3 INNER=1 LI=2 SL=0 TU=1 MAXSW=0 {AT_ONCE}",
        holds("right", "MAXSW=1", 194_562, "a unit on an inner breaker, both on the outer one"),
        caught(18, "", "fit test looks at the inner breaker only"),
        caught(19, "", "fit test looks at the outer breaker only"),
    ),
    *scope(
        "nested-3",
        "grant",
        f"N=3 L=3 INNER=2 LI=2 SL=0 TU=1 MAXSW=0 G0FL {AT_ONCE}",
        holds("right", "", 6_228_102, "two units on an inner breaker, all three on the outer one").long(),
        holds("leaders", "MAXSW=1", 15_887_025, "the same with a change of leader").long(memory_mb=6_000),
        holds("wide", "L=4", 11_611_679, "the same, the outer breaker 1 A wider than the fall-backs").long(
            memory_mb=6_000
        ),
        caught(18, "", "fit test looks at the inner breaker only"),
        caught(19, "", "fit test looks at the outer breaker only"),
        reached(3, "L=4", "the inner breaker full by one unit while the outer one is above its fall-back"),
    ),
)

GRANT_3 = (
    *scope(
        "grant-3",
        "grant",
        f"N=3 SL=0 TU=1 MAXSW=1 G0FL {AT_ONCE}",
        holds("right", "", 8_441_736, "three units, a change of leader").long(memory_mb=3_500),
        holds("alike", "SYM", 1_437_862, "the same, of alike units one order"),
        caught(1, "", "increase before the decrease is confirmed"),
        caught(2, "", "new leader does not wait out old leases").long(),
        caught(7, "", "report forgets the car's lag").deep(),
        caught(9, "", "restart goes straight to the fall-back"),
        caught(11, "", "fit test looks at the present only"),
        holds("late", "SYM FRESH=1", 15_321_054, "reports up to a tick late").long(memory_mb=9_500),
    ),
    *scope(
        "amps-3",
        "grant",
        f"N=3 SL=0 TU=1 SYM {AT_ONCE}",
        holds("right", "MAXSW=1", 3_680_262, "three units, grants of any whole amps").long(memory_mb=8_000),
    ),
    *scope(
        "drift-3",
        "grant",
        f"N=3 SL=1 TU=1 SYM G0FL {AT_ONCE}",
        holds("one-leader", "MAXSW=0", 37_951_371, "three units, drift").long(
            memory_mb=9_500, depth=9_000_000, hash_bits=27
        ),
        holds("leaders", "MAXSW=1", None, "the same with a change of leader")
        .long(memory_mb=10_000, depth=14_000_000, hash_bits=27)
        .partial(),
        holds("delays", "MAXSW=2 HB=1 FRESH=1", None, "drift, reports up to a tick late, two changes of leader")
        .long(memory_mb=6_000, store="bits", depth=12_000_000, hash_bits=34, minutes=15)
        .partial(),
    ),
)

COMPOSITION = (
    *scope(
        "both-2",
        "composition",
        "NV=2 TERMS=3",
        holds("right", "", 2_915_883, "two voters and units, two candidates, three authorities"),
        holds("fallback", "TERMS=2 F=1", 10_420_691, "fall-backs of 1 A: caps, and two authorities").long(),
        holds("caps", "F=1", 32_211_260, "fall-backs of 1 A: caps, and three authorities").long(memory_mb=6_500),
        holds("leases", "TU=2", 7_084_350, "raise leases of two ticks").long(),
        holds("terms", "TERMS=4", 8_014_132, "four authorities").long(),
        holds("release", "RELEASE", 6_980_393, "planned hand-over").long(),
        holds("climb", "TU=2 CLIMB", 7_573_931, "a leader goes on under a higher term").long(),
        caught(1, "", "ledger kept over a regained majority").hard(),
        caught(2, "", "a new authority waits for nothing"),
        caught(3, "", "promise counted from receipt"),
        caught(4, "", "restarted voter votes at once"),
        caught(5, "", "grants decided without authority").hard(),
        caught(6, "", "reports from before the authority count").deep().hard(),
        caught(7, "", "a gap goes unnoticed when the event that would show it also closes it").deep().hard(),
        caught(8, "", "the fence moves only with a grant, not with the report").hard(),
        caught(9, "", "grants pass the fence").deep().hard(),
        caught(10, "TU=2", "a regained majority keeps its term").hard(),
        caught(11, "RELEASE", "answers to older asks still count after a hand-over"),
        caught(12, "RELEASE", "an old release is obeyed after a newer promise"),
        caught(13, "", "half of the weight is enough"),
        caught(14, "TU=2 CLIMB", "reports to the lower term still count").hard(),
        reached(1, "", "one car has the whole breaker under term 3 after term 2"),
        reached(2, "", "one car has the whole breaker under term 2 after term 1"),
    ),
    *scope(
        "both-3",
        "composition",
        "NV=3 TERMS=2",
        holds("right", "SYM", 37_063_758, "three voters and units, two authorities").long(
            memory_mb=9_500, depth=4_000_000, hash_bits=27
        ),
        caught(2, "SYM", "a new authority waits for nothing").long(),
        caught(3, "", "promise counted from receipt"),
        caught(4, "", "restarted voter votes at once"),
        caught(13, "", "one of three is enough"),
    ),
)

CHECKS: tuple[Check, ...] = (*AUTHORITY, *GRANT_2, *NESTED, *GRANT_3, *COMPOSITION)
