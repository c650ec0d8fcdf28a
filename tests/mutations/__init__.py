"""The mutation ledger: every known mistake as a small change of the real code, and the simulator run against it.

`ledger.toml` lists the mistakes, `worlds.py` the networks and storms, `python -m tests.mutations` runs them, and
`outcomes.md` says what came of it: which invariant caught each, with which seed, after how long.
"""
