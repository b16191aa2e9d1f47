"""Devices and places in a few honest words. Nobody outside is asked.

A User-Agent is a claim, and these words are for its owner to recognise, not for decisions. Of an address only
the network is kept, unless the operator configured a table of places for it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Final, Self

from identity.login.errors import PlacesUnreadable
from identity.login.model import DeviceName, Place

_LONGEST: Final = 512
_MOST_PLACES: Final = 2_000_000
_LONGEST_NAME: Final = 80

# In this order: nearly every browser also claims to be the ones below it.
_BROWSERS: Final = (
    (re.compile(r"\bFB(?:AN|AV|_IAB)/"), "Facebook"),
    (re.compile(r"\bInstagram\b"), "Instagram"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\b(?:OPR|OPT|OPiOS|Opera|Opera Mini)/"), "Opera"),
    (re.compile(r"\bUC ?Browser/"), "UC Browser"),
    (re.compile(r"\b(?:MiuiBrowser|XiaoMi/MiuiBrowser)/"), "Mi Browser"),
    (re.compile(r"\bHuaweiBrowser/"), "Huawei Browser"),
    (re.compile(r"\bHeyTapBrowser/"), "HeyTap Browser"),
    (re.compile(r"\bVivoBrowser/"), "vivo Browser"),
    (re.compile(r"\bYaBrowser/"), "Yandex"),
    (re.compile(r"\bEdg(?:e|A|iOS)?/"), "Edge"),
    (re.compile(r"\b(?:Firefox|FxiOS|Focus)/"), "Firefox"),
    (re.compile(r"\bDuckDuckGo/"), "DuckDuckGo"),
    (re.compile(r"\b(?:Chrome|CriOS|HeadlessChrome)/"), "Chrome"),
    (re.compile(r"\bVersion/[\d.]+.*\bSafari/"), "Safari"),
)
_SYSTEMS: Final = (
    (re.compile(r"\biPhone\b"), "iPhone"),
    (re.compile(r"\biPad\b"), "iPad"),
    (re.compile(r"\bKAIOS/"), "KaiOS"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\bCrOS\b"), "ChromeOS"),
    (re.compile(r"\bMacintosh\b"), "Mac"),
    (re.compile(r"\bLinux\b"), "Linux"),
)


def device_name(user_agent: str) -> DeviceName:
    """``Chrome`` and ``Android`` out of a User-Agent; empty what it does not tell. Never raises."""
    told = user_agent[:_LONGEST]
    return DeviceName(_first(_BROWSERS, told), _first(_SYSTEMS, told))


class Places:
    """Names for networks, from the operator's own table. Without one there are only networks.

    A table is CSV with a network (or one address) and a name per line, ``103.10.64.0/22,"Bandung, Jawa
    Barat"``; the smallest network that holds an address names it. Many towns and operators publish theirs.
    """

    def __init__(self, rows: Iterable[tuple[str, str]] = ()) -> None:
        """Raises :class:`identity.login.errors.PlacesUnreadable`."""
        self._names: dict[tuple[int, int], dict[int, str]] = {}
        for number, (network, name) in enumerate(rows, start=1):
            if number > _MOST_PLACES:
                raise PlacesUnreadable(f"The table of places has more than {_MOST_PLACES} lines. Shorten it.")
            try:
                parsed = ip_network(network.strip())
            except ValueError:
                raise PlacesUnreadable(
                    f"Line {number} of the table of places names no network: write 103.10.64.0/22,Bandung."
                ) from None
            shown = name.strip()
            if not 0 < len(shown) <= _LONGEST_NAME or not shown.isprintable():
                raise PlacesUnreadable(
                    f"The name on line {number} of the table of places must have 1 to {_LONGEST_NAME} "
                    "printable characters."
                )
            by_start = self._names.setdefault((parsed.version, parsed.prefixlen), {})
            by_start[int(parsed.network_address)] = shown
        # The smallest network first.
        self._lengths = {
            version: sorted((length for of, length in self._names if of == version), reverse=True)
            for version in (4, 6)
        }

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises :class:`identity.login.errors.PlacesUnreadable`."""
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return cls(_pairs(csv.reader(file)))
        except (OSError, UnicodeDecodeError, csv.Error) as cause:
            raise PlacesUnreadable(
                f"The table of places {path} cannot be read ({type(cause).__name__}). Check path and form."
            ) from cause

    def of(self, address: str) -> Place:
        """Never raises; what is no address is a place without name and network."""
        parsed = parse_address(address)
        if parsed is None:
            return Place("", "")
        return Place(self._name(parsed), _network_words(parsed))

    def _name(self, address: IPv4Address | IPv6Address) -> str:
        value, bits = int(address), address.max_prefixlen
        for length in self._lengths[address.version]:
            start = value >> (bits - length) << (bits - length)
            if name := self._names[address.version, length].get(start):
                return name
        return ""


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address without zone; IPv4 that arrived through an IPv6 socket is IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network_words(address: IPv4Address | IPv6Address) -> str:
    """``103.10.66.*`` (a /24) or ``2001:db8:1::*`` (a /48): enough to recognise, not to find a home."""
    if isinstance(address, IPv4Address):
        return f"{str(address).rpartition('.')[0]}.*"
    return f"{IPv6Address(int(address) >> 80 << 80)}*"


def _first(patterns: tuple[tuple[re.Pattern[str], str], ...], told: str) -> str:
    return next((name for pattern, name in patterns if pattern.search(told)), "")


def _pairs(lines: Iterable[list[str]]) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        if len(line) != 2:
            raise PlacesUnreadable(
                f"Line {number} of the table of places needs a network and a name, separated by a comma."
            )
        yield line[0], line[1]
