"""A part of a network: the members that live in this process, while the others live elsewhere.

What other hosts' devices can do is what the site says of them: nobody here can ask. So each host holds its own devices
against the site and against the times that all hosts share, and refuses what does not fit, in place of making it fit.
"""

from collections.abc import Callable, Iterator, Mapping

import attrs

from powershare.adapter import Deadman, Declaration
from powershare.driver.admission import Admission, Device, admit, narrowed
from powershare.errors import Problem, TopologyError
from powershare.site import Connector, Site
from powershare.timing import Timing
from powershare.units import amps_text

SLOWEST_WRITE_MS = 750
"""What an order to the slowest device may take where nobody says otherwise, and its pilot to follow it down."""


@attrs.frozen(kw_only=True)
class Part:
    """Which members live here, and how the others are told something.

    Attributes:
        members: Their names: connectors of the site, or the witness.
        timing: The network's times, equal on all hosts.
        elsewhere: Takes what a member here says to one elsewhere: sender, receiver, bytes.
    """

    members: tuple[str, ...]
    timing: Timing
    elsewhere: Callable[[str, str, bytes], None]


def shared_timing(site: Site, *, watchdog_ms: int | None, write_ms: int = SLOWEST_WRITE_MS) -> tuple[Timing, str]:
    """The times by which every device of a site can be led, from what is known of the slowest.

    Args:
        site: The site.
        watchdog_ms: The longest watchdog of any device; None: none is longer than the default times allow.
        write_ms: The longest that an order to any device may take, and that its pilot may take to follow.

    Returns:
        The times, and what somebody should know of them; empty: nothing.
    """
    slowest = {}
    for connector in site.connectors:
        declaration = stand_in(connector)
        if watchdog_ms is not None:
            declaration = attrs.evolve(declaration, deadman=Deadman.WATCHDOG, watchdog_ms=watchdog_ms)
        declaration = attrs.evolve(declaration, settle_ms=write_ms, longest_write_ms=write_ms)
        slowest[connector.id] = Device(declaration=declaration, left_alone_ma=0)
    admission = admit(site, slowest, Timing())
    return admission.timing, " ".join(admission.notes)


def stand_in(connector: Connector) -> Declaration:
    """What the site says of a device that cannot be asked here."""
    return Declaration(
        step_ma=connector.step_ma,
        least_offer_ma=connector.min_offer_ma,
        greatest_offer_ma=connector.max_offer_ma,
        can_pause=True,
        deadman=Deadman.LEASE,
        fallback_ma=0,
        settle_ms=0,
        longest_write_ms=1,
        confirms_applied=False,
    )


def as_commissioned(site: Site, declarations: Mapping[str, Declaration]) -> Site:
    """The site, if it says of the devices of this process what they can do.

    Args:
        site: What is installed.
        declarations: What the adapters of this process promise.

    Raises:
        TopologyError: A device can do less than the site says, which other hosts cannot know.
    """
    everywhere = {connector.id: stand_in(connector) for connector in site.connectors} | dict(declarations)
    problems = [
        Problem(f'connector "{said.id}"', field, message)
        for said, found in zip(site.connectors, narrowed(site, everywhere).connectors, strict=True)
        for field, message in _differences(said, found)
    ]
    if problems:
        raise TopologyError(problems)
    return site


def _differences(said: Connector, found: Connector) -> Iterator[tuple[str, str]]:
    for name in ("min_offer", "max_offer", "step"):
        said_ma, found_ma = getattr(said, f"{name}_ma"), getattr(found, f"{name}_ma")
        if said_ma != found_ma:
            message = (
                f"is {amps_text(said_ma)}, and its device can do no better than {amps_text(found_ma)}; other hosts "
                f"cannot know that: write {name}_a = {found_ma / 1000:g} in the site file of every host"
            )
            yield f"{name}_a", message


def admit_part(site: Site, devices: Mapping[str, Device], timing: Timing) -> Admission:
    """Check the devices of this process against the site and the network's times.

    Args:
        site: The site, as commissioned.
        devices: Each device of this process.
        timing: The network's times.

    Raises:
        TopologyError: A device does more than its fallback when it is left alone, and the site does not say so; or it
            needs longer times than the network has.
    """
    away = {
        connector.id: Device(declaration=stand_in(connector), left_alone_ma=0)
        for connector in site.connectors
        if connector.id not in devices
    }
    admission = admit(site, {**away, **devices}, timing)
    if admission.timing == timing:
        return admission
    problems = []
    for name, device in devices.items():
        declared = device.declaration
        alone = admit(
            site,
            {**{c.id: Device(declaration=stand_in(c), left_alone_ma=0) for c in site.connectors}, name: device},
            timing,
        )
        if alone.timing != timing:
            watchdog_s = (declared.watchdog_ms or 0) / 1000
            write_s = max(declared.lowered_ms, declared.longest_write_ms) / 1000
            message = (
                f"needs longer times than this network has (watchdog {watchdog_s:g} s, orders {write_s:g} s); all "
                f"hosts have to agree on them: start each with --longest-watchdog {watchdog_s:g} "
                f"--longest-write {write_s:g}, or with what the slowest device of the site needs"
            )
            problems.append(Problem(f'connector "{name}"', "adapter", message))
    raise TopologyError(problems)
