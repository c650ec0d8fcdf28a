"""Names to what they build: adapters, meters and emulators, each an entry-point group, looked up and imported late.

None is built in and none is privileged. Entry points are scanned when a name is first asked for, a module is imported
when what it builds is first built, and every failure says which distribution it lies in and what to do.
"""

import enum
import importlib.metadata
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import ClassVar, Generic, TypeVar, cast

import attrs

from powershare.adapter import Adapter, AdapterFactory, Clock, HostClock
from powershare.emulation import Changed, Emulator, EmulatorFactory
from powershare.errors import AdapterNotInstalled, FormatError, Problem
from powershare.metering import MeterAdapter, MeterFactory

_F = TypeVar("_F")

PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "emulated": "a connector and a vehicle in this process, for trying things out",
        "serial": "connectors on a wire: RS-485, Modbus, RAPI",
        "wifi": "connectors with a network interface of their own",
        "ocpp": "charging stations that speak OCPP",
        "http": "connectors with an HTTP interface",
    }
)
"""Adapters that this project publishes or plans, each as the distribution `powershare-<name>`."""

_METERS = {"emulated": "powershare-emulated", "mqtt": "powershare-mqtt", "http": "powershare-http"}
_EMULATORS = {
    **dict.fromkeys(("twc-gen2", "modbus", "rapi", "gen3-wall-connector"), "powershare-serial"),
    "ocpp16": "powershare-ocpp",
    "ocpp201": "powershare-ocpp",
    **dict.fromkeys(("http", "http-go-e", "http-openevse", "gen3-http"), "powershare-http"),
}

_SEPARATORS = "+:"
_SUCH_AS = {
    "adapter": "serial+twc:///dev/ttyUSB0",
    "bridge": "mqtt:?broker=127.0.0.1",
    "meter": "mqtt:home/panel",
}


class ImportState(enum.Enum):
    """What is known of the code behind an installed name, without importing it."""

    NOT_IMPORTED = "not imported"
    IMPORTED = "imported"
    BROKEN = "broken"
    """It was asked for, and its import failed."""
    CONTESTED = "contested"
    """More than one distribution claims the name: none of them is used."""


@attrs.frozen(kw_only=True)
class Claim:
    """One distribution's claim to a name.

    Attributes:
        distribution: Name of the distribution, as installers know it.
        version: Its version.
        target: What it names, as `module:attribute`.
    """

    distribution: str
    version: str
    target: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.target})"


@attrs.frozen(kw_only=True)
class InstalledAdapter:
    """An adapter, a meter or an emulator that can be named.

    Attributes:
        name: Its name: of an adapter or a meter, the scheme of an address.
        claims: Who offers it: one distribution, or several that contest the name.
        state: What is known of its code.
        error: Why it cannot be used; None when nothing is known against it.
    """

    name: str
    claims: tuple[Claim, ...]
    state: ImportState
    error: str | None = None


