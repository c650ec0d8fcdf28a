"""Programs are started as from a terminal, also where the tests themselves run in the background."""

import signal

# A shell starts what it runs in the background with interrupts ignored, and every child would inherit that; what is
# handled here is at its default again in a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
