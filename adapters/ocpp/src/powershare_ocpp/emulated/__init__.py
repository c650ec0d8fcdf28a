"""Emulated stations, one connector each: they dial in as real ones do, and fail on purpose."""

from powershare_ocpp.emulated.emulator import emulator, emulator201

__all__ = ["emulator", "emulator201"]
