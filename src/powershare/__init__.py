"""Share a breaker between electric-vehicle connectors: exact, explained amps, and no limit ever exceeded."""

from powershare._version import __version__

__all__ = ["__version__"]
