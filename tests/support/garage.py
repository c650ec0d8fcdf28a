"""A garage of ideal vehicles for the tests of the policy: sessions in, outcomes out, in virtual time.

Not the simulator of the package: vehicles here draw exactly what they are offered, at once, so
that what a plan achieves can be compared with a linear program.
"""

import csv
import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from powershare.policy import Conditions, Policy, Report, Turn, advance
from powershare.site import Circuit, Connector, Site, Supply

VOLTS = 230
DATA = Path(os.environ.get("POWERSHARE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
NORWAY = DATA / "sessions" / "norway-apartments-sorensen.csv"
MAX_MA = 32_000


@attrs.frozen
class Stay:
    """One vehicle's stay: from, until, what it asks for, and when it says that it leaves."""

    connector: str
    from_ms: int
    until_ms: int
    energy_wh: int
    stated_ms: int | None = None

    @property
    def charge(self) -> int:
        """The energy as milliampere-milliseconds."""
        return self.energy_wh * 3_600_000_000 // VOLTS


def norway(garage: str) -> list[Stay]:
    """The usable stays of one garage; no two of one connector overlap."""
    zone = ZoneInfo("Europe/Oslo")
    stays = []
    with NORWAY.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            if row["Garage_ID"] != garage or row["End_plugout"] in ("", "NA"):
                continue
            start, end = (
                int(datetime.strptime(row[name], "%d.%m.%Y %H:%M").replace(tzinfo=zone).timestamp()) * 1000
                for name in ("Start_plugin", "End_plugout")
            )
            if end > start:
                stays.append(Stay(row["User_ID"], start, end, round(float(row["El_kWh"].replace(",", ".")) * 1000)))
    stays.sort(key=lambda stay: (stay.from_ms, stay.connector))
    free: dict[str, int] = {}
    usable = []
    for stay in stays:
        if stay.from_ms >= free.get(stay.connector, 0):
            usable.append(stay)
            free[stay.connector] = stay.until_ms
    first = min(stay.from_ms for stay in usable)
    return [attrs.evolve(stay, from_ms=stay.from_ms - first, until_ms=stay.until_ms - first) for stay in usable]


def flat_site(connectors: Iterable[str], limit_ma: int) -> Site:
    """Every connector on one single-phase feeder."""
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=limit_ma),),
        connectors=tuple(Connector(id=name, circuit="feeder") for name in sorted(set(connectors))),
    )


