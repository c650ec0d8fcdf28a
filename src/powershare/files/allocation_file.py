"""Allocations as JSON, `powershare/allocation/1`, and simulation reports, `powershare/simulation/1`."""

from typing import TYPE_CHECKING

from powershare.allocation import Allocation, BoundBy, CircuitAllocation, ConnectorAllocation
from powershare.files.kinds import plain_amps
from powershare.units import Line, LineMilliamps

if TYPE_CHECKING:
    from powershare.simulation.report import SimulationReport

ALLOCATION_SCHEMA = "powershare/allocation/1"
SIMULATION_SCHEMA = "powershare/simulation/1"

NETWORK_KEYS = ("limit_a", "allocated_a", "held_a", "headroom_a", "exceeded")
"""What the sums under the network limit say: as those of a circuit, without other load, which does not count there."""

ROTATION_NOTE = "how its lines are wired is unknown, so its current counts on every line; give the connector's lines"


def allocation_to_json(allocation: Allocation) -> dict[str, object]:
    """An allocation as plain data, ready for `json.dumps`.

    Beyond what the format promises: `counted_on` names the lines that a connector's current counts
    on, `reason` stands with every status that has one, `note` says when the rotation is unknown, and
    `network` has the sums under the network limit where the site has one.

    Args:
        allocation: The answer.

    Returns:
        The data; connectors and circuits in the order of the site.
    """
    data: dict[str, object] = {
        "schema": ALLOCATION_SCHEMA,
        "backend": allocation.backend,
        "connectors": [_connector(answer) for answer in allocation.connectors],
        "circuits": [_circuit(answer) for answer in allocation.circuits.values()],
    }
    if allocation.network is not None:
        data["network"] = {key: value for key, value in _circuit(allocation.network).items() if key in NETWORK_KEYS}
    return data


def simulation_to_json(report: "SimulationReport") -> dict[str, object]:
    """A simulation's report as plain data, ready for `json.dumps`."""
    return {
        "schema": SIMULATION_SCHEMA,
        "sessions": report.sessions,
        "sessions_met": report.sessions_met,
        "energy_asked_kwh": report.energy_asked_kwh,
        "energy_delivered_kwh": report.energy_delivered_kwh,
        "simulated_s": report.simulated_s,
        "wall_s": report.wall_s,
        "limits_broken": report.limits_broken,
        "peaks": [
            {
                "circuit": peak.circuit,
                "line": peak.line.name,
                "limit_a": plain_amps(peak.limit_ma),
                "peak_a": plain_amps(peak.peak_ma),
            }
            for peak in report.peaks
        ],
        "binding_percent": report.binding_percent,
        "offer_changes": report.offer_changes,
        "pauses_most": report.pauses_most,
        "longest_wait_s": report.longest_wait_s,
        "unsendable_offers": report.unsendable_offers,
        "skipped_rows": report.skipped_rows,
    }


def _connector(answer: ConnectorAllocation) -> dict[str, object]:
    data: dict[str, object] = {
        "connector": answer.connector,
        "status": answer.status.value,
        "allocated_a": plain_amps(answer.allocated_ma),
        "bound_by": None if answer.bound_by is None else _bound_by(answer.bound_by),
    }
    if answer.reason is not None:
        data["reason"] = answer.reason
    if answer.counted_lines:
        data["counted_on"] = _names(answer.counted_lines)
    if answer.rotation_unknown:
        data["note"] = ROTATION_NOTE
    return data


def _bound_by(bound: BoundBy) -> dict[str, object]:
    return {
        "kind": bound.kind.value,
        "id": bound.id,
        "line": None if bound.line is None else bound.line.name,
        "limit_a": plain_amps(bound.limit_ma),
        "source": bound.source,
    }


def _circuit(answer: CircuitAllocation) -> dict[str, object]:
    return {
        "circuit": answer.circuit,
        "limit_a": _per_line(answer.limit_ma),
        "allocated_a": _per_line(answer.allocated_ma),
        "held_a": _per_line(answer.held_ma),
        "other_load_a": _per_line(answer.other_load_ma),
        "headroom_a": _per_line(answer.headroom_ma),
        "exceeded": answer.exceeded,
    }


def _per_line(figures_ma: LineMilliamps) -> list[int | float]:
    return [plain_amps(line_ma) for line_ma in figures_ma]


def _names(lines: tuple[Line, ...]) -> list[str]:
    return [line.name for line in lines]
