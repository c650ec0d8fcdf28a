"""Files of maps: TOML to values, every problem at once, each with the file, the place in it and the remedy."""

import functools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from powershare.errors import FormatError, Problem
from powershare.files.tables import Decoded, decode
from powershare.units import MAX_CONNECTOR_MA
from powershare_http.charger import map_tables
from powershare_http.charger.http_map import (
    Amount,
    Drawn,
    Evidence,
    Expected,
    HttpMap,
    Place,
    Range,
    Reported,
    StateRule,
    Step,
    Switch,
    Trouble,
    Watchdog,
)
from powershare_http.exchange import Request

MAX_MAP_BYTES = 65_536
_LEAST_MA = 6_000
_REPLY_MS, _LEAST_REPLY_MS, _LONGEST_REPLY_MS = 2_000, 50, 10_000
_LONGEST_SETTLE_MS = 60_000
_LONGEST_WATCHDOG_MS = 86_400_000
_MOST_STEPS = 4


def shipped() -> tuple[str, ...]:
    """The names of the maps that come with this distribution."""
    directory = resources.files(__package__).joinpath("maps")
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in directory.iterdir() if entry.is_file()))


@functools.cache
def load_map(name: str) -> HttpMap:
    """Read a map, once.

    Args:
        name: One of `shipped()`, or the path of a file that ends in `.toml`.

    Raises:
        FormatError: There is no such map, or something is wrong with it; every problem at once.
    """
    where, source = f'map "{name}"', _source_of(name)
    try:
        with source.open("rb") as file:
            data = file.read(MAX_MAP_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:
        raise FormatError([Problem(where, "", f"cannot be read: {error}")]) from error
    if len(data) > MAX_MAP_BYTES:
        raise FormatError([Problem(where, "", f"has more than {MAX_MAP_BYTES} bytes, and cannot be a map")])
    return map_of(where, text)


def _source_of(name: str) -> Traversable:
    if name.endswith(".toml"):
        return Path(name)
    source = resources.files(__package__).joinpath("maps", f"{name}.toml")
    if "/" in name or "\\" in name or not source.is_file():
        message = f"is not there; write the path of a .toml file, or one of {', '.join(shipped())}"
        raise FormatError([Problem(f'map "{name}"', "", message)])
    return source


def map_of(where: str, source: str) -> HttpMap:
    """Read the text of a map.

    Args:
        where: The file, in the words of an error.
        source: Its text.

    Raises:
        FormatError: Every problem at once.
    """
    try:
        data = tomllib.loads(source, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise FormatError([Problem(where, "", f"is no TOML: {error}")]) from error
    problems: list[Problem] = []
    found = decode(map_tables.MAP, data, problems)
    built = None if found is None or problems else _Builder(where, found, problems).build()
    if problems or built is None:
        raise FormatError([Problem(where, problem.where, problem.message) for problem in problems])
    return built


class _Builder:
    """Makes the value of a file whose keys are all in order, and notes what does not fit together."""

    def __init__(self, where: str, file: Decoded, problems: list[Problem]) -> None:
        self._where, self._file, self._problems = where, file, problems
        self._reads = {row.values["name"]: _request_of(row) for row in self._rows("read")}

    def build(self) -> HttpMap:
        """The map; worthless where there are problems."""
        values, offers = self._file.values, self._offers()
        connection = values["connection"].values if "connection" in values else {}
        reply_ms = connection.get("reply_ms", _REPLY_MS)
        self._within("connection.reply_s", reply_ms, _LEAST_REPLY_MS, _LONGEST_REPLY_MS)
        if len(self._reads) < len(self._rows("read")):
            self._problem("read", "has one name twice; give each question its own")
        built = HttpMap(
            where=self._where,
            name=values["name"],
            sources=values["sources"],
            notes=values.get("notes", ()),
            login=connection.get("login", "basic"),
            reply_ms=reply_ms,
            offers=offers,
            amount=self._amount(offers),
            offer=self._steps("offer"),
            pause=self._steps("pause"),
            reads=self._reads,
            offered=self._reported(values["offered"]),
            switch=self._switch(values.get("switch")),
            states=tuple(self._states()),
            drawn=self._drawn(values.get("drawn")),
            trouble=self._trouble(values.get("trouble")),
            expect=tuple(self._expected()),
            evidence=tuple(Evidence(name=row.values["name"], place=self._place(row)) for row in self._rows("evidence")),
            watchdog=self._watchdog(values.get("watchdog"), offers),
        )
        self._must_fit_together(built)
        return built

    def _rows(self, field: str) -> Sequence[Decoded]:
        rows: Sequence[Decoded] = self._file.values.get(field, ())
        return rows

    def _problem(self, place: str, message: str) -> None:
        self._problems.append(Problem(place, "", message))

    def _within(self, place: str, thousandths: int, least: int, greatest: int) -> None:
        if not least <= thousandths <= greatest:
            self._problem(place, f"is {thousandths / 1000:g}; write {least / 1000:g} to {greatest / 1000:g}")

    def _place(self, found: Decoded, path: tuple[str, ...] | None = None) -> Place:
        name = found.values.get("read", next(iter(self._reads)) if len(self._reads) == 1 else None)
        if name not in self._reads:
            known = ", ".join(self._reads) or "none"
            message = "is missing" if name is None else f'is "{name}"'
            self._problem(f"{found.place}.from", f"{message}; write the name of a [[read]]: {known}")
        return Place(read=str(name), path=found.values["path"] if path is None else path)

    def _offers(self) -> Range:
        values = self._file.values["offers"].values
        found = Range(
            least_ma=values.get("least_ma", _LEAST_MA),
            greatest_ma=values["greatest_ma"],
            step_ma=values["step_ma"],
            settle_ms=values["settle_ms"],
        )
        self._within("offers.settle_s", found.settle_ms, 0, _LONGEST_SETTLE_MS)
        currents = {"least_a": found.least_ma, "greatest_a": found.greatest_ma, "step_a": found.step_ma}
        for key, current_ma in currents.items():
            self._within(f"offers.{key}", current_ma, 1, MAX_CONNECTOR_MA)
            if found.step_ma > 0 and current_ma % found.step_ma:
                message = f"is {current_ma / 1000:g}, no multiple of step_a {found.step_ma / 1000:g}"
                self._problem(f"offers.{key}", message)
        if found.least_ma > found.greatest_ma:
            message = f"is {found.least_ma / 1000:g}, above greatest_a {found.greatest_ma / 1000:g}"
            self._problem("offers.least_a", message)
        return found

    def _amount(self, offers: Range) -> Amount:
        values = self._file.values["amount"].values
        amount = Amount(unit_ma=values["unit_ma"], digits=values.get("digits", 0))
        if not 0 <= amount.digits <= 3:
            self._problem("amount.digits", f"is {amount.digits}; write 0 to 3")
            return amount
        told_ma = amount.current_ma_of(amount.text_of(offers.step_ma))
        if told_ma != offers.step_ma:
            step = f"{offers.step_ma / 1000:g} A"
            message = f"and digits cannot say the step of {step}; it would be {told_ma / 1000:g} A"
            self._problem("amount.unit_a", message)
        return amount

    def _steps(self, field: str) -> tuple[Step, ...]:
        rows = self._rows(field)
        if len(rows) > _MOST_STEPS:
            self._problem(field, f"has {len(rows)} questions; an order has {_MOST_STEPS} at the most")
        return tuple(
            Step(
                method=row.values.get("method", "GET"),
                path=row.values["path"],
                query=row.values.get("query", {}),
                body=row.values.get("body", ""),
                content_type=row.values.get("content_type", "application/json"),
                answers=row.values.get("answers", ""),
            )
            for row in rows
        )

    def _reported(self, found: Decoded) -> Reported:
        applied = found.values["says"] == "applied"
        return Reported(place=self._place(found), unit_ma=found.values["unit_ma"], applied=applied)

    def _switch(self, found: Decoded | None) -> Switch | None:
        if found is None:
            return None
        paused, offering = found.values["paused"], found.values["offering"]
        if not paused or offering in paused:
            self._problem("switch.paused", f'has to hold a word, and not "{offering}", which means that it offers')
        return Switch(place=self._place(found), paused=paused, offering=offering)

    def _states(self) -> Iterator[StateRule]:
        if not self._rows("state"):
            self._problem("state", "has no entry; write a [[state]] with a field and its values")
        for row in self._rows("state"):
            idle = row.values.get("not_offering", ())
            yield StateRule(place=self._place(row), values=row.values["values"], not_offering=idle)

    def _drawn(self, found: Decoded | None) -> Drawn | None:
        if found is None:
            return None
        places = tuple(self._place(found, path) for path in found.values["paths"])
        return Drawn(places=places, unit_ma=found.values["unit_ma"])

    def _trouble(self, found: Decoded | None) -> Trouble | None:
        return None if found is None else Trouble(place=self._place(found), fine=found.values["fine"])

    def _expected(self) -> Iterator[Expected]:
        for row in self._rows("expect"):
            absent = row.values.get("absent", False)
            if absent == ("value" in row.values):
                self._problem(row.place, "needs either a value or absent = true")
            value = None if absent else row.values.get("value", "")
            yield Expected(place=self._place(row), value=value, remedy=row.values["remedy"])

    def _watchdog(self, found: Decoded | None, offers: Range) -> Watchdog | None:
        if found is None:
            return None
        values: Mapping[str, object] = found.values
        dog = Watchdog(
            after_ms=found.values["after_ms"],
            fallback_ma=found.values["fallback_ma"],
            fed_by_reads=found.values["fed_by_reads"],
            time=self._place(found.values["time"]) if "time" in values else None,
            failsafe=self._place(found.values["failsafe"]) if "failsafe" in values else None,
        )
        self._within("watchdog.after_s", dog.after_ms, 1_000, _LONGEST_WATCHDOG_MS)
        if dog.fallback_ma and not offers.least_ma <= dog.fallback_ma <= offers.greatest_ma:
            message = f"is {dog.fallback_ma / 1000:g}; write 0, or something between least_a and greatest_a"
            self._problem("watchdog.fallback_a", message)
        return dog

    def _must_fit_together(self, built: HttpMap) -> None:
        if not built.offer:
            self._problem("offer", "has no entry; write an [[offer]], the question that tells it amps")
        elif "order" not in {name for step in built.offer for name in step.placeholders()}:
            self._problem("offer", "says nothing of the amps; write {order} where they go")
        for field, steps in (("offer", built.offer), ("pause", built.pause)):
            for at, step in enumerate(steps):
                if step.method == "GET" and step.body:
                    self._problem(f"{field}[{at}].body", "cannot be sent with GET; write another method, or a query")
        if "order" in {name for step in built.pause for name in step.placeholders()}:
            self._problem("pause", "has {order}, and there is none; write {least}, or a figure")
        unused = set(built.reads) - set(built.asked_always(3))
        unused -= {part.place.read for part in built.expect} | {part.place.read for part in built.evidence}
        for name in sorted(unused):
            self._problem("read", f'"{name}" is asked, and nothing is taken from its answer; leave it out')


def _request_of(row: Decoded) -> Request:
    return Request(path=row.values["path"], query=row.values.get("query", {}))
