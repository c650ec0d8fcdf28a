"""The contract of one node, and a few of them talking without a simulator."""

import attrs
import pytest

import powershare as ps
from powershare.election import Role
from powershare.errors import ContractError, TopologyError
from powershare.node import (
    Applied,
    Commissioning,
    Configure,
    DeviceState,
    Measured,
    NetworkConfig,
    Node,
    OtherLoad,
    Output,
    Received,
    Stage,
    Woken,
    steps,
)
from powershare.site import Circuit, Connector, Network, Site, Supply


def site(names: str = "ab", limit_ma: int = 36_000, *, witness: bool = False) -> Site:
    return Site(
        supply=Supply.SINGLE_PHASE,
        circuits=(Circuit(id="feeder", limit_ma=limit_ma),),
        connectors=tuple(Connector(id=name, circuit="feeder", step_ma=1_000) for name in names),
        network=Network(witness=witness),
    )


class Bus:
    """Nodes on a perfect wire, with devices that answer at once; time is whole milliseconds, the same for all."""

    def __init__(self, config: NetworkConfig, members: str | None = None) -> None:
        self.now_ms = 0
        names = config.members if members is None else tuple(members)
        self.nodes = {name: Node(config, name, boot=place + 1) for place, name in enumerate(names)}
        self.wakes: dict[str, int] = dict.fromkeys(names, 0)
        self.outputs: list[tuple[str, Output]] = []
        for name in names:
            self.tell(name, Woken())

    def tell(self, name: str, event: object) -> None:
        output = self.nodes[name].step(event, self.now_ms)  # type: ignore[arg-type]  # any event
        self.outputs.append((name, output))
        self.wakes[name] = self.now_ms + 10**9 if output.wake_ms is None else output.wake_ms
        for pilot in (output.lower, output.raise_):
            if pilot is not None:
                self.tell(name, Applied(pilot.write, pilot.offer_ma, self.now_ms, closed=not pilot.open))
        for message in output.send:
            if message.to in self.nodes:
                self.tell(message.to, Received(message.data))

    def run(self, until_ms: int) -> None:
        while (due_ms := min(self.wakes.values())) <= until_ms:
            self.now_ms = max(due_ms, self.now_ms)
            for name in [name for name, wake_ms in self.wakes.items() if wake_ms <= self.now_ms]:
                self.wakes[name] = self.now_ms + 1
                self.tell(name, Woken())
        self.now_ms = until_ms

    def plug(self, name: str) -> None:
        self.tell(name, DeviceState(plugged=True, wants=True, closed=True))

    def offers(self) -> dict[str, int]:
        return {name: node.unit.holder.offer_ma for name, node in self.nodes.items() if node.unit is not None}


def test_two_connectors_share_and_the_commissioned_leader_leads() -> None:
    bus = Bus(NetworkConfig(site=site("ab", 32_000)))
    bus.run(40_000)
    assert bus.nodes["a"].leads
    assert bus.nodes["b"].following == "a"
    bus.plug("b")
    bus.run(50_000)
    assert bus.offers() == {"a": 0, "b": 32_000}
    bus.plug("a")
    bus.run(70_000)
    assert bus.offers() == {"a": 16_000, "b": 16_000}


def test_a_single_connector_leads_itself() -> None:
    bus = Bus(NetworkConfig(site=site("a")))
    bus.plug("a")
    bus.run(40_000)
    assert bus.offers() == {"a": 32_000}


def test_an_output_is_the_same_for_the_same_events() -> None:
    def run() -> list[tuple[str, Output]]:
        bus = Bus(NetworkConfig(site=site("abc")))
        bus.run(30_000)
        bus.plug("b")
        bus.run(45_000)
        return bus.outputs

    assert run() == run()


def test_a_raise_is_never_told_before_it_was_lowered_elsewhere() -> None:
    bus = Bus(NetworkConfig(site=site("ab", 32_000)))
    bus.run(40_000)
    bus.plug("b")
    bus.run(50_000)
    started = len(bus.outputs)
    bus.plug("a")
    bus.run(80_000)
    offers = {"a": 0, "b": 32_000}
    for name, output in bus.outputs[started:]:
        for pilot in (output.lower, output.raise_):
            if pilot is not None:
                offers[name] = pilot.offer_ma
                assert sum(offers.values()) <= 32_000


def test_the_time_does_not_go_backwards() -> None:
    node = Node(NetworkConfig(site=site()), "a", boot=1, now_ms=1_000)
    node.step(Woken(), 2_000)
    with pytest.raises(ContractError, match="backwards"):
        node.step(Woken(), 1_999)


