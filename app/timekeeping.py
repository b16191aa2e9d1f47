"""Whom the time is taken from, and who vouches for it: the ports of time, filled from settings."""

from __future__ import annotations

import netrc
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography.x509 import Certificate

from app.clock import Clock
from app.database import Database
from app.errors import SettingsInvalid
from app.remembered import Remembered
from app.settings import Settings
from app.telemetry import Reading
from ca.clockwatch import ClockWatch, DatabaseClock, WatchRules
from ca.ports import Begin
from ca.sntp import SntpServer
from ca.tables import DistrustedUnits
from ca.timestampers.breaker import Breaker, Circuit
from ca.timestampers.evidence import ForeignEvidence
from ca.timestampers.failover import FailOver
from ca.timestampers.remote import Belief, Credentials, RemoteAuthority
from ca.timestampers.web import Web
from ca.timestamping import TimeStampingAuthority
from verify.trust import read_time_anchors


def build_clock_watch(settings: Settings, *, database: Database, clock: Clock) -> ClockWatch | None:
    """What holds ``clock`` against the sources that the settings name; None when they name none."""
    if not settings.clock.is_watched:
        return None
    return ClockWatch(
        sources=[SntpServer(address) for address in settings.clock.servers.split()],
        fallback=DatabaseClock(database.read) if settings.clock.database else None,
        rules=WatchRules(
            accuracy=timedelta(milliseconds=settings.tsa.accuracy_ms),
            interval=timedelta(seconds=settings.clock.interval_seconds),
            silence=timedelta(seconds=settings.clock.silence_seconds),
        ),
        clock=clock,
    )


def clock_readings(watch: ClockWatch | None) -> Iterator[Reading]:
    """How the clock stands now, in this process. Nothing while it is not watched or no source was heard."""
    if watch is None:
        return
    yield Reading("absah_clock_jumps", "Jumps of the clock seen since the process started.", watch.jumps)
    state = watch.state()
    if state is None:
        return
    meaning = "Seconds by which the clock is ahead of its second source."
    yield Reading("absah_clock_offset_seconds", meaning, state.offset)
    yield Reading(
        "absah_clock_uncertainty_seconds", "By how many seconds that may be wrong.", state.uncertainty
    )
    yield Reading(
        "absah_clock_heard_seconds_ago", "Seconds since the second source was heard last.", state.age
    )


@dataclass(frozen=True, slots=True)
class TimeStamping:
    """Who stamps what is sealed. ``foreign`` are the other authorities among them, ``evidence`` theirs."""

    stampers: FailOver
    foreign: tuple[RemoteAuthority, ...]
    evidence: ForeignEvidence


def build_time_stamping(
    settings: Settings, *, tsa: TimeStampingAuthority, read: Begin, clock: Clock, closing: ExitStack
) -> TimeStamping:
    """Asks nobody yet. ``clock`` is the machine's own: another authority vouches for its time itself."""
    rules = settings.tsa
    web = Web(timeout=float(rules.timeout_seconds))
    closing.callback(web.close)
    evidence = ForeignEvidence(web, clock=clock)
    anchors: Remembered[tuple[Certificate, ...]] = Remembered(time.monotonic)
    distrusted: Remembered[frozenset[bytes]] = Remembered(time.monotonic)

    def distrusted_units() -> frozenset[bytes]:
        with read() as tx:
            return frozenset(DistrustedUnits(tx).all())

    belief = Belief(
        distrusted=lambda: distrusted.get("", distrusted_units),
        trusted=lambda: anchors.get("", lambda: read_time_anchors(settings.trust_dir)),
        policies=frozenset(rules.foreign_policies.split()),
        tolerance=timedelta(seconds=rules.tolerance_seconds),
    )
    foreign = {
        address: RemoteAuthority(
            address,
            web=web,
            belief=belief,
            evidence=evidence,
            clock=clock,
            breaker=Breaker(
                f"time-stamping authority {urlsplit(address).hostname}",
                failures=rules.failures,
                pause=float(rules.pause_seconds),
                monotonic=time.monotonic,
            ),
            credentials=_credentials(settings, address),
        )
        for address in rules.order.split()
        if address != "own"
    }
    stampers = FailOver([foreign.get(name, tsa) for name in rules.order.split()])
    return TimeStamping(stampers, tuple(foreign.values()), evidence)


def _credentials(settings: Settings, address: str) -> Credentials | None:
    path = settings.tsa.netrc_file
    if path is None:
        return None
    try:
        known = netrc.netrc(str(path)).authenticators(urlsplit(address).hostname or "")
    except (OSError, netrc.NetrcParseError) as cause:
        raise SettingsInvalid(
            f"ABSAH_TSA_NETRC_FILE cannot be read ({type(cause).__name__}): check path, owner and form."
        ) from None
    if known is None:
        return None
    if not address.startswith("https://"):
        raise SettingsInvalid(
            "ABSAH_TSA_NETRC_FILE holds a password for an authority that ABSAH_TSA_ORDER names with http://, "
            "and it would travel in the clear. Name it with https://."
        )
    return Credentials(known[0], known[2])


def stamper_readings(stamping: TimeStamping) -> Iterator[Reading]:
    """How many of the other authorities are passed over now, in this process."""
    paused = sum(authority.breaker.circuit is not Circuit.CLOSED for authority in stamping.foreign)
    yield Reading(
        "absah_time_stampers_paused", "Other time-stamping authorities that are left alone now.", paused
    )
