"""The whole error tree: who erred is the type, where and what is in the problems.

    PowershareError              never raised itself
     +-- InputError (ValueError) what came in from outside is wrong; carries every problem found
     |    +-- FormatError        a file that cannot be read as what it claims to be
     |    |    +-- MessageError  a node's message that cannot be read, or is not for this network
     |    +-- TopologyError      a site that cannot be
     |    +-- DemandError        demands, held currents, loads or limits that cannot be
     +-- ContractError           the caller broke the contract of a class
     +-- AdapterError            the device side
     |    +-- AdapterNotInstalled (LookupError), AdapterUnavailable, AdapterTimeout (TimeoutError), AdapterRejected
     +-- InternalError           an invariant failed: a defect of this library

Too little current is a result (`shed`), never an error.
"""

from collections.abc import Iterable

import attrs


@attrs.frozen
class Problem:
    """One thing that is wrong with an input, where it is, and what to do about it.

    Attributes:
        where: The node it is about, such as `circuit "left"`, or a place in a file.
        field: The field of that node, or "" for the node as a whole.
        message: What is wrong and how to mend it, a sentence without its subject.
    """

    where: str
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.where}: {self.field}" if self.field else self.where
        return f"{place}: {self.message}"


class PowershareError(Exception):
    """Root of every error of this library."""


class InputError(PowershareError, ValueError):
    """What came in from outside is wrong; all problems found are reported at once.

    Attributes:
        problems: Every problem, in the order of the input.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class FormatError(InputError):
    """A file or message cannot be read as what it claims to be."""


class MessageError(FormatError):
    """A node's message cannot be read, or is not of this network and configuration."""


class TopologyError(InputError):
    """A site that cannot be: each problem names the node and the field."""


class DemandError(InputError):
    """Demands, held currents, other loads or external limits that cannot be."""


class ContractError(PowershareError):
    """The caller broke the contract of a class, such as a clock that went backwards."""


class AdapterError(PowershareError):
    """The device side failed."""


class AdapterNotInstalled(AdapterError, LookupError):
    """No installed distribution offers this adapter; the text says what to install."""


class AdapterUnavailable(AdapterError):
    """The device cannot be reached."""


class AdapterTimeout(AdapterError, TimeoutError):
    """The device did not answer in time."""


class AdapterRejected(AdapterError):
    """The device answered and refused."""


class InternalError(PowershareError):
    """An invariant of this library failed: a defect, please report it."""
