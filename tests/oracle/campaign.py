"""Random sites by the thousand: `python -m tests.oracle.campaign --sites 10000 --seed 1` prints counts per property.

Site number i of a seed is the same on every machine; `--only i` looks at that one alone and shows what is wrong.
"""

# ruff: noqa: T201 - it is a command, and prints
import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from random import Random

import attrs
from tests.oracle import generator, judge
from tests.oracle.filling import admit
from tests.oracle.leximin import search_size
from tests.oracle.picture import Picture, picture_of

from powershare import Allocation, Allocator, Demands, ExternalLimit, Site

PROGRAMS_EVERY = 44
"""Of every so many tiny sites one is also put to the integer programs."""


@attrs.define
class Tally:
    """How often each property was looked at, what broke it, and how far from the rational answers it went."""

    looked: Counter[str] = attrs.field(factory=Counter)
    complaints: list[str] = attrs.field(factory=list)
    shapes: Counter[str] = attrs.field(factory=Counter)
    statuses: Counter[str] = attrs.field(factory=Counter)
    farthest_ma: Fraction = Fraction(0)
    letter_looked: int = 0
    letter_differs: int = 0

    def take(self, name: str, where: str, complaints: Iterable[str]) -> None:
        """Count one look at a property."""
        self.looked[name] += 1
        self.complaints.extend(f"{where}: {name}: {complaint}" for complaint in complaints)


def look_at(number: int, seed: int, tally: Tally) -> None:
    """Make site number i of a seed, and look at every property that is claimed of such a site."""
    random = Random(f"{seed}/{number}")
    name = list(generator.SHAPES)[number % len(generator.SHAPES)]
    site, asked = generator.random_problem(random, generator.SHAPES[name])
    where = f"site {number} ({name})"
    allocator = Allocator(site)
    answer, picture = allocator.allocate(asked), picture_of(site, asked)
    tally.shapes[name] += 1
    tally.statuses.update(answer[connector].status.value for connector in answer)
    for title, check in judge.ALWAYS.items():
        tally.take(title, where, check(picture, answer))
    tally.take("same input, same bytes", where, _same_bytes(site, asked, allocator, answer))
    if judge.is_nested(picture, admit(picture)):
        _look_at_nested(number, where, random, picture, answer, tally)
    elif len({asker.step_ma for asker in picture.candidates}) == 1:
        _look_at_mixed(where, picture, answer, tally)


