"""OpenEVSE over its serial line: the protocol that its firmware calls RAPI."""
