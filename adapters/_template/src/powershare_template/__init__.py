"""An adapter for a made-up box that speaks lines of text over TCP: the smallest that passes the conformance kit."""

from powershare_template.adapter import BoxAdapter

__all__ = ["BoxAdapter"]
