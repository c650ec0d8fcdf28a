"""A Tesla Gen 3 Wall Connector, led by the meter that it reads: a last resort, with its limits."""
