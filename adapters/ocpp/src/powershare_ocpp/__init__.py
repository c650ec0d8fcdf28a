"""Charging stations that speak OCPP 1.6J or 2.0.1 and dial in: `ocpp:STATION/CONNECTOR?listen=HOST:PORT` in site files."""

from powershare_ocpp.adapter import OcppAdapter

__all__ = ["OcppAdapter"]
