"""A vehicle at a connector."""

import attrs

from powershare.simulation.vehicle import Traits

MOST_CHARGE2 = 1 << 60
"""A battery that no run fills: a vehicle wants current for as long as it is plugged in."""


READING_STEP_MA = 1_000
"""Height of the steps in which a ramp is told: never below the real current."""


@attrs.frozen
class Visit:
    """One vehicle at one connector.

    Attributes:
        connector: Where.
        from_ms: When it is plugged in, in true time.
        traits: What kind it is.
    """

    connector: str
    from_ms: int
    traits: Traits
