"""The kernel's proof: contracts of the C sources, proved with Frama-C WP and z3 for any number of units and circuits.

`ledger_logic.h` and `sharing_logic.h` say what the words of the contracts mean, `ledger_theorems.c` and
`sharing_theorems.c` what follows from the contracts for a whole site. `python -m tests.proof` proves them.

Proved, for any number of units, rows, circuits and candidates within the kernel's own bounds, and every value that a
caller can pass, with no overflow and no access outside an array:

- `ledger.c`, every function. The fit test answers yes just when no row of the unit is exceeded at any instant from now
  on; a ledger that was found sound is; what a call makes of an entry is what its contract says.
- From that (`ledger_theorems.c`): a grant that passes the test leaves every row of the site within its limit at every
  instant to come, if it was so before; a grant is covered by its entry from then on.
- `mixed.c` and `kernel.h`: the step that hands amps on, and what it calls. From that (`sharing_theorems.c`): on every
  row of every tree, what is left and what is given stay the same together, and no row is overdrawn by a step.

Not proved: the rest of the allocator (it has no contracts: twin, rules and sanitizers look at it), thus also that it
calls the step with a run as `open_run` and `candidate` say; that arrays are still what they were when the ledger was
compiled, and do not overlap (`given`: the caller's part); what unit and row lists say of the real wiring. Taken for
granted: the axioms of `left_is`, `share_if_loaded` and `no_share_if_not`, which define their words; that the frame of a
contract is that of its memory model (WP's `Typed`); Frama-C, Why3, z3 and the compiler. There is no `admit`.
"""
