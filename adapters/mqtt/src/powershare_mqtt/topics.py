"""Names: of the topics that a bridge publishes and reads, and of its devices in Home Assistant.

They are promises: programs rely on them. The README has them as tables.
"""

import hashlib
import re
from urllib.parse import quote

import attrs

from powershare_mqtt.limits import Place

ONLINE, OFFLINE = "online", "offline"

_SLUG = re.compile(r"[^a-zA-Z0-9_-]")
"""What an id in a discovery topic may not have (Home Assistant, MQTT discovery topic)."""


@attrs.frozen
class Topics:
    """The topics of one bridge.

    Attributes:
        prefix: What they all begin with.
    """

    prefix: str

    @property
    def status(self) -> str:
        """`online`, or `offline` once the process is gone, as the broker itself then says."""
        return f"{self.prefix}/status"

    def of(self, place: Place, name: str) -> str:
        """A topic of a connector or circuit.

        Args:
            place: Which.
            name: The last part of it.
        """
        return f"{self.prefix}/{place.kind}/{quote(place.id, safe=' ')}/{name}"

    def order(self, place: Place, name: str) -> str:
        """Where a connector or circuit is told something."""
        return f"{self.of(place, name)}/set"

    def device(self, place: Place) -> str:
        """The id of a connector or circuit as a device: never the same for two."""
        plain = f"{self.prefix}_{place.kind}_{place.id}"
        slug = _SLUG.sub("_", plain)
        if slug == plain:
            return slug
        return f"{slug}_{hashlib.blake2s(plain.encode(), digest_size=4).hexdigest()}"

    def discovery(self, place: Place, prefix: str) -> str:
        """Where the device is announced.

        Args:
            place: Which.
            prefix: What Home Assistant's discovery topics begin with.
        """
        return f"{prefix}/device/{self.device(place)}/config"
