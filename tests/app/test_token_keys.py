"""The keys of tokens in custody: published before they sign, honoured until their last token is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from app.custody import (
    TOKEN_ALGORITHMS,
    CustodyTokenKeys,
    rotate_token_keys,
    token_key_policy,
)
from app.provisioning import complete_hierarchy
from app.wiring import Core, build_core
from app.workflows import runner
from app.workflows.known import known_workflows
from identity import tokens
from identity.errors import SignedTokenError
from keys.errors import NoActiveKey
from keys.model import KeyPurpose, KeyState
from keys.rotation import RotationPolicy
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock

STALENESS = 1.2
"""A little longer than any process remembers keys."""

AnotherProcess = Callable[[], CustodyTokenKeys]


@pytest.fixture
def policy(core: Core) -> RotationPolicy:
    return token_key_policy(core.settings)


@pytest.fixture
def another_process(core: Core, clock: FrozenClock, policy: RotationPolicy) -> Iterator[AnotherProcess]:
    """Each call is the keys as a process of their own sees them."""
    with ExitStack() as closing:

        def start() -> CustodyTokenKeys:
            fresh = build_core(core.settings, closing=closing, clock=clock)
            return CustodyTokenKeys(fresh.keys, clock=clock, policy=policy)

        yield start


def rotate(core: Core, policy: RotationPolicy) -> int:
    with core.database.exclusively():
        return rotate_token_keys(core.keys, policy, clock=core.clock, actor="test")


def signed(keys: CustodyTokenKeys, algorithm: str) -> str:
    return tokens.sign({"sub": "x"}, typ="at+jwt", signer=keys.signer(algorithm))


def verified(keys: CustodyTokenKeys, token: str) -> None:
    tokens.verify(token, typ="at+jwt", keys=tokens.own_keys(keys), algorithms=tokens.OWN_ALGORITHMS)


def states(core: Core) -> list[KeyState]:
    return [key.state for key in core.keys.list() if key.purpose is KeyPurpose.TOKEN]


@pytest.mark.parametrize("algorithm", TOKEN_ALGORITHMS)
def test_a_new_service_signs_and_verifies_with_both_algorithms(
    core: Core, another_process: AnotherProcess, algorithm: str
) -> None:
    verified(another_process(), signed(another_process(), algorithm))
    assert states(core) == [KeyState.ACTIVE, KeyState.ACTIVE]


def test_the_key_set_names_both_keys_and_says_nothing_private(core: Core, api: InProcess) -> None:
    keys = api.get("/oauth2/jwks").json()["keys"]
    assert sorted(key["alg"] for key in keys) == ["ES256", "RS256"]
    assert all(not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys() for key in keys)
    assert {key["kid"] for key in keys} == {
        key.id for key in core.keys.list() if key.purpose is KeyPurpose.TOKEN
    }


def test_a_rotation_goes_through_every_phase_and_each_process_follows(
    core: Core, another_process: AnotherProcess, policy: RotationPolicy, clock: FrozenClock
) -> None:
    old = another_process()
    before = signed(old, "ES256")
    first = old.signer().key_id
    # 1. Published, not used.
    clock.advance(policy.max_age - policy.publish)
    assert rotate(core, policy) == 2
    assert len(another_process().public_keys()) == 4
    assert another_process().signer().key_id == first
    assert rotate(core, policy) == 0
    # 2. In use; the one before still honoured, and able to sign.
    clock.advance(policy.publish)
    assert rotate(core, policy) == 2
    assert another_process().signer().key_id != first
    verified(another_process(), before)
    assert states(core) == [KeyState.ACTIVE] * 4
    # 3. Retired, still honoured.
    clock.advance(policy.overlap)
    assert rotate(core, policy) == 2
    verified(another_process(), before)
    # 4. Gone.
    clock.advance(policy.keep)
    assert len(another_process().public_keys()) == 2
    with pytest.raises(SignedTokenError):
        verified(another_process(), before)


@pytest.mark.either_database
def test_upkeep_asks_for_a_successor_and_makes_none_itself(
    core: Core, another_process: AnotherProcess, policy: RotationPolicy, clock: FrozenClock
) -> None:
    first = another_process().signer().key_id
    clock.advance(policy.max_age - policy.publish)
    complete_hierarchy(core, actor="upkeep")
    assert states(core) == [KeyState.ACTIVE] * 2
    assert core.schedule.raise_requests() >= 1
    assert core.rotations.under_way(KeyPurpose.TOKEN) is not None
    assert runner.run_until_idle(core.database, known_workflows(core), seconds=60, poll=0.05)
    assert states(core) == [KeyState.ACTIVE] * 2 + [KeyState.PRE_ACTIVATION] * 2
    clock.advance(policy.publish)
    complete_hierarchy(core, actor="upkeep")
    assert another_process().signer().key_id != first


@pytest.mark.parametrize("act", ["suspend", "mark_compromised"])
def test_a_key_that_is_withdrawn_takes_its_tokens_with_it_and_upkeep_brings_another(
    core: Core, another_process: AnotherProcess, policy: RotationPolicy, act: str
) -> None:
    keys = another_process()
    token, bad = signed(keys, "ES256"), keys.signer().key_id
    getattr(core.keys, act)(bad, actor="officer")
    with pytest.raises(SignedTokenError):
        verified(another_process(), token)
    with pytest.raises(NoActiveKey):
        another_process().signer()
    rotate(core, policy)
    verified(another_process(), signed(another_process(), "ES256"))


@pytest.mark.either_database
def test_no_token_fails_while_keys_rotate_under_load(
    core: Core, another_process: AnotherProcess, policy: RotationPolicy, clock: FrozenClock
) -> None:
    """Four processes issue, four others verify what they get, and the keys change twice beneath them.

    The clock of the rotation jumps over the days in between; the time that processes remember keys is real.
    """
    issuers, verifiers = [another_process() for _ in range(4)], [another_process() for _ in range(4)]
    over = threading.Event()
    used: set[str] = set()
    done = []

    def work(number: int) -> None:
        issuer, verifier, count = issuers[number], verifiers[-1 - number], 0
        while not over.wait(0.02):  # a hundred and more tokens a second
            algorithm = "ES256" if count % 8 else "RS256"
            token = signed(issuer, algorithm)
            verified(verifier, token)
            used.add(str(tokens.unverified(token).header["kid"]))
            count += 1
        done.append(count)

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, number) for number in range(4)]
        try:
            for _ in range(2):
                for pause in (policy.max_age - policy.publish, policy.publish, policy.overlap):
                    clock.advance(pause)
                    assert rotate(core, policy) == 2
                    time.sleep(STALENESS)
        finally:
            over.set()
        for one in working:
            one.result()
    assert len(used) == 6, "every key of three generations has signed"
    assert min(done) > 20
