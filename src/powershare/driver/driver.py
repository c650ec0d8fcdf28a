"""The one owner of clock, tasks and devices: it regulates a site's connectors, or some of them, from this process.

# Rule 1: nothing is regulated before every device's promises have been checked against the site.
# Rule 2: what goes wrong with one device is a word about that device; the others go on.
# Rule 3: what goes wrong with this library ends the driver, and every end brings the devices to their fallbacks; but
#         not up to them where others elsewhere go on: they may lean on what a device here is kept down to.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from powershare.adapter import Adapter, Clock, SupportsFallback
from powershare.driver.actuator import Actuator
from powershare.driver.admission import Admission, Device, admit, narrowed
from powershare.driver.handler import POLL_MS, Handler
from powershare.driver.hub import Hub
from powershare.driver.limits import LimitPlaces
from powershare.driver.meters import MeterHandler
from powershare.driver.part import Part, admit_part, as_commissioned
from powershare.driver.views import CircuitView, ConnectorView, Snapshot, sums_ma
from powershare.errors import ContractError, Problem, TopologyError
from powershare.leases import Pilot
from powershare.metering import MeterAdapter
from powershare.node import Event, HandOver, Limited, NetworkConfig, Note, OtherLoad, Received
from powershare.node.codec import hash_of
from powershare.policy import OrderName
from powershare.site import Connector, Site
from powershare.timing import Timing

LEAVES_AFTER_MS = 500
"""What bringing the last device down may take beyond the time that vehicles have to follow."""

LEAVES_WITHIN_MS = 45_000
"""So long a vehicle may take to follow before nobody is raised for its sake: 32 A down by 1 A a second, and some."""

TURN_MS = 1_000
"""How often all nodes of a part are told the time, whether they asked or not."""

_READINGS_EACH = 12
"""So many circuits' readings one node passes on."""


