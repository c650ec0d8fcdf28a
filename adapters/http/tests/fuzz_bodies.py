"""Fires hostile bodies at what reads answers: genuine ones cut, flipped, spliced and repeated, and noise.

    python adapters/http/tests/fuzz_bodies.py --inputs 1000000 --seed 1

It ends with status 1 and the bytes when anything but a value or a `BodyError` comes out, or when a Wall Connector's
body that lost its end says another current than the whole one.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random

from powershare_http import bodies
from powershare_http.bodies import BodyError
from powershare_http.gen3.bodies import Vitals, lifetime_words, version_words, vitals_of, wifi_words

VITALS = json.dumps(
    {
        "contactor_closed": True,
        "vehicle_connected": True,
        "grid_v": 238.5,
        "vehicle_current_a": 30.8,
        "currentA_a": 11.4,
        "currentB_a": 13.1,
        "currentC_a": 12.7,
        "uptime_s": 1292309,
        "evse_state": 11,
        "current_alerts": ["one, two", 'th"ree'],
    }
).encode()
CHARGER = b'{"amp":16,"frc":0,"car":2,"err":0,"nrg":[230,231,229,1,15.7,15.8,15.9,3.6],"list":[{"evseState":true}]}'
LIFE = b'{"contactor_cycles":175,"thermal_foldbacks":2,"energy_wh":386204,"uptime_s":1945056,"avg_startup_temp":nan}'
WIFI = b'{"wifi_ssid":"VGVzdE5ldHdvcms=","wifi_rssi":-68,"wifi_connected":true,"internet":true}'
GENUINE = (VITALS, CHARGER, LIFE, WIFI)
SPLICES = (b"nan", b"-inf", b"}", b"{", b"[", b'"', b"\\", b",", b"1e999", b"9" * 40, b"\0", b"\xff", b"null", b":")


def _charger(data: bytes) -> None:
    found = bodies.json_of(data)
    bodies.current_ma(bodies.field_of(found, ("nrg", "4")), Decimal(1_000), "nrg.4")
    bodies.word_of(bodies.field_of(found, ("list", "0", "evseState")))


READERS: tuple[Callable[[bytes], object], ...] = (vitals_of, version_words, wifi_words, lifetime_words, _charger)


class Escaped(Exception):
    """Something came out that must not."""


def spoiled(dice: Random) -> bytes:
    """One hostile body."""
    data = bytearray(dice.choice(GENUINE))
    kind = dice.randrange(6)
    if kind == 0:
        del data[dice.randrange(len(data) + 1) :]
    elif kind == 1:
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    elif kind == 2:
        at = dice.randrange(len(data) + 1)
        data[at : at + dice.randrange(9)] = dice.choice(SPLICES) * dice.randrange(1, 4)
    elif kind == 3:
        data += dice.choice(GENUINE)[: dice.randrange(40)]
    elif kind == 4:
        at = dice.randrange(len(data))
        data[at:] = dice.choice(GENUINE)[at:]
    else:
        data[:] = dice.randbytes(dice.randrange(120))
    return bytes(data)


def check(data: bytes) -> bool:
    """Give a body to every reader; whether any of them made something of it.

    Raises:
        Escaped: Something else than a `BodyError` came out.
    """
    read = False
    for reader in READERS:
        try:
            reader(data)
            read = True
        except BodyError:
            continue
        except Exception as error:
            raise Escaped(f"{reader.__name__} let {error!r} escape") from error
    return read


def check_cut(whole: Vitals, keep: int) -> None:
    """See that a body that lost its end says what the whole one says, or nothing.

    Raises:
        Escaped: It says something else.
    """
    try:
        cut = vitals_of(VITALS[:keep])
    except BodyError:
        return
    pairs = zip((cut.vehicle_ma, *cut.line_ma), (whole.vehicle_ma, *whole.line_ma), strict=True)
    if any(cut_ma not in {None, whole_ma} for cut_ma, whole_ma in pairs):
        raise Escaped(f"cut to {keep} bytes it says {cut}")


def main(arguments: list[str] | None = None) -> int:
    """Fire."""
    parser = argparse.ArgumentParser(description="Fires hostile bodies at what reads answers.")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(arguments)
    dice, counts = Random(wanted.seed), Counter[bool]()
    data = b""
    try:
        whole = vitals_of(VITALS)
        for keep in range(len(VITALS)):
            check_cut(whole, keep)
        for _ in range(wanted.inputs):
            data = spoiled(dice)
            counts[check(data)] += 1
    except Escaped as error:
        sys.stdout.write(f"{error}: {data!r}\n")
        return 1
    sys.stdout.write(f"{wanted.inputs} bodies, {counts[True]} read by somebody, {counts[False]} refused by all\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
