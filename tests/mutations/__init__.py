"""The mutation ledger: every known mistake as a small change of the real code, and the simulator run against it.

`ledger.toml` lists the mistakes, `worlds.py` the networks and storms; `python -m tests.mutations` runs them, and says
of each which invariant, limit or test saw it, with which seed, after how long.
"""