@pytest.mark.parametrize("boot", [-1, 1 << 64])
def test_a_boot_is_64_bits(boot: int) -> None:
    with pytest.raises(ContractError, match="64"):
        Node(NetworkConfig(site=site()), "a", boot=boot)


def test_a_stranger_has_no_node_and_a_witness_no_device() -> None:
    config = NetworkConfig(site=site(witness=True))
    with pytest.raises(ContractError, match="no member"):
        Node(config, "stranger", boot=1)
    with pytest.raises(ContractError, match="no device"):
        Node(config, "witness", boot=1).step(Measured(1_000, 0), 0)


def test_noise_is_counted_and_changes_nothing() -> None:
    node = Node(NetworkConfig(site=site()), "a", boot=1)
    node.step(Woken(), 0)
    output = node.step(Received(b"noise"), 1)
    assert (output.lower, output.raise_, output.send) == (None, None, ())
    assert node.counters.total() == 1


@pytest.mark.parametrize(
    ("names", "witness", "weights"),
    [
        ("a", False, (1,)),
        ("ab", False, (2, 1)),
        ("ab", True, (1, 1, 1)),
        ("abc", False, (1, 1, 1)),
        ("abcdef", False, (2, 1, 1, 1, 1, 1)),
        ("abc", True, (2, 1, 1, 1)),
    ],
)
def test_weights_add_up_to_an_odd_sum(names: str, witness: bool, weights: tuple[int, ...]) -> None:
    config = NetworkConfig(site=site(names, witness=witness))
    assert config.weights == weights
    assert sum(weights) % 2 == 1


def test_the_commissioned_leader_has_the_best_rank_and_a_witness_none() -> None:
    config = NetworkConfig(site=attrs.evolve(site("abc"), network=Network(leader="b", witness=True)))
    assert [config.rank(number) for number in range(4)] == [1, 0, 2, None]


def test_who_does_not_vote_never_asks_and_weighs_nothing() -> None:
    config = NetworkConfig(site=site("abc"), voters=("a",))
    assert config.weights == (1, 0, 0)
    assert [config.rank(number) for number in range(3)] == [0, None, None]
    bus = Bus(config)
    bus.plug("c")
    bus.run(60_000)
    assert bus.offers()["c"] == 32_000


@pytest.mark.parametrize(
    ("voters", "field"), [((), "voters"), (("a", "a"), "voters"), (("x", "a"), "voters"), (("b",), "voters")]
)
def test_voters_that_cannot_be_are_refused(voters: tuple[str, ...], field: str) -> None:
    with pytest.raises(TopologyError, match=field):
        NetworkConfig(site=site("abc"), voters=voters)


def test_members_of_another_configuration_are_not_heard() -> None:
    one, other = NetworkConfig(site=site("abc")), NetworkConfig(site=site("abc", 30_000))
    assert one.hash != other.hash
    bus = Bus(one)
    bus.nodes["c"] = Node(other, "c", boot=9)
    bus.run(30_000)
    assert bus.nodes["a"].leads
    assert bus.nodes["c"].following is None
    assert bus.nodes["c"].counters["configuration"] > 0


def test_a_change_of_configuration_takes_two_steps_and_waits_for_all() -> None:
    former = NetworkConfig(site=site("abc"))
    connectors = tuple(attrs.evolve(one, fallback_ma=0 if one.id == "a" else 8_000) for one in former.site.connectors)
    following = attrs.evolve(former, site=attrs.evolve(former.site, connectors=connectors))
    first, second = steps(former, following)
    bus = Bus(former)
    bus.run(40_000)
    for name in ("a", "b"):
        bus.tell(name, Configure(first))
    bus.run(50_000)
    with pytest.raises(ContractError, match="not all members"):
        bus.nodes["a"].step(Configure(second), bus.now_ms)
    bus.tell("c", Configure(first))
    bus.run(53_000)
    assert all(node.may_go_on for node in bus.nodes.values())
    bus.tell("c", Configure(second))
    bus.run(60_000)
    assert bus.nodes["c"].commissioning.stage is Stage.FINAL
    assert not bus.nodes["c"].leads
    for name in ("a", "b"):
        bus.tell(name, Configure(second))
    bus.run(110_000)
    assert {node.commissioning.stage for node in bus.nodes.values()} == {Stage.STEADY}
    assert {node.config.hash for node in bus.nodes.values()} == {second.config.hash}
    assert sum(node.leads for node in bus.nodes.values()) == 1