def _look_at_nested(
    number: int, where: str, random: Random, picture: Picture, answer: Allocation, tally: Tally
) -> None:
    tally.take("exact leximin, by the unit rule", where, judge.by_the_unit_rule(picture, answer))
    if search_size(picture.candidates) <= judge.SEARCH_AT_MOST:
        tally.take("exact leximin, by search", where, judge.exact_leximin(picture, answer))
        levels = {asker.greatest_ma // asker.step_ma for asker in picture.candidates}
        if number % PROGRAMS_EVERY < len(generator.SHAPES) and max(levels) <= judge.LEVELS_AT_MOST:
            tally.take("exact leximin, by HiGHS", where, judge.exact_leximin(picture, answer, programs=True))
    tally.take("order changes no total", where, order_complaints(random, picture, answer))
    if len({asker.priority for asker in picture.candidates}) == 1 and {a.weight for a in picture.candidates} == {1}:
        tally.take("raising lowers no smallest share", where, raising_complaints(random, picture, answer))


def _look_at_mixed(where: str, picture: Picture, answer: Allocation, tally: Tally) -> None:
    tally.letter_looked += 1
    tally.letter_differs += any(judge.by_the_letter(picture, answer))
    step_ma = picture.candidates[0].step_ma
    if step_ma == 1 and not admit(picture).full:
        distance_ma = judge.distance_from_rational(picture, answer)
        tally.farthest_ma = max(tally.farthest_ma, distance_ma)
        far = [f"{float(distance_ma):.3f} mA from the rational answer"] if distance_ma > judge.FEW_MA else []
        tally.take(f"mixed lines: within {judge.FEW_MA} mA of the rational answer", where, far)


def _same_bytes(site: Site, asked: Demands, allocator: Allocator, answer: Allocation) -> Iterator[str]:
    first = as_text(answer)
    if as_text(allocator.allocate(asked)) != first:
        yield "the same allocator answers otherwise the second time"
    if as_text(Allocator(site).allocate(asked)) != first:
        yield "a fresh allocator answers otherwise"


def as_text(answer: Allocation) -> str:
    """Everything an answer says."""
    return repr((dict(answer.allocated_ma), answer.connectors, dict(answer.circuits)))


def order_complaints(random: Random, picture: Picture, answer: Allocation) -> Iterator[str]:
    """The order of the file changes no total: neither of a line nor the sorted shares."""
    connectors, circuits = list(picture.site.connectors), list(picture.site.circuits)
    demands = list(picture.asked.demands)
    for order in (connectors, circuits, demands):
        random.shuffle(order)
    site = attrs.evolve(picture.site, connectors=tuple(connectors), circuits=tuple(circuits))
    asked = attrs.evolve(picture.asked, demands=tuple(demands))
    other, other_picture = Allocator(site).allocate(asked), picture_of(site, asked)
    before, after = judge.line_totals(picture, answer), judge.line_totals(other_picture, other)
    if before != after:
        yield f"totals were {before}, in another order {after}"
    yield from judge.admission(other_picture, other)


def raising_complaints(random: Random, picture: Picture, answer: Allocation) -> Iterator[str]:
    """One class, weight 1: raising a limit or a ceiling never lowers the smallest share."""
    before = judge.smallest_share(picture, answer)
    for site, asked in ((_raise_limit(random, picture.site), picture.asked), _raise_ceiling(random, picture)):
        raised_picture = picture_of(site, asked)
        after = judge.smallest_share(raised_picture, Allocator(site).allocate(asked))
        if after < before:
            yield f"smallest share was {before}, with more room {after}"


def _raise_limit(random: Random, site: Site) -> Site:
    if site.network_limit_ma is not None and random.random() < 0.3:
        return attrs.evolve(site, network_limit_ma=site.network_limit_ma + random.randint(1, 20_000))
    chosen = random.choice(site.circuits)
    figure = chosen.limit_ma
    more = random.choice((1, 100, random.randint(1, 20_000)))
    if isinstance(figure, tuple):
        line = random.randrange(len(figure))
        raised = attrs.evolve(chosen, limit_ma=(*figure[:line], figure[line] + more, *figure[line + 1 :]))
    else:
        raised = attrs.evolve(chosen, limit_ma=None if figure is None else figure + more)
    if chosen.breaker_ma is not None:
        raised = attrs.evolve(raised, breaker_ma=chosen.breaker_ma + more)
    return attrs.evolve(site, circuits=tuple(raised if each is chosen else each for each in site.circuits))


def _raise_ceiling(random: Random, picture: Picture) -> tuple[Site, Demands]:
    chosen = random.choice(picture.candidates)
    more = random.choice((1, 20)) * chosen.step_ma
    connectors = tuple(
        attrs.evolve(each, max_offer_ma=each.max_offer_ma + more) if each.id == chosen.id else each
        for each in picture.site.connectors
    )
    demands = tuple(
        attrs.evolve(each, wanted_ma=None if each.wanted_ma is None else min(10_000_000, each.wanted_ma + more))
        if each.connector == chosen.id
        else each
        for each in picture.asked.demands
    )
    external = tuple(_without_caps(picture.asked.external_limits, chosen.id))
    return (
        attrs.evolve(picture.site, connectors=connectors),
        attrs.evolve(picture.asked, demands=demands, external_limits=external),
    )


def _without_caps(limits: Iterable[ExternalLimit], connector: str) -> Iterator[ExternalLimit]:
    return (limit for limit in limits if limit.connector != connector)


def main(arguments: list[str]) -> int:
    """Run a campaign and print what it counted."""
    parser = argparse.ArgumentParser(description="Look at random sites and count what holds.")
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="look at this site alone")
    chosen = parser.parse_args(arguments)
    tally, started = Tally(), time.monotonic()
    for number in range(chosen.sites) if chosen.only is None else [chosen.only]:
        look_at(number, chosen.seed, tally)
    print(f"{sum(tally.shapes.values())} sites, seed {chosen.seed}, {time.monotonic() - started:.0f} s")
    print("connectors: " + ", ".join(f"{count} {status}" for status, count in sorted(tally.statuses.items())))
    for name, count in tally.looked.items():
        broken = sum(f": {name}: " in complaint for complaint in tally.complaints)
        print(f"{count:8} looked, {broken:4} broken  {name}")
    print(f"mixed lines, one step: {tally.letter_differs} of {tally.letter_looked} not as rounded rational shares")
    print(f"farthest from the rational answer on mixed lines: {float(tally.farthest_ma):.3f} mA")
    for complaint in tally.complaints[:20]:
        print(complaint)
    return 1 if tally.complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
