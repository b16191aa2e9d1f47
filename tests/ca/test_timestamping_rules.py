"""What a deployment decides about its time-stamps: policies, digests, accuracy, order, and who waits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from ca import der, routes
from ca.errors import ProfileInvalid, TimeNotAvailable
from ca.model import TimeStampingRules
from ca.timestamping import TimeStampingAuthority
from tests.ca.conftest import CONFIG, Pki
from tests.ca.test_timestamping import DIGEST, failure, granted, info_of, request
from tests.support.asgi import InProcess


def governed(pki: Pki, **rules: Any) -> Pki:
    """The same deployment under other rules for time-stamps."""
    config = replace(pki.config, time=TimeStampingRules(**rules))
    return Pki(pki.begin, pki.clock, pki.folder, pki.ticks, config)


def test_several_policies_are_served_and_the_first_where_none_is_asked_for(pki: Pki) -> None:
    bound = governed(pki, policies=("0.4.0.2023.1.1", "1.3.6.1.4.1.32473.7"))
    for asked, under in (
        ({}, "0.4.0.2023.1.1"),
        ({"req_policy": "0.4.0.2023.1.1"}, "0.4.0.2023.1.1"),
        ({"req_policy": "1.3.6.1.4.1.32473.7"}, "1.3.6.1.4.1.32473.7"),
    ):
        signed = granted(bound.tsa.respond(request(**asked)))
        assert signed["encap_content_info"]["content"].parsed["policy"].native == under
    assert failure(bound.tsa.respond(request(req_policy=CONFIG.timestamp_policies[0]))) == "unaccepted_policy"


def test_only_the_digests_of_the_list_are_stamped(pki: Pki) -> None:
    bound = governed(pki, digests=("sha512", "sha3_256"))
    assert failure(bound.tsa.respond(request())) == "bad_alg"
    granted(bound.tsa.respond(request(algorithm="sha512", digest=bytes(64))))
    sha3 = der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.8")), der.octet_string(bytes(32)))
    granted(bound.tsa.respond(der.sequence(der.integer(1), sha3)))


@pytest.mark.parametrize(
    ("milliseconds", "stated"),
    [(1, (None, 1)), (500, (None, 500)), (1000, (1, None)), (1500, (1, 500)), (60_000, (60, None))],
)
def test_the_accuracy_is_stated_to_the_millisecond(
    pki: Pki, milliseconds: int, stated: tuple[int | None, int | None]
) -> None:
    bound = governed(pki, accuracy=timedelta(milliseconds=milliseconds))
    accuracy = info_of(bound.tsa.token(DIGEST))["accuracy"]
    assert (accuracy["seconds"].native, accuracy["millis"].native, accuracy["micros"].native) == (
        *stated,
        None,
    )


@pytest.mark.parametrize(
    "rules",
    [
        {"policies": ("1.3.6", "1.3.6")},
        {"policies": ("3.1",)},
        {"policies": ("policy",)},
        {"digests": ()},
        {"digests": ("sha1",)},
        {"accuracy": timedelta(0)},
        {"accuracy": timedelta(microseconds=1500)},
        {"accuracy": timedelta(minutes=2)},
    ],
)
def test_rules_that_cannot_be_kept_stop_the_start(rules: dict[str, Any]) -> None:
    with pytest.raises(ProfileInvalid):
        TimeStampingRules(**rules)


# --- ordering -------------------------------------------------------------------------------------------


def test_ordered_tokens_say_so_and_their_times_rise_though_the_clock_stands_still(
    pki: Pki, tmp_path: Path
) -> None:
    config = replace(pki.config, time=TimeStampingRules(ordering=True))

    def authority() -> TimeStampingAuthority:
        return TimeStampingAuthority(
            begin=pki.begin, keys=pki.keys, clock=pki.clock, config=config, order_file=tmp_path / "order"
        )

    one, other = authority(), authority()  # two processes of one machine
    infos = [info_of(tsa.token(DIGEST)) for tsa in (one, other, one, one, other) for _ in range(3)]
    assert all(info["ordering"].native is True for info in infos)
    times = [info["gen_time"].native for info in infos]
    assert times == sorted(set(times))
    assert times[-1] - pki.clock() < timedelta(milliseconds=1)
    pki.clock.advance(timedelta(seconds=-2))
    with pytest.raises(TimeNotAvailable, match="went back"):
        authority().token(DIGEST)  # not even after a restart


def test_times_of_threads_and_processes_never_repeat(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from datetime import *; from ca.ordering import RisingTime\n"
        "rising = RisingTime(Path(sys.argv[1])); from concurrent.futures import ThreadPoolExecutor\n"
        "now = datetime(2026, 11, 22, tzinfo=UTC); take = lambda _: rising.at(now, tolerance=timedelta(1))\n"
        "print(*(f'{t:%f}' for t in ThreadPoolExecutor(4).map(take, range(500))))\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "order"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    taken = [time for process in running for time in process.communicate()[0].split()]
    assert len(taken) == len(set(taken)) == 1500


# --- without waiting ------------------------------------------------------------------------------------


def test_an_answer_at_once_is_the_same_and_is_given_only_while_nobody_has_to_be_asked(pki: Pki) -> None:
    asked = request(nonce=7, cert_req=True)
    assert pki.tsa.respond_at_once(asked) is None, "nothing is known of the unit yet"
    pki.tsa.respond(asked)
    at_once = pki.tsa.respond_at_once(asked)
    assert at_once is not None
    assert granted(at_once)["encap_content_info"]["content"].parsed["nonce"].native == 7
    rejected = pki.tsa.respond_at_once(b"0")
    assert rejected is not None
    assert failure(rejected) == "bad_data_format"
    pki.ticks.value += 0.6
    assert pki.tsa.respond_at_once(asked) is None, "one goes and asks the register anew"
    assert pki.tsa.respond_at_once(asked) is not None, "and nobody else waits for it"
    pki.ticks.value += 0.4
    assert pki.tsa.respond_at_once(asked) is None, "what is a second old is not relied on"


def test_an_answer_at_once_never_reads_or_writes_the_database(pki: Pki) -> None:
    """Whatever the counters of uses and the memory of keys do: who answers at once holds up everybody."""
    pki.tsa.respond(request())
    opened = 0
    real = pki.begin

    @contextmanager
    def counted() -> Iterator[Any]:
        nonlocal opened
        opened += 1
        with real() as tx:
            yield tx

    pki.keys._begin = pki.keys._read = pki.keys.usage._begin = pki.tsa._begin = counted
    answered = 0
    for _ in range(300):
        if pki.tsa.respond_at_once(request()) is None:
            assert opened == answered
            pki.tsa.respond(request())
            answered = opened
    assert opened == answered > 0


def test_who_asks_over_http_gets_the_same_answers_from_memory_and_from_a_thread(pki: Pki) -> None:
    application = FastAPI()
    application.include_router(routes.router(pki.revocation, pki.tsa, read=pki.begin, clock=pki.clock))
    web = InProcess(application)
    for _ in range(3):
        answer = web.post("/tsa", content=request(nonce=3))
        assert answer.headers["content-type"] == "application/timestamp-reply"
        assert answer.headers["cache-control"] == "no-store"
        granted(answer.content)
    assert failure(web.post("/tsa", content=bytes(10_000)).content) == "bad_request"
