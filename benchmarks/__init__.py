"""Benchmarks, the exact instruction counts, and the gates that keep the library fast."""
