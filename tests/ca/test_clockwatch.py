"""The clock is held against a second source: a real server of time, and servers that lie."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from ca.clockwatch import ClockWatch, DatabaseClock, WatchRules
from ca.errors import ClockNotHeard, ClockOutOfAccuracy, TimeNotAvailable, TimeSourceSilent
from ca.sntp import Measurement, SntpServer, parse_address, read_reply, request
from tests.ca.conftest import Pki
from tests.ca.test_timestamping import failure
from tests.ca.test_timestamping import request as time_stamp_request
from tests.support.ntp import Says, free_udp_port, running_chrony, time_server

COOKIE = bytes(range(8))
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


class Hands:
    """Both clocks of a machine: the wall's can be set, the monotonic one only goes on."""

    def __init__(self) -> None:
        self.wall, self.ticks = NOW, 1000.0

    def clock(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def pass_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


class Source:
    """Somebody else's clock, ``ahead`` of ours by so many seconds; None: it is silent."""

    def __init__(self, ahead: float | None, uncertainty: float = 0.02, name: str = "theirs") -> None:
        self.ahead, self.uncertainty, self.name = ahead, uncertainty, name
        self.asked = 0

    def measure(self, clock: object, monotonic: object) -> Measurement:
        self.asked += 1
        if self.ahead is None:
            raise TimeSourceSilent("it does not answer")
        return Measurement(self.ahead, self.uncertainty)


def watch(
    hands: Hands, *sources: Source, accuracy: float = 1.0, fallback: Source | None = None
) -> ClockWatch:
    return ClockWatch(
        sources=sources,
        fallback=fallback,
        rules=WatchRules(accuracy=timedelta(seconds=accuracy)),
        clock=hands.clock,
        monotonic=hands.monotonic,
    )


# --- the question and the answer ------------------------------------------------------------------------


@pytest.mark.network
def test_a_real_server_of_time_tells_how_far_our_clock_is_from_its_own(tmp_path: Path) -> None:
    with running_chrony(tmp_path) as address:
        server = SntpServer(address)
        fitting = server.measure(now, time.monotonic)
        assert fitting.worst < 0.1
        ahead = server.measure(lambda: now() + timedelta(seconds=5), time.monotonic)
        assert abs(ahead.offset + 5) < 0.1
        behind = server.measure(lambda: now() - timedelta(days=400), time.monotonic)
        assert abs(behind.offset - 400 * 86400) < 0.1


@pytest.mark.network
@pytest.mark.parametrize(
    ("says", "words"),
    [
        (Says(stratum=0, kiss=b"RATE"), "RATE"),
        (Says(stratum=16), "not synchronised"),
        (Says(leap=3), "not synchronised"),
        (Says(zeros=True), "not synchronised"),
        (Says(dispersion=1.5), "too far"),
        (Says(delay=2.0), "too far"),
        (Says(delay=-1.0), "too far"),
        (Says(mode=3), "not answer"),
        (Says(cut=47), "not answer"),
        (Says(silent=True), "not answer"),
        (Says(cookie=lambda cookie: bytes(8)), "not answer"),  # a guess of somebody who saw no request
    ],
)
def test_a_server_that_does_not_know_the_time_or_is_somebody_else_is_not_believed(
    says: Says, words: str
) -> None:
    with time_server(now, says) as address, pytest.raises(TimeSourceSilent, match=words):
        SntpServer(address, timeout=0.3).measure(now, time.monotonic)


@pytest.mark.network
def test_nobody_there_and_a_name_that_is_none_are_silence() -> None:
    for address in (f"127.0.0.1:{free_udp_port()}", "localhost..:1"):
        with pytest.raises(TimeSourceSilent):
            SntpServer(address, timeout=0.3).measure(now, time.monotonic)


@given(st.binary(max_size=80))
def test_no_packet_can_do_more_than_be_ignored_or_refused(packet: bytes) -> None:
    try:
        found = read_reply(packet[:40] + COOKIE + packet[40:], COOKIE, sent=NOW, elapsed=0.1)
    except TimeSourceSilent:
        return
    assert found is None or found.uncertainty >= 0


def test_time_goes_on_behind_the_end_of_the_counter_in_2036() -> None:
    sent = datetime(2036, 2, 7, 6, 28, 15, tzinfo=UTC)  # a second before
    reply = bytearray(request(bytes(8)))
    reply[0], reply[1] = 4 << 3 | 4, 1
    reply[24:32] = COOKIE
    reply[32:40] = reply[40:48] = (1 << 32).to_bytes(8, "big")  # a second after, in the next era
    found = read_reply(bytes(reply), COOKIE, sent=sent, elapsed=0.0)
    assert found is not None
    assert found.offset == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("time.example", ("time.example", 123)),
        ("[::1]:1123", ("::1", 1123)),
        ("192.0.2.1:9", ("192.0.2.1", 9)),
    ],
)
def test_addresses_have_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