class Driver:
    """Regulates a site.

    Args:
        site: What is installed.
        adapters: The adapter of each connector, not opened.
        meters: The adapter of each metered circuit, not opened.
        clock: The one clock: that of the adapters, too.
        boot: Gives 64 random bits, new at each call.
        timing: The protocol's times; None: the defaults, longer where a device needs longer ones.
        order: In what order current is handed on.
        said: Told words for people: what it is about, a sentence.
        looked: Told after every report of a connector's device, and when that is no longer reached.
        part: Which members live here, and how others are reached; None: all connectors do, and there is no other.
        turned: Told of every turn in which all nodes of a part were told the time: what a host's watchdog waits for.

    Attributes:
        site: The site as its devices can serve it.
        handlers: By connector.
        meters: By circuit.

    Raises:
        TopologyError: A connector and its device have no offer in common, or there are more meters than the nodes here
            can pass on the readings of.
    """

    def __init__(
        self,
        site: Site,
        adapters: Mapping[str, Adapter],
        *,
        meters: Mapping[str, MeterAdapter] | None = None,
        clock: Clock,
        boot: Callable[[], int],
        timing: Timing | None = None,
        order: OrderName = "fair",
        said: Callable[[str, str], None] = lambda _about, _words: None,
        looked: Callable[[str], None] = lambda _connector: None,
        part: Part | None = None,
        turned: Callable[[int], None] = lambda _now_ms: None,
    ) -> None:
        self._part, self._turned = part, turned
        here = [connector for connector in site.connectors if part is None or connector.id in part.members]
        declarations = {connector.id: adapters[connector.id].declaration for connector in here}
        if part is None:
            # One process regulates: a witness would vote beside it, and there is none.
            network = attrs.evolve(site.network, witness=False)
            self.site = narrowed(attrs.evolve(site, network=network), declarations)
        else:
            self.site = as_commissioned(site, declarations)
        self._clock, self._boot, self._timing, self._order, self._said = clock, boot, timing, order, said
        self._looked, follow_ms = looked, (part.timing if part is not None else timing or Timing()).tail_ms
        self.handlers = {
            connector.id: self._handler(connector, adapters[connector.id], follow_ms)
            for connector in self.site.connectors
            if connector.id in declarations
        }
        self.meters = self._meter_handlers(meters or {}, len(self.handlers if part is None else part.members))
        self._hub: Hub | None = None
        self._kick = asyncio.Event()

    def _handler(self, connector: Connector, adapter: Adapter, follow_ms: int) -> Handler:
        trusted = not connector.fail_safe
        return Handler(
            connector.id,
            adapter,
            Actuator(adapter.declaration, self._clock.now_ms(), follow_ms=follow_ms, trusted=trusted),
            self._clock,
            fallback_ma=self.site.fallbacks.by_connector[connector.id],
            happened=self._happened,
            limited=self.limit,
            said=self._said,
            looked=self._looked,
        )

    def _meter_handlers(self, adapters: Mapping[str, MeterAdapter], nodes: int) -> dict[str, MeterHandler]:
        meters = [meter for meter in self.site.meters if meter.circuit in adapters]
        if len(meters) > _READINGS_EACH * nodes:
            most = _READINGS_EACH * nodes
            message = (
                f"stands {len(meters)} times; the nodes here can pass on the readings of {most}, {_READINGS_EACH} each"
            )
            raise TopologyError([Problem("site", "meter", message)])
        return {
            meter.circuit: MeterHandler(
                meter,
                adapters[meter.circuit],
                len(self.site.supply.lines),
                self._clock,
                measured=partial(self._measured, place),
                said=self._said,
            )
            for place, meter in enumerate(meters)
        }

    # Beginning

    async def prepare(self) -> Admission:
        """Dial every device, set its fallback where that can be set, and check all against the site.

        A device that does not answer is counted with the most it may do, and dialled again once regulation runs.

        Returns:
            The site as its devices can serve it, the times to lead them with, and what somebody should know.

        Raises:
            TopologyError: A device does more than its fallback when it is left alone, and the site does not say so.
        """
        try:
            admission = await self._admitted()
        except BaseException:
            await self.close()
            raise
        part = self._part
        voters = (self.site.leader,) if part is None else None
        config = NetworkConfig(site=self.site, timing=admission.timing, order=self._order, voters=voters)
        self._hub = Hub(config, self._boot, self._clock.now_ms(), self._told, self._noted, part)
        # The leader first, where it lives here: it counts at once what it is told itself.
        self._limits = LimitPlaces(sorted(self._hub.nodes, key=lambda name: name != self.site.leader))
        return admission

    async def _admitted(self) -> Admission:
        """What is to be regulated, once every device has been dialled."""
        await asyncio.gather(*(handler.dial() for handler in self.handlers.values()))
        devices = {
            name: Device(
                declaration=handler.declaration,
                left_alone_ma=handler.actuator.left_alone_ma,
                unset=isinstance(handler.adapter, SupportsFallback) and not handler.reached,
            )
            for name, handler in self.handlers.items()
        }
        if self._part is None:
            return admit(self.site, devices, self._timing)
        return admit_part(self.site, devices, self._part.timing)

    # Running

    async def run(self, stopping: asyncio.Event) -> None:
        """Regulate until told to stop, then leave every device at its fallback.

        Args:
            stopping: Set by somebody else. Cancelling instead lets go of the devices at once.

        Raises:
            ContractError: It has not been prepared.
        """
        self._hub_or_error()
        tasks = [
            asyncio.ensure_future(work)
            for work in (
                stopping.wait(),
                self._keep_time(),
                *(handler.run() for handler in self.handlers.values()),
                *(meter.run() for meter in self.meters.values()),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await _end(tasks)
            await self._leave()
            for task in done:
                task.result()  # what this library did wrong is not kept quiet
        finally:
            await _end(tasks)
            await self.close()

    async def close(self) -> None:
        """Let go of every device and meter as they are."""
        await asyncio.gather(
            *(handler.close() for handler in self.handlers.values()),
            *(meter.close() for meter in self.meters.values()),
        )

    async def _keep_time(self) -> None:
        """Wake nodes when they ask to be; those of a part all together once a second, too."""
        hub = self._hub_or_error()
        all_ms = None if self._part is None else self._clock.now_ms()
        while True:
            self._kick.clear()
            now_ms = self._clock.now_ms()
            hub.wake(now_ms)
            next_ms = hub.next_ms()
            if all_ms is not None:
                if now_ms >= all_ms:
                    hub.wake_all(now_ms)
                    self._turned(now_ms)
                    all_ms = now_ms + TURN_MS
                next_ms = all_ms if next_ms is None else min(next_ms, all_ms)
            if next_ms is None:
                await self._kick.wait()
            elif next_ms > now_ms:
                try:
                    async with asyncio.timeout((next_ms - now_ms) / 1000):
                        await self._kick.wait()
                except TimeoutError:
                    continue
            else:
                await asyncio.sleep(0)

    async def _leave(self) -> None:
        """Bring every device to its fallback: first down, then, once vehicles have followed, those up that stay put.

        One with leases goes up by itself, when the cap that others lean on is over; one with a watchdog has its own.
        """
        fallbacks_ma = self.site.fallbacks.by_connector
        hub = self._hub_or_error()
        if self._part is not None:
            hub.happened(((name, HandOver()) for name in hub.nodes), self._clock.now_ms())
        lowered = await asyncio.gather(
            *(handler.leave_at_most(fallbacks_ma[name]) for name, handler in self.handlers.items())
        )
        if self._part is not None or not all(lowered):
            return  # whoever is not down yet needs what the others have not got
        staying = [name for name, handler in self.handlers.items() if handler.stays_below(fallbacks_ma[name])]
        if staying and await self._followed():
            await asyncio.gather(*(self.handlers[name].leave_at(fallbacks_ma[name]) for name in staying))

    async def _followed(self) -> bool:
        """Wait until every vehicle has surely followed its pilot down; False: one does not."""
        fallbacks_ma = self.site.fallbacks.by_connector
        await asyncio.sleep((self._hub_or_error().timing.follow_ms + LEAVES_AFTER_MS) / 1000)
        until_ms = self._clock.now_ms() + LEAVES_WITHIN_MS
        while self._clock.now_ms() < until_ms:
            draws = (handler.draws_at_most(fallbacks_ma[name]) for name, handler in self.handlers.items())
            if all(await asyncio.gather(*draws)):
                return True
            await asyncio.sleep(POLL_MS / 1000)
        return False

    # What happens

    def limit(self, event: Limited) -> None:
        """Somebody outside limits a circuit or a connector for a time, on this driver's clock.

        Raises:
            ContractError: It does not fit the site, there are too many, or the driver has not been prepared.
        """
        hub, now_ms = self._hub_or_error(), self._clock.now_ms()
        name = self._limits.node_for(event, now_ms)
        hub.happened([(name, event)], now_ms)
        self._limits.told(event, name)
        self._kick.set()

    def received(self, sender: str, receiver: str, data: bytes) -> None:
        """A member elsewhere has said something to one here; what it is worth its node finds out.

        Args:
            sender: Who.
            receiver: To whom: a member of this part.
            data: What.
        """
        if hash_of(data) != self._hub_or_error().nodes[receiver].commissioning.hash:
            self._said(sender, _OTHERS_HOLD)
        self._happened(receiver, [Received(data)])

    def _told(self, name: str, pilot: Pilot) -> None:
        self.handlers[name].tell(pilot)

    def _happened(self, name: str, events: Iterable[Event]) -> None:
        self._hub_or_error().happened(((name, event) for event in events), self._clock.now_ms())
        self._kick.set()

    def _measured(self, place: int, reading: OtherLoad) -> None:
        """A meter's reading is told to the node that passes on those of its dozen."""
        members = tuple(self._hub_or_error().nodes)
        self._happened(members[place // _READINGS_EACH], [reading])

    def _noted(self, note: Note) -> None:
        if self._part is not None and note.word in _ROLES:
            self._said(note.about, f"is {note.word} ({note.text})")
        elif note.word not in _QUIET:
            self._said(note.about, note.text)

    def _hub_or_error(self) -> Hub:
        if self._hub is None:
            raise ContractError("the driver has not been prepared; await prepare() first")
        return self._hub

    # What can be looked at

    def snapshot(self) -> Snapshot:
        """Everything that is known now.

        Raises:
            ContractError: It has not been prepared.
        """
        hub, now_ms = self._hub_or_error(), self._clock.now_ms()
        leader = hub.leader
        decision = leader.leading.decision if leader is not None and leader.leading is not None else None
        allocation = None if decision is None else decision.allocation
        most_ma = {name: handler.actuator.most_offered_ma(now_ms) for name, handler in self.handlers.items()}
        elsewhere = self.site.connector_by_id.keys() - most_ma.keys()
        if not elsewhere:
            sums = dict(sums_ma(self.site, most_ma))
        elif leader is not None and leader.leading is not None:
            sums = dict(sums_ma(self.site, {**leader.leading.granting.reserved_ma, **most_ma}))
        else:
            sums = {}  # only who leads knows what devices of other hosts may be offering
        return Snapshot(
            now_ms=now_ms,
            leader=None if leader is None else leader.member,
            connectors=tuple(
                ConnectorView(
                    connector=name,
                    reached=handler.reached,
                    reading=handler.actuator.reading,
                    pilot=handler.actuator.pilot,
                    most_offered_ma=most_ma[name],
                    bound_by=None if allocation is None else allocation[name].bound_by,
                    reason=None if allocation is None else allocation[name].reason,
                    errors=dict(handler.errors),
                )
                for name, handler in self.handlers.items()
            ),
            circuits=tuple(
                CircuitView(
                    circuit=circuit.id,
                    limit_ma=tuple(circuit.usable_limit_ma(line)[0] for line in self.site.supply.lines),
                    offered_ma=sums[circuit.id],
                    other_load_ma=None if allocation is None else allocation.circuits[circuit.id].other_load_ma,
                    metered=circuit.id in self.meters and self.meters[circuit.id].is_fresh(now_ms),
                )
                for circuit in self.site.circuits
                if circuit.id in sums
            ),
        )

    def term_of(self, connector: str) -> int | None:
        """The counter of the claim whose grant a connector's device carries out; None: nobody's."""
        return self._hub_or_error().terms.get(connector)

    def leader_of(self, connector: str) -> str | None:
        """Who made that claim; None: nobody."""
        return self._hub_or_error().leaders.get(connector)


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs, and wait until it has ended."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


_OTHERS_HOLD = (
    "is ignored: its host has another site, policy, times or version than this one, or has not taken a change yet; "
    "start both with the same"
)
_ROLES = frozenset({"follower", "leader"})
_QUIET = frozenset({*_ROLES, "candidate", "fall-back"})
"""Notes that say what is so at every start, and nothing that anybody could do something about."""
