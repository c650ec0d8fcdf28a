"""Charging stations that speak OCPP 1.6J and dial in: `ocpp:STATION/CONNECTOR?listen=HOST:PORT` in site files."""

from powershare_ocpp.adapter import OcppAdapter

__all__ = ["OcppAdapter"]
