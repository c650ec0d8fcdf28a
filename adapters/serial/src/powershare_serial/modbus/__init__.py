"""Connectors that are told what to offer through Modbus registers, over a serial line or over TCP.

Which registers those are is data: a file per family of devices, in `maps`, or one of the user's own.
"""
