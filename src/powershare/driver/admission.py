"""Before anything is regulated: do the devices fit the site, and with which times can they be led safely.

What is decided here is told: every figure of the site that a device narrows, and every promise that a device does not
keep. Who regulates a device that may do more than its fallback when it is left alone must have said so in the site.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import lcm

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.driver.held import acted_ms
from powershare.errors import Problem, TopologyError
from powershare.site import Connector, Site
from powershare.timing import CORRECTED_WITHIN_MS, MILLION, Timing
from powershare.units import Milliamps, amps_text, down_to_step

WRITE_SPARE_MS = 250
"""What an order may wait in the driver itself, beside the device's own times."""


@attrs.frozen(kw_only=True)
class Device:
    """What is known of a connector's device before it is regulated.

    Attributes:
        declaration: What its adapter promises.
        left_alone_ma: The most it offers once its dead man has acted, as set and read back.
        unset: Whether that can be set, and has not been yet, since nobody reaches the device.
    """

    declaration: Declaration
    left_alone_ma: Milliamps
    unset: bool = False


@attrs.frozen
class Admission:
    """A site as its devices can serve it.

    Attributes:
        site: The site, each connector's figures narrowed to its device's.
        timing: The times that its slowest dead man asks for.
        notes: What somebody should know, a sentence each.
    """

    site: Site
    timing: Timing
    notes: tuple[str, ...]


