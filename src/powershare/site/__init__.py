"""What is installed: the site, its circuits and connectors, checked where they are built."""

from powershare.site.fallback import Fallbacks
from powershare.site.site import Network, Site, Wiring
from powershare.site.values import Circuit, Connection, Connector, Meter, Supply

__all__ = ["Circuit", "Connection", "Connector", "Fallbacks", "Meter", "Network", "Site", "Supply", "Wiring"]
