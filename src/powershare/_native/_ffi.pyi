from collections.abc import Sequence
from typing import Final, Protocol

from cffi import FFI

class _Lib(Protocol):
    def ps_site_compile(self, site: FFI.CData) -> int: ...
    def ps_work64_len(self, n_connectors: int, n_circuits: int) -> int: ...
    def ps_work32_len(self, n_connectors: int, n_circuits: int) -> int: ...
    def ps_allocate(self, problem: FFI.CData) -> int: ...
    def ps_allocate_each(self, problems: FFI.CData | Sequence[FFI.CData], count: int) -> int: ...
    def ps_ledger_compile(self, ledger: FFI.CData) -> int: ...
    def ps_ledger_open(self, ledger: FFI.CData, now: int, wait: int) -> int: ...
    def ps_ledger_suspect(self, ledger: FFI.CData, unit: int, now: int, wait: int) -> int: ...
    def ps_ledger_learn(
        self,
        ledger: FFI.CData,
        unit: int,
        now: int,
        wait: int,
        settled: int,
        current: int,
        cap_until: int,
        measured: int,
    ) -> int: ...
    def ps_ledger_issue(
        self,
        ledger: FFI.CData,
        unit: int,
        kind: int,
        amps: int,
        ceiling: int,
        now: int,
        wait: int,
        horizon: int,
        cap_until: int,
    ) -> int: ...
    def ps_ledger_room(
        self, ledger: FFI.CData, unit: int, start: int, upto: int, horizon: int, room: FFI.CData
    ) -> int: ...
    def ps_ledger_envelope(self, ledger: FFI.CData, unit: int, at: int) -> int: ...

ffi: Final[FFI]
lib: Final[_Lib]