def uncontrolled_peak_ma(stays: Sequence[Stay]) -> int:
    """The most that all vehicles together would draw if nobody limited them."""
    events = []
    for stay in stays:
        needs_ms = min(stay.until_ms - stay.from_ms, -(-stay.charge // MAX_MA))
        events += [(stay.from_ms, MAX_MA), (stay.from_ms + needs_ms, -MAX_MA)]
    load_ma = peak_ma = 0
    for _, change_ma in sorted(events):
        load_ma += change_ma
        peak_ma = max(peak_ma, load_ma)
    return peak_ma


@attrs.define
class Vehicle:
    """One stay as it goes."""

    stay: Stay
    session: int
    left: int
    offered_ma: int = 0
    turn: Turn = attrs.field(factory=Turn)


@attrs.frozen(kw_only=True)
class Outcome:
    """How all stays fared."""

    stays: int
    met: int
    delivered: int
    possible: int
    pauses: int
    pauses_most: int
    unsendable: int
    changes: int
    steps: int
    peak_ma: int

    @property
    def delivered_share(self) -> float:
        """Of what was asked."""
        return self.delivered / self.possible


Control = Callable[[dict[str, Vehicle], int], "tuple[dict[str, int], int | None]"]
"""From the vehicles present and now to the offers that change, and when to ask again."""


def drive(stays: Sequence[Stay], control: Control) -> Outcome:
    """Let every stay happen under a control."""
    present: dict[str, Vehicle] = {}
    done: list[Vehicle] = []
    events = [(stay.from_ms, 1, place) for place, stay in enumerate(stays)]
    events += [(stay.until_ms, 0, place) for place, stay in enumerate(stays)]
    heapq.heapify(events)
    now_ms, due_ms, steps, unsendable, changes, peak_ma = 0, None, 0, 0, 0, 0
    while events:
        ends = [
            now_ms - (-vehicle.left // vehicle.offered_ma)
            for vehicle in present.values()
            if vehicle.left > 0 < vehicle.offered_ma
        ]
        next_ms = min([events[0][0], *ends, *([due_ms] if due_ms is not None else [])])
        elapsed_ms, now_ms = next_ms - now_ms, next_ms
        for vehicle in present.values():
            vehicle.turn = advance(vehicle.turn, vehicle.left > 0, vehicle.offered_ma, elapsed_ms)
            vehicle.left = max(0, vehicle.left - vehicle.offered_ma * elapsed_ms)
        while events and events[0][0] == now_ms:
            _, arrives, place = heapq.heappop(events)
            stay = stays[place]
            if arrives:
                present[stay.connector] = Vehicle(stay, place + 1, stay.charge)
            else:
                done.append(present.pop(stay.connector))
        offers, due_ms = control(present, now_ms)
        steps += 1
        for name, offered_ma in offers.items():
            vehicle = present[name]
            unsendable += 0 < offered_ma < 6_000
            changes += offered_ma != vehicle.offered_ma
            vehicle.offered_ma = offered_ma
            vehicle.turn = advance(vehicle.turn, vehicle.left > 0, offered_ma, 0)
        peak_ma = max(peak_ma, sum(vehicle.offered_ma for vehicle in present.values()))
    return Outcome(
        stays=len(stays),
        met=sum(vehicle.left * 1000 <= vehicle.stay.charge for vehicle in done),
        delivered=sum(vehicle.stay.charge - vehicle.left for vehicle in done),
        possible=sum(stay.charge for stay in stays),
        pauses=sum(vehicle.turn.pauses for vehicle in done),
        pauses_most=max(vehicle.turn.pauses for vehicle in done),
        unsendable=unsendable,
        changes=changes,
        steps=steps,
        peak_ma=peak_ma,
    )


def by_policy(site: Site, policy: Policy) -> Control:
    """The policy as a control; vehicles follow at once, and meters say so."""
    idle = {connector.id: Report(connector=connector.id) for connector in site.connectors}
    conditions = Conditions()

    def control(present: dict[str, Vehicle], now_ms: int) -> tuple[dict[str, int], int | None]:
        reports = dict(idle)
        for name, vehicle in present.items():
            stated_ms = vehicle.stay.stated_ms
            reports[name] = Report(
                connector=name,
                session=vehicle.session,
                plugged=True,
                wants=vehicle.left > 0,
                offered_ma=vehicle.offered_ma,
                measured_ma=vehicle.offered_ma if vehicle.left else 0,
                turn=vehicle.turn,
                energy_needed_wh=-(-vehicle.left * VOLTS // 3_600_000_000) if policy.needs_departure else None,
                departs_in_s=(stated_ms - now_ms) // 1000 if policy.needs_departure and stated_ms is not None else None,
            )
        decision = policy.step(reports.values(), conditions, now_ms)
        return {change.connector: change.offered_ma for change in decision.changes}, decision.due_ms

    return control


def by_sorting(limit_ma: int, key: Callable[[Vehicle, int], float], every_ms: int = 300_000) -> Control:
    """Walk the vehicles in an order and give each all that is left: how peers do it (ACN-Sim's sorted algorithms)."""

    def control(present: dict[str, Vehicle], now_ms: int) -> tuple[dict[str, int], int | None]:
        left_ma, offers = limit_ma, dict.fromkeys(present, 0)
        wanting = sorted((key(vehicle, now_ms), name) for name, vehicle in present.items() if vehicle.left > 0)
        for _, name in wanting:
            offered_ma = min(MAX_MA, left_ma) // 100 * 100
            if offered_ma >= 6_000:
                offers[name] = offered_ma
                left_ma -= offered_ma
        short = any(offers[name] < MAX_MA for _, name in wanting)
        return offers, now_ms + every_ms if short else None

    return control


def earliest_deadline(vehicle: Vehicle, now_ms: int) -> float:
    """For `by_sorting`: who leaves first comes first."""
    return vehicle.stay.stated_ms or 0


def least_laxity(vehicle: Vehicle, now_ms: int) -> float:
    """For `by_sorting`: who can wait least comes first."""
    return (vehicle.stay.stated_ms or 0) - now_ms - vehicle.left / MAX_MA


def optimum(stays: Sequence[Stay], limit_ma: int) -> int:
    """The most charge that anybody could hand out who knows everything: a linear program over all slots.

    Slots lie between neighbouring arrivals and departures; within one, currents are constant, which
    loses nothing, because nothing changes there.
    """
    marks = sorted({mark for stay in stays for mark in (stay.from_ms, stay.until_ms)})
    place = {mark: index for index, mark in enumerate(marks)}
    rows: list[int] = []
    columns: list[int] = []
    most: list[float] = []
    slots = len(marks) - 1
    for number, stay in enumerate(stays):
        for slot in range(place[stay.from_ms], place[stay.until_ms]):
            rows += [slot, slots + number]
            columns += [len(most)] * 2
            most.append((marks[slot + 1] - marks[slot]) * (MAX_MA / 1e9))
    limits = np.concatenate([np.diff(marks) * (limit_ma / 1e9), [stay.charge / 1e9 for stay in stays]])
    matrix = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(limits), len(most)))
    solution = milp(
        -np.ones(len(most)), bounds=Bounds(0, np.array(most)), constraints=LinearConstraint(matrix, -np.inf, limits)
    )
    assert solution.status == 0, solution.message
    return int(-solution.fun * 1e9)
