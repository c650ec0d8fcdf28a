"""`python -m powershare` is the program `powershare`."""

import sys

from powershare.cli import main

if __name__ == "__main__":
    sys.exit(main())
