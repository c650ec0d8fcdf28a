"""The breaker-group constraint solver: limits per circuit and line, headroom, checks, and who set what."""

from powershare.constraints.compiled import CompiledSite, Violation, compile_site
from powershare.constraints.force import LimitsInForce

__all__ = ["CompiledSite", "LimitsInForce", "Violation", "compile_site"]
