"""The protocol by which units elect a leader and share breakers, as models that are searched to the last state.

`grant.pml`, `authority.pml` and `composition.pml` are the models, `checks` says what each search must find,
`python -m tests.model` searches, and `docs/safety.md` says what came out. `relation` restates the models' steps in
Python and in milliseconds, to hold a real run against them; `telling` tells what real nodes do in its words.
"""
