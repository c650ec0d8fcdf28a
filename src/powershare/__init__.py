"""Share a breaker between electric-vehicle connectors: exact, explained amps, and no limit ever exceeded.

    import powershare as ps

    site = ps.load_site("garage.toml")
    result = ps.Allocator(site).allocate([ps.Demand("north", wanted_ma=32_000)])
    result["north"].allocated_ma, result["north"].bound_by

What touches the world (files, adapters, commands) is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from powershare._version import __version__
from powershare.allocation import Allocation, BoundBy, BoundKind, CircuitAllocation, ConnectorAllocation, Status
from powershare.allocator import Allocator, Batch, Prepared, allocate
from powershare.demand import Counts, Demand, Demands, ExternalLimit
from powershare.errors import (
    AdapterError,
    AdapterNotInstalled,
    AdapterRejected,
    AdapterTimeout,
    AdapterUnavailable,
    ContractError,
    DemandError,
    FormatError,
    InputError,
    InternalError,
    MessageError,
    PowershareError,
    Problem,
    TopologyError,
)
from powershare.site import Circuit, Connection, Connector, Meter, Network, Site, Supply
from powershare.units import Line

if TYPE_CHECKING:
    from powershare.files import load_demands, load_sessions, load_site
    from powershare.node import NetworkConfig, Node
    from powershare.policy import Policy
    from powershare.timing import Timing

__all__ = [
    "AdapterError",
    "AdapterNotInstalled",
    "AdapterRejected",
    "AdapterTimeout",
    "AdapterUnavailable",
    "Allocation",
    "Allocator",
    "Batch",
    "BoundBy",
    "BoundKind",
    "Circuit",
    "CircuitAllocation",
    "Connection",
    "Connector",
    "ConnectorAllocation",
    "ContractError",
    "Counts",
    "Demand",
    "DemandError",
    "Demands",
    "ExternalLimit",
    "FormatError",
    "InputError",
    "InternalError",
    "Line",
    "MessageError",
    "Meter",
    "Network",
    "NetworkConfig",
    "Node",
    "Policy",
    "PowershareError",
    "Prepared",
    "Problem",
    "Site",
    "Status",
    "Supply",
    "Timing",
    "TopologyError",
    "__version__",
    "allocate",
    "load_demands",
    "load_sessions",
    "load_site",
]

_LAZY = {
    "NetworkConfig": "powershare.node",
    "Node": "powershare.node",
    "Policy": "powershare.policy",
    "Timing": "powershare.timing",
    "load_demands": "powershare.files",
    "load_sessions": "powershare.files",
    "load_site": "powershare.files",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the room behind the name holds
    """Import what is heavier than the core on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
