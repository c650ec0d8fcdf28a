"""An emulated connector with a vehicle, and an emulated meter, in this process: no hardware, failures on purpose."""

from powershare_emulated.adapter import EmulatedAdapter
from powershare_emulated.device import EmulatedDevice, Listener, listen
from powershare_emulated.meter import EmulatedMeter
from powershare_emulated.settings import Settings, settings_of

__all__ = ["EmulatedAdapter", "EmulatedDevice", "EmulatedMeter", "Listener", "Settings", "listen", "settings_of"]
