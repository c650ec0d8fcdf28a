"""Chance that is a value: a stream of numbers that depends on its seed and on nothing else."""

_MASK = (1 << 64) - 1


class Chance:
    """A seeded stream (SplitMix64; Steele, Lea and Flood, 2014).

    It is written out here so that a seed gives the same run on every Python version and machine,
    and so that no state is shared with anybody.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next_bits(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def between(self, least: int, greatest: int) -> int:
        """A whole number from `least` to `greatest`, both included."""
        # The bias of a plain remainder is below 2**-40 for every range used here.
        return least + self.next_bits() % (greatest - least + 1)

    def happens(self, percent: int) -> bool:
        """True in so many of a hundred cases."""
        return self.next_bits() % 100 < percent

    def spread(self, deviation: int) -> int:
        """A whole number around 0 with this standard deviation, close to normal, within six of them."""
        # The sum of twelve uniform numbers has variance 1 (Irwin-Hall); integers only, so exact everywhere.
        total = sum(self.next_bits() >> 32 for _ in range(12)) - 6 * ((1 << 32) - 1)
        return (total * deviation) >> 32

    def fork(self, number: int) -> "Chance":
        """An independent stream of the same seed, so that one thing's chances do not shift another's."""
        return Chance(self._state ^ ((number + 1) * 0xD1342543DE82EF95))