def test_a_member_that_starts_in_the_last_step_votes_for_nobody_and_stays_at_the_smaller_fallback() -> None:
    former = NetworkConfig(site=site("ab", 32_000))
    following = NetworkConfig(site=site("ab", 20_000))
    node = Node(steps(former, following)[1], "a", boot=1)
    node.step(Woken(), 0)
    for now_ms in range(0, 120_000, 500):
        node.step(Woken(), now_ms)
    assert node.role is Role.FOLLOWER
    assert node.unit is not None
    assert node.unit.holder.ceiling_ma == 10_000
    assert Commissioning(config=following, stage=Stage.FINAL, other=former).fallback_ma("a") == 10_000


def test_a_reading_that_a_follower_passes_on_counts_with_its_age() -> None:
    fed = attrs.evolve(site("ab"), circuits=(Circuit(id="feeder", limit_ma=36_000, other_load_worst_ma=16_000),))
    bus = Bus(NetworkConfig(site=fed))
    bus.run(40_000)
    bus.plug("a")
    bus.run(50_000)
    assert bus.offers()["a"] == 20_000, "no reading: the worst other load counts"
    for now_ms in range(50_000, 60_000, 1_000):
        bus.tell("b", OtherLoad("feeder", (2_000,), bus.now_ms))
        bus.run(now_ms)
    assert bus.offers()["a"] == 32_000
    bus.run(95_000)
    assert bus.offers()["a"] == 20_000, "the meter has fallen silent"


def test_the_public_face_has_the_node() -> None:
    node = ps.Node(ps.NetworkConfig(site=site("a")), "a", boot=7)
    assert node.step(Woken(), 0).wake_ms is not None


def take(bus: Bus, following: NetworkConfig) -> NetworkConfig:
    """Everybody takes both steps; answers what all hold in the end."""
    first, second = steps(bus.nodes["a"].config, following)
    for step in (first, second):
        for name in bus.nodes:
            if name in step.config.members:
                bus.tell(name, Configure(step))
        bus.run(bus.now_ms + 20_000)
    return second.config


def test_going_back_to_a_former_configuration_is_another_one() -> None:
    """Or messages that are late from its first time would be taken for its own."""
    former = NetworkConfig(site=site("abc"))
    other = attrs.evolve(former, order="priority")
    bus = Bus(former)
    bus.run(40_000)
    held = [take(bus, following) for following in (other, former, other)]
    assert [config.order for config in held] == ["priority", "fair", "priority"]
    assert len({config.hash for config in (former, *held)}) == 4
    assert {node.commissioning.stage for node in bus.nodes.values()} == {Stage.STEADY}


def test_a_unit_takes_over_the_times_and_the_connector_of_the_next_configuration() -> None:
    """A lease that is longer than its leader counts would break a limit; an old range would refuse grants for ever."""
    former = NetworkConfig(site=site("ab", 32_000))
    connectors = tuple(attrs.evolve(one, max_offer_ma=16_000) for one in former.site.connectors)
    bus = Bus(attrs.evolve(former, site=attrs.evolve(former.site, connectors=connectors)))
    bus.run(40_000)
    held = take(bus, attrs.evolve(former, timing=ps.Timing(raise_lease_ms=8_000)))
    bus.plug("b")
    bus.run(bus.now_ms + 30_000)
    assert bus.offers()["b"] == 32_000
    unit = bus.nodes["b"].unit
    assert unit is not None
    assert unit.holder.until_ms is not None
    assert unit.holder.until_ms <= bus.now_ms + held.timing.raise_lease_ms


def test_a_member_is_left_out_and_stays_at_nothing() -> None:
    former = NetworkConfig(site=site("abc"))
    bus = Bus(former)
    bus.run(40_000)
    take(bus, NetworkConfig(site=site("ab")))
    bus.plug("b")
    bus.run(bus.now_ms + 40_000)
    stages = {name: node.commissioning.stage for name, node in bus.nodes.items()}
    assert stages == {"a": Stage.STEADY, "b": Stage.STEADY, "c": Stage.TRANSITIONAL}
    assert bus.offers() == {"a": 0, "b": 32_000, "c": 0}


def test_a_step_is_confirmed_when_the_vehicle_has_followed_too() -> None:
    former = NetworkConfig(site=site("ab", 32_000))
    bus = Bus(former)
    bus.run(40_000)
    bus.plug("b")
    bus.run(60_000)
    assert bus.offers()["b"] == 32_000
    first, second = steps(former, attrs.evolve(former, order="priority"))
    for name in "ab":
        bus.tell(name, Configure(first))
    bus.run(61_000)
    for name in "ab":
        bus.tell(name, Configure(second))
    bus.run(65_000)
    stages = [bus.nodes["a"].commissioning.stage]
    bus.run(70_000)
    stages.append(bus.nodes["a"].commissioning.stage)
    assert stages == [Stage.FINAL, Stage.STEADY]
