"""Networks of nodes in virtual time, under storms of faults."""
