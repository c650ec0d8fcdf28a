"""Connectors with an HTTP interface, each family by a map: which questions tell it what, and where answers say it."""
