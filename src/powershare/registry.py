"""Names of adapters to adapters: entry points of the group `powershare.adapters`, looked up and imported on first use.

No adapter is built in and none is privileged. Entry points are scanned when a name is first asked for, a module is
imported when its adapter is first built, and every failure says which distribution it lies in and what to do.
"""

import enum
import importlib.metadata
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import cast

import attrs

from powershare.adapter import Adapter, AdapterFactory, Clock, HostClock
from powershare.errors import AdapterNotInstalled, FormatError, Problem

GROUP = "powershare.adapters"

PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "emulated": "a connector and a vehicle in this process, for trying things out",
        "serial": "connectors on a wire: RS-485, Modbus, RAPI",
        "wifi": "connectors with a network interface of their own",
        "ocpp": "charging stations that speak OCPP",
        "mqtt": "meters and connectors behind an MQTT broker",
    }
)
"""What this project publishes or plans, each as the distribution `powershare-<name>`."""

_SEPARATORS = "+:"


class ImportState(enum.Enum):
    """What is known of an installed adapter's code, without importing it."""

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
    """An adapter that can be named in a site file.

    Attributes:
        name: Its name, the scheme of an address.
        claims: Who offers it: one distribution, or several that contest the name.
        state: What is known of its code.
        error: Why it cannot be used; None when nothing is known against it.
    """

    name: str
    claims: tuple[Claim, ...]
    state: ImportState
    error: str | None = None


def split_address(address: str) -> tuple[str, str]:
    """Split an address of a site file into an adapter's name and the rest, which belongs to the adapter.

    The name ends before the first `+` or `:`; the rest is what follows that one character, to the letter.
    `serial+twc:///dev/ttyUSB0?id=7777` is `serial` and `twc:///dev/ttyUSB0?id=7777`; `mqtt:home/panel` is `mqtt` and
    `home/panel`; `emulated` alone has an empty rest.

    Raises:
        FormatError: There is no name in front, or one that no adapter can have.
    """
    cut = next((at for at, letter in enumerate(address) if letter in _SEPARATORS), len(address))
    name = address[:cut]
    if not (name and name.isascii() and name.replace("-", "").replace("_", "").isalnum()):
        message = "does not begin with the name of an adapter; write name+rest, such as serial+twc:///dev/ttyUSB0"
        raise FormatError([Problem(f'adapter "{address}"', "", message)])
    return name, address[cut + 1 :]


class Registry:
    """The adapters of one environment.

    Args:
        search_path: Directories to look for distributions in; None: where Python looks for modules.
    """

    def __init__(self, search_path: Sequence[str] | None = None) -> None:
        self._search_path = search_path
        self._found: dict[str, list[tuple[Claim, EntryPoint]]] | None = None
        self._factories: dict[str, AdapterFactory] = {}
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

    def resolve(self, name: str) -> AdapterFactory:
        """Import an adapter's code and return what builds it.

        Args:
            name: The adapter's name.

        Raises:
            AdapterNotInstalled: No distribution offers it, several do, or its import failed; the text says which of
                these it is, and what to do.
        """
        if name in self._factories:
            return self._factories[name]
        claims = self._scan().get(name)
        if claims is None:
            raise AdapterNotInstalled(_missing(name, sorted(self._scan()), self._unreadable))
        if len(claims) > 1:
            raise AdapterNotInstalled(_contested(name, [claim for claim, _ in claims]))
        ((claim, entry_point),) = claims
        self._factories[name] = self._import(name, claim, entry_point)
        return self._factories[name]

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

    def _scan(self) -> dict[str, list[tuple[Claim, EntryPoint]]]:
        if self._found is None:
            found: dict[str, list[tuple[Claim, EntryPoint]]] = {}
            seen: set[str] = set()
            self._unreadable = []
            for distribution in self._distributions():
                try:
                    claims = _claims(distribution, seen)
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

    def _import(self, name: str, claim: Claim, entry_point: EntryPoint) -> AdapterFactory:
        try:
            factory = entry_point.load()
        except Exception as error:
            # Whatever a stranger's module does while it is imported, it must not look like a defect of ours.
            cause = f"{type(error).__name__}: {error}"
            self._broken[name] = cause
            raise AdapterNotInstalled(
                f'adapter "{name}" is installed but cannot be imported: {claim} failed with {cause}; '
                f"reinstall it with: pip install --force-reinstall {claim.distribution}"
            ) from error
        if not callable(factory):
            self._broken[name] = f"{claim.target} is a {type(factory).__name__}, not a class or function"
            raise AdapterNotInstalled(f'adapter "{name}" cannot be used: {claim}: {self._broken[name]}')
        self._broken.pop(name, None)
        return cast("AdapterFactory", factory)

    def _describe(self, name: str) -> InstalledAdapter:
        claims = tuple(claim for claim, _ in self._scan()[name])
        state, error = ImportState.NOT_IMPORTED, None
        if len(claims) > 1:
            state, error = ImportState.CONTESTED, _contested(name, claims)
        elif name in self._broken:
            state, error = ImportState.BROKEN, self._broken[name]
        elif name in self._factories:
            state = ImportState.IMPORTED
        return InstalledAdapter(name=name, claims=claims, state=state, error=error)