def narrowed(site: Site, declarations: Mapping[str, Declaration]) -> Site:
    """The site with each connector's step, least and greatest offer as its device can say them.

    Args:
        site: What is installed.
        declarations: What each connector's adapter promises.

    Raises:
        TopologyError: A connector and its device have no offer in common, or the site no longer fits; every problem.
    """
    problems: list[Problem] = []
    connectors = []
    for connector in site.connectors:
        declaration = declarations[connector.id]
        step_ma = lcm(connector.step_ma, declaration.step_ma)
        least_ma = -(-max(connector.min_offer_ma, declaration.least_offer_ma) // step_ma) * step_ma
        greatest_ma = down_to_step(min(connector.max_offer_ma, declaration.greatest_offer_ma), step_ma)
        where = f'connector "{connector.id}"'
        if not declaration.can_pause:
            message = "is a device that cannot be told 0, so that nobody can pause it; it cannot share a circuit"
            problems.append(Problem(where, "adapter", message))
        if least_ma > greatest_ma:
            message = (
                f"offers {amps_text(declaration.least_offer_ma)} to {amps_text(declaration.greatest_offer_ma)} in "
                f"steps of {amps_text(declaration.step_ma)}, and the site allows none of these; change min_offer_a, "
                "max_offer_a or step_a"
            )
            problems.append(Problem(where, "adapter", message))
            continue
        fallback_ma = connector.fallback_ma
        if fallback_ma and not least_ma <= fallback_ma <= greatest_ma:
            offers = f"its device offers {amps_text(least_ma)} to {amps_text(greatest_ma)} here"
            message = f"is {amps_text(fallback_ma)}, and {offers}; write 0, or one of these"
            problems.append(Problem(where, "fallback_a", message))
            continue
        if fallback_ma is not None and fallback_ma % step_ma:
            message = f"is {amps_text(fallback_ma)}, and its device has steps of {amps_text(step_ma)}; write a multiple"
            problems.append(Problem(where, "fallback_a", message))
            continue
        connectors.append(attrs.evolve(connector, step_ma=step_ma, min_offer_ma=least_ma, max_offer_ma=greatest_ma))
    if problems:
        raise TopologyError(problems)
    return attrs.evolve(site, connectors=tuple(connectors))


def admit(site: Site, devices: Mapping[str, Device], timing: Timing | None = None) -> Admission:
    """Check the devices against the site, and find the times by which they can be led.

    Args:
        site: The site, as `narrowed` gives it.
        devices: Each connector's device.
        timing: The network's times as commissioned; longer ones are taken where a device needs them.

    Raises:
        TopologyError: A device does more than its fallback when it is left alone, and the site does not say so.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    for connector in site.connectors:
        device, fallback_ma = devices[connector.id], site.fallbacks.by_connector[connector.id]
        left_alone_ma = device.left_alone_ma
        if left_alone_ma <= fallback_ma:
            continue
        if device.unset:
            notes.append(f"{connector.id} is not reached: until it is, it counts with {amps_text(left_alone_ma)}")
            continue
        does = f"left alone, its device offers up to {amps_text(left_alone_ma)}"
        if connector.fail_safe:
            remedy = (
                f"{does}, above its fallback of {amps_text(fallback_ma)}; set the device lower, write fallback_a = "
                f"{amps_text(left_alone_ma).removesuffix(' A')}, or, if somebody answers for it, fail_safe = false"
            )
            problems.append(Problem(f'connector "{connector.id}"', "fallback_a", remedy))
        else:
            notes.append(f"{connector.id} is not fail-safe: {does}, and its fallback is {amps_text(fallback_ma)}")
    if problems:
        raise TopologyError(problems)
    times, flagged = _times([device.declaration for device in devices.values()], timing or Timing())
    notes.extend(_narrowings(site.connectors, devices))
    return Admission(site, times, (*notes, *flagged))


def _times(declarations: Iterable[Declaration], timing: Timing) -> tuple[Timing, Sequence[str]]:
    """The times that the slowest device asks for: leases that its watchdog can end, caps that outlast them."""
    declarations = tuple(declarations)
    fed = [one for one in declarations if one.deadman is Deadman.WATCHDOG]
    write_ms = max(one.lowered_ms + 2 * one.longest_write_ms for one in declarations) + WRITE_SPARE_MS
    write_ms = max(timing.write_ms, write_ms)
    raise_ms = max([timing.raise_lease_ms, *(_fed_lease_ms(one, timing) for one in fed)])
    if raise_ms == timing.raise_lease_ms and write_ms == timing.write_ms:
        return timing, ()
    # Built without its own checks first: what follows from these two has to be known before the rest can be chosen.
    free = attrs.evolve(
        timing,
        raise_lease_ms=raise_ms,
        write_ms=write_ms,
        cap_lease_ms=10 * (raise_ms + write_ms + timing.follow_ms + timing.echo_ms + 8 * timing.cycle_ms),
        cold_hold_ms=10 * (raise_ms + write_ms + timing.follow_ms + timing.echo_ms + 8 * timing.cycle_ms),
        corrected_within_ms=10 * (raise_ms + write_ms + timing.follow_ms),
    )
    needed_ms = free.wait_ms + free.echo_ms + 8 * free.cycle_ms
    cap_ms = -(-(needed_ms + 1) * (MILLION + free.drift_ppm) // (MILLION - free.drift_ppm)) + 1
    cap_ms = max(timing.cap_lease_ms, cap_ms)
    longer = attrs.evolve(
        free,
        cap_lease_ms=cap_ms,
        cold_hold_ms=max(timing.cold_hold_ms, cap_ms + timing.cycle_ms),
        corrected_within_ms=max(timing.corrected_within_ms, free.corrected_ms),
    )
    if longer.corrected_ms <= CORRECTED_WITHIN_MS:
        return longer, ()
    slowest_ms = max((one.watchdog_ms or 0 for one in fed), default=write_ms)
    flagged = (
        f"with devices that take up to {slowest_ms / 1000:g} s to act by themselves, a correction with no message "
        f"getting through may take {longer.corrected_ms / 1000:.1f} s; the UL 1741 CRD for power control systems asks "
        f"for {CORRECTED_WITHIN_MS // 1000} s"
    )
    return longer, (flagged,)


def _fed_lease_ms(declaration: Declaration, timing: Timing) -> int:
    """How long a raise holds whose device has a watchdog: fed so long before its end, there is still time to renew it.

    Three cycles, as on a network, and what an order and a question before it may take on this device's wire.
    """
    return acted_ms(declaration.watchdog_ms or 0) + 3 * timing.cycle_ms + 2 * declaration.longest_write_ms


def _narrowings(connectors: Sequence[Connector], devices: Mapping[str, Device]) -> Iterable[str]:
    """What each device's kind means for those who share with it."""
    for connector in connectors:
        device = devices[connector.id]
        kind = device.declaration.deadman
        if kind is Deadman.NONE:
            yield (
                f"{connector.id} has no dead man's switch: without contact it counts with "
                f"{amps_text(device.declaration.greatest_offer_ma)}"
            )
        elif kind is Deadman.WATCHDOG and device.left_alone_ma:
            yield (
                f"{connector.id} always counts with {amps_text(device.left_alone_ma)} at least, which it offers when "
                "it is left alone"
            )
