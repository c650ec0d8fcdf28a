"""Charging stations that speak OCPP and dial in: `ocpp:STATION/CONNECTOR?listen=HOST:PORT` in site files."""

from powershare_ocpp.adapter import OcppAdapter

__all__ = ["OcppAdapter"]