def _title(distribution: importlib.metadata.Distribution) -> str:
    return distribution.metadata["Name"] or "an unnamed distribution"


def _claims(distribution: importlib.metadata.Distribution, seen: set[str]) -> list[tuple[Claim, EntryPoint]]:
    """What one distribution claims; nothing when one of its name has been seen, which then is added."""
    if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
        return []
    title = _title(distribution)
    key = title.lower().replace("_", "-").replace(".", "-")
    if key in seen:  # an older copy further down the path, which Python would not import either
        return []
    seen.add(key)
    return [
        (Claim(distribution=title, version=distribution.version, target=entry_point.value), entry_point)
        for entry_point in distribution.entry_points.select(group=GROUP)
    ]


def _missing(name: str, known: Sequence[str], unreadable: Sequence[str]) -> str:
    """What to say of a name that nobody offers."""
    import difflib  # needed only to word this error

    words = [f'no adapter "{name}" is installed']
    if name in PUBLISHED:
        words.append(f"install it with: pip install powershare-{name}")
    else:
        close = difflib.get_close_matches(name, [*known, *PUBLISHED], n=3, cutoff=0.6)
        suggestions = [
            f'"{match}"' + ("" if match in known else f" (pip install powershare-{match})") for match in close
        ]
        if suggestions:
            words.append(f"did you mean {' or '.join(dict.fromkeys(suggestions))}?")
        others = [other for other in PUBLISHED if other not in known]
        if others:
            words.append(f"known but not installed: {', '.join(f'{other} (powershare-{other})' for other in others)}")
    words.append(f"installed: {', '.join(known) or 'none'}")
    if unreadable:
        words.append(f"what these distributions offer cannot be read, reinstall them: {', '.join(unreadable)}")
    return "; ".join(words)


def _contested(name: str, claims: Sequence[Claim]) -> str:
    claimants = " and ".join(map(str, claims))
    return f'adapter "{name}" is claimed by more than one distribution: {claimants}; uninstall all but one'


_default = Registry()


def installed() -> Mapping[str, InstalledAdapter]:
    """A read-only view of the adapters installed in this environment; imports nothing."""
    return _default.installed()


def resolve(name: str) -> AdapterFactory:
    """Import an installed adapter's code and return what builds it; see `Registry.resolve`."""
    return _default.resolve(name)


def create_adapter(address: str, *, clock: Clock | None = None) -> Adapter:
    """Build the adapter an address names, without touching its device; see `Registry.create`."""
    return _default.create(address, clock=clock)
