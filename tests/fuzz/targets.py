"""What must hold of the decoder and of a node, whatever they are told.

A message that cannot be read changes nothing but a count: a node does and says no more than it would have by time
alone. One that can be read, though nobody sent it, may mislead (authenticity is whoever carries it), but raises no
exception, and no offer beyond what the connector can; and nothing but a grant to this very process raises one.
"""

from functools import lru_cache

from tests.fuzz.cases import Case
from tests.fuzz.scenes import Scene, scenes

from powershare.errors import MessageError
from powershare.leases import Pilot
from powershare.node import Heartbeat, Message, Node, Output, Received, Woken, decode, encode

WAKES = 3
"""So often a node is woken in its time after all messages: what it has taken in is used with its next decision."""


class Wrong(AssertionError):
    """Something does not hold."""


def read(data: bytes, config_hash: bytes) -> Message | None:
    """Decode; None where it is refused.

    Raises:
        Wrong: What was read is not what is read of it when it is sent on.
    """
    try:
        message = decode(data, config_hash)
    except MessageError as error:
        if not error.problems or not error.problems[0].field:
            raise Wrong(f"a message is refused, and not for what: {error}") from error
        return None
    sent_on = encode(message, config_hash)
    if decode(sent_on, config_hash) != message:
        raise Wrong(f"read and sent on it is another message: {message}")
    return message


def run(case: Case) -> int:
    """Read what is only to be read, or tell it; answers how many messages were understood."""
    if case.only_read:
        return sum(read(item.data, case.scene.hash) is not None for item in case.items)
    return tell(case)


def tell(case: Case) -> int:
    """Tell a fresh node of the scene everything, then wake it in its time; answers how many messages it could read."""
    scene = case.scene
    if all(read(item.data, scene.hash) is None for item in case.items):
        _say_nothing(scene, case)
        return 0
    node, now_ms, understood = scene.fresh(), scene.now_ms, 0
    wake_ms = None
    for item in case.items:
        now_ms += item.wait_ms
        message = read(item.data, node.commissioning.hash)
        understood += message is not None
        if message is None or item.wait_ms:
            _step(node, Woken(), None, now_ms)
        output = _step(node, Received(item.data), message, now_ms)
        if message is None:
            _is_nothing(output)
        wake_ms = output.wake_ms
    for _ in range(WAKES):
        if wake_ms is None:
            break
        now_ms = max(now_ms, wake_ms)
        output = _step(node, Woken(), None, now_ms)
        wake_ms = output.wake_ms
    return understood


@lru_cache(maxsize=1_000)
def _listening(place: int) -> Node:
    """The node of a scene, to be told only what it cannot read: it stays as it is."""
    scene = scenes()[place]
    node = scene.fresh()
    node.step(Woken(), scene.now_ms)
    return node


def _say_nothing(scene: Scene, case: Case) -> None:
    """Tell a node what it cannot read, all at one instant."""
    node = _listening(case.place % len(scenes()))
    for item in case.items:
        _is_nothing(node.step(Received(item.data), scene.now_ms))


def _is_nothing(output: Output) -> None:
    """A message that cannot be read changes nothing that a device or another member could see."""
    if output.lower or output.raise_ or output.send or output.granted:
        raise Wrong(f"a node acts on a message that it cannot read: {output}")


def _step(node: Node, event: Received | Woken, message: Message | None, now_ms: int) -> Output:
    """One step, and whether the node may do what it does."""
    offered_ma = 0 if node.unit is None else node.unit.holder.offer_ma
    output = node.step(event, now_ms)
    _check(node, output, message, offered_ma, now_ms)
    return output


def _check(node: Node, output: Output, message: Message | None, offered_ma: int, now_ms: int) -> None:
    """What a node may do at all; it offered so much before, or was to once its contactor may close."""
    unit = node.unit
    for pilot in (output.lower, output.raise_):
        if pilot is None:
            continue
        if unit is None:
            raise Wrong("a node without a device commands one")
        _check_pilot(node, pilot, now_ms)
    if output.wake_ms is not None and output.wake_ms < now_ms - 1_000_000:
        raise Wrong(f"a node wants to be woken long ago: {output.wake_ms}, now is {now_ms}")
    if unit is None:
        return
    holder, connector = unit.holder, node.config.site.connectors[unit.member]
    if not 0 <= holder.offer_ma <= holder.ceiling_ma <= connector.max_offer_ma:
        raise Wrong(f"offer {holder.offer_ma} mA, ceiling {holder.ceiling_ma} mA: beyond the connector")
    grant = message.grant if isinstance(message, Heartbeat) else None
    told = output.raise_ if not node.leads else None
    if told is None or not _rises(node, told) or told.offer_ma <= offered_ma:
        return
    if grant is None or grant.boot != node.boot or told.offer_ma > grant.offer_ma:
        raise Wrong(f"an offer is raised to {told.offer_ma} mA by {message}")


def _rises(node: Node, pilot: Pilot) -> bool:
    """Whether a pilot says more than the fallback: less than that no leader needs to grant."""
    return node.unit is not None and pilot.offer_ma > node.unit.holder.fallback_ma


def _check_pilot(node: Node, pilot: Pilot, now_ms: int) -> None:
    unit, timing = node.unit, node.config.timing
    if unit is None:
        return
    connector = node.config.site.connectors[unit.member]
    if not (pilot.offer_ma == 0 or connector.min_offer_ma <= pilot.offer_ma <= connector.max_offer_ma):
        raise Wrong(f"a pilot says {pilot.offer_ma} mA")
    if pilot.then_ma != unit.holder.fallback_ma:
        raise Wrong(f"a device is to fall back to {pilot.then_ma} mA")
    longest_ms = max(timing.cap_lease_ms, timing.cold_hold_ms, timing.wait_ms)
    if pilot.until_ms is not None and pilot.until_ms > now_ms + longest_ms:
        raise Wrong(f"a lease of {pilot.until_ms - now_ms} ms")
    ends_ms = now_ms + timing.raise_lease_ms
    if _rises(node, pilot) and (pilot.until_ms is None or pilot.until_ms > ends_ms):
        raise Wrong(f"a raise to {pilot.offer_ma} mA until {pilot.until_ms}, now is {now_ms}")
