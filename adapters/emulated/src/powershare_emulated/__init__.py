"""An emulated connector with a vehicle, in this process: no hardware, and failures on purpose."""

from powershare_emulated.adapter import EmulatedAdapter
from powershare_emulated.device import EmulatedDevice
from powershare_emulated.settings import Settings, settings_of

__all__ = ["EmulatedAdapter", "EmulatedDevice", "Settings", "settings_of"]