def test_the_clock_of_postgresql_is_a_source_and_one_that_is_gone_is_silent(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    found = DatabaseClock(engine.begin).measure(now, time.monotonic)
    assert found.worst < 0.2
    ahead = DatabaseClock(engine.begin).measure(lambda: now() + timedelta(seconds=9), time.monotonic)
    assert abs(ahead.offset + 9) < 0.2
    engine.dispose()
    with pytest.raises(TimeSourceSilent):
        DatabaseClock(create_engine("sqlite://").begin).measure(now, time.monotonic)


# --- what is concluded ----------------------------------------------------------------------------------


def test_a_clock_within_its_accuracy_tells_the_time_and_one_outside_tells_none() -> None:
    hands, source = Hands(), Source(0.9)
    assert watch(hands, source)() == NOW
    source.ahead = -0.99  # the uncertainty counts against us
    with pytest.raises(ClockOutOfAccuracy, match=r"\+0.990 s .* from theirs"):
        watch(hands, source)()


def test_a_source_that_was_never_heard_or_not_for_too_long_vouches_for_nothing() -> None:
    hands, source = Hands(), Source(None)
    watched = watch(hands, source)
    with pytest.raises(ClockNotHeard, match="yet"):
        watched()
    source.ahead = 0.0
    watched()
    source.ahead = None
    hands.pass_time(600)
    watched()
    hands.pass_time(1)
    with pytest.raises(ClockNotHeard, match="601 s"):
        watched()
    source.ahead = 0.0
    assert watched() == hands.wall


@pytest.mark.parametrize("seconds", [-7200.0, -1.2, 1.2, 86400.0])
def test_a_clock_that_is_set_is_noticed_by_the_very_next_token_and_trusted_when_measured_anew(
    seconds: float,
) -> None:
    hands, source = Hands(), Source(0.0)
    watched = watch(hands, source)
    watched()
    hands.pass_time(10)
    hands.wall += timedelta(seconds=seconds)
    with pytest.raises(ClockOutOfAccuracy):
        watched()
    assert source.asked == 1
    watched.measure()  # the source says that it is right now: the time before was the wrong one
    assert watched() == hands.wall


def test_between_measurements_the_clock_is_trusted_less_and_less() -> None:
    hands, source = Hands(), Source(0.0, uncertainty=0.015)
    watched = watch(hands, source, accuracy=0.02)
    watched()
    source.ahead = None
    hands.pass_time(99)
    watched()
    hands.pass_time(2)
    with pytest.raises(ClockOutOfAccuracy):
        watched()


@pytest.mark.parametrize(
    ("offsets", "fits"),
    [
        ((0.0, 0.1, 3600.0), True),  # one of three is wrong
        ((0.0, 3600.0, None), False),  # of two, nobody can say which
        ((0.0, None, None), True),
        ((9.0, 9.1, 0.0), False),
        ((0.0, 0.1, 9.0, 9.0), False),
    ],
)
def test_more_than_half_of_the_sources_heard_must_vouch_for_the_clock(
    offsets: tuple[float | None, ...], fits: bool
) -> None:
    watched = watch(Hands(), *(Source(offset) for offset in offsets))
    if fits:
        watched()
    else:
        with pytest.raises(ClockOutOfAccuracy):
            watched()


def test_the_fallback_is_asked_when_no_other_source_answers_and_only_then() -> None:
    hands, source, fallback = Hands(), Source(0.0), Source(0.1, name="the database's clock")
    watched = watch(hands, source, fallback=fallback)
    watched()
    assert fallback.asked == 0
    source.ahead = None
    watched.measure()
    state = watched.state()
    assert state is not None
    assert (state.source, fallback.asked) == ("the database's clock", 1)


def test_a_measurement_during_which_the_clock_was_set_does_not_count() -> None:
    hands = Hands()

    class Meanwhile(Source):
        def measure(self, clock: object, monotonic: object) -> Measurement:
            hands.wall += timedelta(seconds=30)
            return super().measure(clock, monotonic)

    watched = watch(hands, Meanwhile(0.0))
    assert not watched.measure()
    assert watched.state() is None


@pytest.mark.network
def test_the_thread_measures_notices_jumps_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    shift = timedelta(0)

    def ours() -> datetime:
        return now() + shift

    says = Says()
    with time_server(now, says) as address, ExitStack() as closing:
        watched = ClockWatch(
            sources=[SntpServer(address, timeout=0.5)],
            rules=WatchRules(accuracy=timedelta(seconds=1)),
            clock=ours,
        )
        watched.start(closing)
        _until(lambda: watched.state() is not None)
        watched()
        shift = timedelta(seconds=20)
        with pytest.raises(ClockOutOfAccuracy):
            watched()
        _until(lambda: watched.jumps == 1)
        _until(lambda: "no time-stamp is issued" in caplog.text)
        shift = timedelta(0)
        _until(lambda: "within its accuracy again" in caplog.text)
        watched()


def _until(holds: object, seconds: float = 10.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_no_token_is_issued_while_the_clock_is_out_and_again_when_it_is_back(pki: Pki) -> None:
    hands = Hands()
    hands.wall = pki.clock()
    source = Source(0.0)
    watched = watch(hands, source)
    tsa = type(pki.tsa)(begin=pki.begin, keys=pki.keys, clock=watched, config=pki.config)
    tsa.require_ready()
    tsa.token(bytes(32))
    hands.wall += timedelta(hours=1)
    for act in (tsa.require_ready, lambda: tsa.token(bytes(32))):
        with pytest.raises(TimeNotAvailable, match="3600"):
            act()
    assert failure(tsa.respond(time_stamp_request())) == "time_not_available"
    hands.wall -= timedelta(hours=1)
    tsa.token(bytes(32))
