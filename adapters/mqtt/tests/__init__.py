"""A package, so that its modules find the benches beside them wherever they are run."""
