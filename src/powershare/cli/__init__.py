"""The commands: `powershare` and `python -m powershare`. They need the extra `cli`; nothing below imports them."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What stands after the program's name; None: those of this process.

    Returns:
        The exit code: 0 done, 1 failed, 2 usage or refused input, 3 a limit is exceeded or was
        broken, 4 a device or network failed, 130 interrupted.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        print(
            f"powershare: the commands need {' and '.join(missing)}; install with: pip install 'powershare[cli]'",
            file=sys.stderr,
        )
        return 1
    try:
        from powershare.cli.app import run
    except KeyboardInterrupt:
        return 130
    return run(arguments)
