"""`powershare/faults/1`: what storms over a network of nodes gave, as one JSON object."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from powershare.simulation.network import Tally

FAULTS_SCHEMA = "powershare/faults/1"


def faults_to_json(tally: "Tally", wall_s: float) -> dict[str, object]:
    """The figures as plain data, ready for `json.dumps`.

    Args:
        tally: Of one seed or of several.
        wall_s: How long it took.
    """
    return {
        "schema": FAULTS_SCHEMA,
        "seed": tally.seeds[0] if tally.seeds else None,
        "seeds": list(tally.seeds),
        "failing_seeds": list(tally.failing),
        "connector_hours": round(tally.connector_hours, 3),
        "events": tally.events,
        "leader_changes": tally.leader_changes,
        "messages": tally.messages,
        "lost": tally.lost,
        "crashes": tally.crashes,
        "partitions": tally.partitions,
        "limits_broken": tally.limits_broken,
        "outside": {
            "done": dict(sorted(tally.outside.items())),
            "limits_broken": tally.outside_limits_broken,
            "back_under_s": tally.back_under_ms / 1000,
        },
        "invariants": {
            name: {"checked": counted.checked, "failed": counted.failed, "outside": counted.outside}
            for name, counted in tally.invariants.items()
        },
        "served_percent": round(tally.served_percent, 3),
        "takeover_s": _spread(tally.takeovers_ms),
        "recovery_s": _spread(tally.recoveries_ms),
        "wall_s": round(wall_s, 3),
    }


def _spread(times_ms: tuple[int, ...]) -> dict[str, object]:
    """How many, and the times in seconds that half and 95 of a hundred do not exceed."""
    from powershare.simulation.network import percentile_ms

    middle, late = (percentile_ms(times_ms, percent) for percent in (50, 95))
    return {
        "count": len(times_ms),
        "median": None if middle is None else middle / 1000,
        "p95": None if late is None else late / 1000,
    }
