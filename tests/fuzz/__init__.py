"""Hostile bytes for the decoder and for nodes: nothing but a `MessageError`, and no raised offer, ever comes of them.

`scenes.py` holds nodes and real messages of simulated networks, `cases.py` what such a node is told, `mutate.py` what
is done to messages, `targets.py` what must hold; `python -m tests.fuzz` runs it guided by coverage where Atheris is
installed, and blindly where it is not.
"""
