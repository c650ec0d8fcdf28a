"""The kernel's proof: contracts of the C sources, proved with Frama-C WP and z3 for any number of units and circuits.

`ledger_logic.h` and `sharing_logic.h` say what the words of the contracts mean, `ledger_theorems.c` and
`sharing_theorems.c` what follows from the contracts for a whole site. `python -m tests.proof` proves them.
"""
