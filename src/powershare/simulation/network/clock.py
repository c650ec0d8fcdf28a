"""A host's clock: monotonic, and off by a rate that may change, within the bound or beyond it."""

from powershare.errors import ContractError

MILLION = 1_000_000


class DriftingClock:
    """What one host reads when the true time is so much.

    Args:
        base_ms: What it reads at true time 0.
        ppm: Its rate error, in millionths.
    """

    __slots__ = ("_exact", "_since_ms", "ppm")

    def __init__(self, base_ms: int = 0, ppm: int = 0) -> None:
        self._exact = base_ms * MILLION  # in millionths of a millisecond, at `_since_ms`
        self._since_ms = 0
        self.ppm = ppm

    def read_ms(self, true_ms: int) -> int:
        """What it reads at a true time: whole milliseconds, as a program sees them."""
        return self.exact(true_ms) // MILLION

    def exact(self, true_ms: int) -> int:
        """Where it stands at a true time, in millionths of a millisecond."""
        return self._exact + (true_ms - self._since_ms) * (MILLION + self.ppm)

    def true_ms(self, reading_ms: int) -> int:
        """The first true millisecond at which it reads so much, or more; never before its last change of rate."""
        behind = reading_ms * MILLION - self._exact
        return self._since_ms + max(0, -(-behind // (MILLION + self.ppm)))

    def set_rate(self, ppm: int, true_ms: int) -> None:
        """Let it run at another rate from now on.

        Raises:
            ContractError: It would stand still or run backwards.
        """
        if ppm <= -MILLION:
            raise ContractError(f"a clock's rate error is {ppm} ppm; it would not go forward")
        self._exact, self._since_ms, self.ppm = self.exact(true_ms), true_ms, ppm