def split_address(address: str, noun: str = "adapter") -> tuple[str, str]:
    """Split an address into the name of an adapter, a meter or a bridge and the rest, which belongs to it.

    The name ends before the first `+` or `:`; the rest is what follows that one character, to the letter.
    `serial+twc:///dev/ttyUSB0?id=7777` is `serial` and `twc:///dev/ttyUSB0?id=7777`; `mqtt:home/panel` is `mqtt` and
    `home/panel`; `emulated` alone has an empty rest.

    Args:
        address: As in a site file.
        noun: What it is the address of, for messages.

    Raises:
        FormatError: There is no name in front, or one that nothing can have.
    """
    cut = next((at for at, letter in enumerate(address) if letter in _SEPARATORS), len(address))
    name = address[:cut]
    if not (name and name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        article = "an" if noun[0] in "ae" else "a"
        message = f"does not begin with the name of {article} {noun}; write name+rest, such as {_SUCH_AS[noun]}"
        raise FormatError([Problem(f'{noun} "{address}"', "", message)])
    return name, address[cut + 1 :]


class Group(Generic[_F]):
    """The entry points of one group in one environment, and the factories that they name.

    Args:
        search_path: Directories to look for distributions in; None: where Python looks for modules.

    Attributes:
        group: The entry-point group.
        noun: What it holds, for messages.
        published_in: What this project publishes or plans for it, and the distribution of each.
    """

    group: ClassVar[str]
    noun: ClassVar[str]
    published_in: ClassVar[Mapping[str, str]]

    def __init__(self, search_path: Sequence[str] | None = None) -> None:
        self._search_path = search_path
        self._found: dict[str, list[tuple[Claim, EntryPoint]]] | None = None
        self._factories: dict[str, _F] = {}
        self._broken: dict[str, str] = {}
        self._unreadable: list[str] = []

    def refresh(self) -> None:
        """Forget what was found, so that a distribution installed meanwhile is seen."""
        self._found = None
        self._factories.clear()
        self._broken.clear()

    def installed(self) -> Mapping[str, InstalledAdapter]:
        """A read-only view of what is installed, in order of name; imports nothing."""
        names = sorted(self._scan())
        return MappingProxyType({name: self._describe(name) for name in names})

    def resolve(self, name: str) -> _F:
        """Import the code behind a name and return what it builds with.

        Args:
            name: The name.

        Raises:
            AdapterNotInstalled: No distribution offers it, several do, or its import failed; the text says which of
                these it is, and what to do.
        """
        if name in self._factories:
            return self._factories[name]
        claims = self._scan().get(name)
        if claims is None:
            raise AdapterNotInstalled(self._missing(name, sorted(self._scan())))
        if len(claims) > 1:
            raise AdapterNotInstalled(self._contested(name, [claim for claim, _ in claims]))
        ((claim, entry_point),) = claims
        self._factories[name] = self._import(name, claim, entry_point)
        return self._factories[name]

    def _scan(self) -> dict[str, list[tuple[Claim, EntryPoint]]]:
        if self._found is None:
            found: dict[str, list[tuple[Claim, EntryPoint]]] = {}
            seen: set[str] = set()
            self._unreadable = []
            for distribution in self._distributions():
                try:
                    claims = _claims(self.group, distribution, seen)
                except Exception as error:  # noqa: BLE001
                    # What a stranger's distribution says of itself may be broken; the others are there all the same.
                    self._unreadable.append(f"{_title(distribution)} ({type(error).__name__}: {error})")
                    continue
                for claim, entry_point in claims:
                    found.setdefault(entry_point.name, []).append((claim, entry_point))
            self._found = found
        return self._found

    def _distributions(self) -> list[importlib.metadata.Distribution]:
        if self._search_path is None:
            return list(importlib.metadata.distributions())
        return list(importlib.metadata.distributions(path=list(self._search_path)))

    def _import(self, name: str, claim: Claim, entry_point: EntryPoint) -> _F:
        try:
            factory = entry_point.load()
        except Exception as error:
            # Whatever a stranger's module does while it is imported, it must not look like a defect of ours.
            cause = f"{type(error).__name__}: {error}"
            self._broken[name] = cause
            raise AdapterNotInstalled(
                f'{self.noun} "{name}" is installed but cannot be imported: {claim} failed with {cause}; '
                f"reinstall it with: pip install --force-reinstall {claim.distribution}"
            ) from error
        if not callable(factory):
            self._broken[name] = f"{claim.target} is a {type(factory).__name__}, not a class or function"
            raise AdapterNotInstalled(f'{self.noun} "{name}" cannot be used: {claim}: {self._broken[name]}')
        self._broken.pop(name, None)
        return cast("_F", factory)

    def _describe(self, name: str) -> InstalledAdapter:
        claims = tuple(claim for claim, _ in self._scan()[name])
        state, error = ImportState.NOT_IMPORTED, None
        if len(claims) > 1:
            state, error = ImportState.CONTESTED, self._contested(name, claims)
        elif name in self._broken:
            state, error = ImportState.BROKEN, self._broken[name]
        elif name in self._factories:
            state = ImportState.IMPORTED
        return InstalledAdapter(name=name, claims=claims, state=state, error=error)

    def _missing(self, name: str, known: Sequence[str]) -> str:
        """What to say of a name that nobody offers."""
        import difflib  # needed only to word this error

        published = self.published_in
        words = [f'no {self.noun} "{name}" is installed']
        if name in published:
            words.append(f"install it with: pip install {published[name]}")
        else:
            close = difflib.get_close_matches(name, [*known, *published], n=3, cutoff=0.6)
            suggestions = [
                f'"{match}"' + ("" if match in known else f" (pip install {published[match]})") for match in close
            ]
            if suggestions:
                words.append(f"did you mean {' or '.join(dict.fromkeys(suggestions))}?")
            others = [f"{other} ({published[other]})" for other in published if other not in known]
            if others:
                words.append(f"known but not installed: {', '.join(others)}")
        words.append(f"installed: {', '.join(known) or 'none'}")
        if self._unreadable:
            unreadable = ", ".join(self._unreadable)
            words.append(f"what these distributions offer cannot be read, reinstall them: {unreadable}")
        return "; ".join(words)

    def _contested(self, name: str, claims: Sequence[Claim]) -> str:
        claimants = " and ".join(map(str, claims))
        return f'{self.noun} "{name}" is claimed by more than one distribution: {claimants}; uninstall all but one'


class Registry(Group[AdapterFactory]):
    """The adapters of one environment."""

    group = "powershare.adapters"
    noun = "adapter"
    published_in = MappingProxyType({name: f"powershare-{name}" for name in PUBLISHED})

    def create(self, address: str, *, clock: Clock | None = None) -> Adapter:
        """Build the adapter an address names, without touching its device.

        Args:
            address: As in a site file, `name+rest`.
            clock: Where the adapter gets the time from; None: the host's clock.

        Raises:
            FormatError: The address, or its rest, cannot be understood.
            AdapterNotInstalled: As `resolve` says.
        """
        name, rest = split_address(address)
        return self.resolve(name)(rest, clock=HostClock() if clock is None else clock)


class Meters(Group[MeterFactory]):
    """The meters of one environment."""

    group = "powershare.meters"
    noun = "meter"
    published_in = MappingProxyType(_METERS)

    def create(self, address: str, *, clock: Clock | None = None) -> MeterAdapter:
        """Build the meter an address names, without touching it.

        Args:
            address: As in a site file, `name+rest`.
            clock: Where the meter gets the time from; None: the host's clock.

        Raises:
            FormatError: The address, or its rest, cannot be understood.
            AdapterNotInstalled: As `resolve` says.
        """
        name, rest = split_address(address, self.noun)
        return self.resolve(name)(rest, clock=HostClock() if clock is None else clock)


class Emulators(Group[EmulatorFactory]):
    """The emulators of one environment."""

    group = "powershare.emulators"
    noun = "emulator"
    published_in = MappingProxyType(_EMULATORS)

    def create(
        self,
        kind: str,
        options: Mapping[str, str],
        *,
        units: int = 1,
        clock: Clock | None = None,
        changed: Changed = lambda *_: None,
    ) -> Emulator:
        """Build an emulator, without touching the world.

        Args:
            kind: Its name.
            options: Its own settings.
            units: How many units there are, 1 or more.
            clock: Where it gets the time from; None: the host's clock.
            changed: Told of every change at a unit.

        Raises:
            FormatError: A setting means nothing to it.
            AdapterNotInstalled: As `resolve` says.
        """
        build = self.resolve(kind)
        return build(options, units=units, clock=HostClock() if clock is None else clock, changed=changed)


def _title(distribution: importlib.metadata.Distribution) -> str:
    return distribution.metadata["Name"] or "an unnamed distribution"


def _claims(
    group: str, distribution: importlib.metadata.Distribution, seen: set[str]
) -> list[tuple[Claim, EntryPoint]]:
    """What one distribution claims; nothing when one of its name has been seen, which then is added."""
    if f"[{group}]" not in (distribution.read_text("entry_points.txt") or ""):
        return []
    title = _title(distribution)
    key = title.lower().replace("_", "-").replace(".", "-")
    if key in seen:  # an older copy further down the path, which Python would not import either
        return []
    seen.add(key)
    return [
        (Claim(distribution=title, version=distribution.version, target=entry_point.value), entry_point)
        for entry_point in distribution.entry_points.select(group=group)
    ]


_default = Registry()
_meters = Meters()
_emulators = Emulators()


def installed() -> Mapping[str, InstalledAdapter]:
    """A read-only view of the adapters installed in this environment; imports nothing."""
    return _default.installed()


def resolve(name: str) -> AdapterFactory:
    """Import an installed adapter's code and return what builds it; see `Registry.resolve`."""
    return _default.resolve(name)


def create_adapter(address: str, *, clock: Clock | None = None) -> Adapter:
    """Build the adapter an address names, without touching its device; see `Registry.create`."""
    return _default.create(address, clock=clock)


def create_meter(address: str, *, clock: Clock | None = None) -> MeterAdapter:
    """Build the meter an address names, without touching it; see `Meters.create`."""
    return _meters.create(address, clock=clock)


def create_emulator(
    kind: str,
    options: Mapping[str, str],
    *,
    units: int = 1,
    clock: Clock | None = None,
    changed: Changed = lambda *_: None,
) -> Emulator:
    """Build an emulator, without touching the world; see `Emulators.create`."""
    return _emulators.create(kind, options, units=units, clock=clock, changed=changed)
