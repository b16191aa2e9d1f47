"""Words that a person recognises, and no more than is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.login.devices import Places, device_name, parse_address
from identity.login.errors import PlacesUnreadable
from identity.login.model import DeviceName, Place

_ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (f"{_ANDROID}Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome di Android"),
        (
            f"{_ANDROID}SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet di Android",
        ),
        (f"{_ANDROID}Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36 OPR/86.0", "Opera di Android"),
        (
            "Opera/9.80 (Android; Opera Mini/36.2/191.252; U; id) Presto/2.12 Version/12.16",
            "Opera di Android",
        ),
        (f"{_ANDROID}UCBrowser/13.4 Mobile Safari/537.36", "UC Browser di Android"),
        (f"{_ANDROID}Chrome/115.0 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.20", "Mi Browser di Android"),
        (f"{_ANDROID}Chrome/130 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/480.0;]", "Facebook di Android"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox di Android"),
        (f"{_IPHONE}Version/18.1 Mobile/15E148 Safari/604.1", "Safari di iPhone"),
        (f"{_IPHONE}CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome di iPhone"),
        (f"{_IPHONE}FxiOS/133.0 Mobile/15E148 Safari/605.1.15", "Firefox di iPhone"),
        (f"{_WINDOWS}Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge di Windows"),
        (f"{_WINDOWS}Chrome/142.0.0.0 Safari/537.36", "Chrome di Windows"),
        (f"{_MAC}Version/18.1 Safari/605.1.15", "Safari di Mac"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox di Linux"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/142.0.0.0 Safari/537.36", "Chrome di ChromeOS"),
        (
            "Mozilla/5.0 (Mobile; Nokia 8110 4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
            "Firefox di KaiOS",
        ),
        ("curl/8.5.0", "Perangkat yang tidak dikenal"),
        ("", "Perangkat yang tidak dikenal"),
    ],
)
def test_a_device_in_words(user_agent: str, words: str) -> None:
    assert device_name(user_agent).in_words("id") == words


def test_words_are_in_the_persons_language() -> None:
    assert DeviceName("Chrome", "Android").in_words("en") == "Chrome on Android"
    assert DeviceName("", "Android").in_words("en") == "Android"
    assert DeviceName("", "").in_words("en") == "Unknown device"
    assert Place("", "103.10.66.*").in_words("en") == "Network 103.10.66.*"
    assert Place("Bandung", "103.10.66.*").in_words("en") == "Bandung"
    assert Place("", "").in_words("id") == "Tempat yang tidak dikenal"


@given(st.text(max_size=2000))
def test_whatever_a_user_agent_says_only_our_own_words_come_out(text: str) -> None:
    name = device_name(text)
    assert len(name.browser) <= 20
    assert (name.browser + name.system).isprintable()


@given(st.text(max_size=100))
def test_whatever_an_address_is_there_is_a_place(text: str) -> None:
    assert Places().of(text).in_words("id")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("103.10.66.7", "103.10.66.*"),
        ("::ffff:103.10.66.7", "103.10.66.*"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::*"),
        ("fe80::1%eth0", "fe80::*"),
        ("not an address", ""),
        ("", ""),
    ],
)
def test_of_an_address_only_the_network_is_kept(address: str, network: str) -> None:
    assert Places().of(address) == Place("", network)


def test_the_smallest_network_of_the_table_names_an_address(tmp_path: Path) -> None:
    table = tmp_path / "places.csv"
    table.write_text(
        '103.0.0.0/8,Indonesia\n103.10.66.0/23,"Bandung, Jawa Barat"\n\n2001:db8::/32,Surabaya\n'
        "103.10.66.9,Loket\n"
    )
    places = Places.load(table)
    assert places.of("103.10.67.255").name == "Bandung, Jawa Barat"
    assert places.of("103.10.68.0").name == "Indonesia"
    assert places.of("103.10.66.9").name == "Loket"
    assert places.of("::ffff:103.10.66.1").name == "Bandung, Jawa Barat"
    assert places.of("2001:db8:ffff::1").name == "Surabaya"
    assert places.of("2001:db9::1").name == ""
    assert places.of("104.0.0.1").name == ""


@pytest.mark.parametrize(
    "line",
    [
        "nowhere,Bandung",
        "103.10.66.1/23,Bandung",
        "103.10.66.0/23",
        "103.10.66.0/23,a,b",
        "103.10.66.0/23, ",
        f"103.10.66.0/23,{'x' * 81}",
        "103.10.66.0/23,Ban\x07dung",
    ],
)
def test_a_broken_table_of_places_is_refused_by_line(tmp_path: Path, line: str) -> None:
    table = tmp_path / "places.csv"
    table.write_text(f"10.0.0.0/8,Dalam\n{line}\n")
    with pytest.raises(PlacesUnreadable, match=r"[Ll]ine 2 "):
        Places.load(table)


def test_a_table_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlacesUnreadable):
        Places.load(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlacesUnreadable):
        Places.load(tmp_path / "binary.csv")


def test_addresses_are_read_strictly() -> None:
    assert str(parse_address("::ffff:10.0.0.1")) == "10.0.0.1"
    assert parse_address("010.0.0.1") is None
    assert parse_address("1") is None
