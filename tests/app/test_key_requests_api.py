"""``/v1/keys``: custodians and auditors at a portal. The token lets them in; a signature decides."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sqlalchemy import update

from app.settings import Settings
from app.settings.sections import KeysSettings
from app.wiring import Core
from app.workflows import runner
from app.workflows.known import known_workflows
from identity.factors.model import FactorKind
from identity.operators.model import Role
from identity.provider.portals import PortalRegistration
from keys.approval_tables import key_requests
from keys.approvals import KeyAct, RequestState
from keys.model import KeyPurpose, KeyState
from tests.app.conftest import inhabited
from tests.app.test_signatories import CALLBACK, Desk
from tests.app.walker import Walker, appoint, give_passkey, log_in, person
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.custodians import KeyHolder
from tests.support.estate import Estate
from tests.support.tokens import bearer_token

pytestmark = pytest.mark.either_database

TWO_AGREE = KeysSettings(approvals=2)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keys": TWO_AGREE})


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return inhabited(tmp_path_factory.mktemp("estate"), _gather, keys=TWO_AGREE)


@dataclass
class Caller:
    """Somebody's program, with their access token."""

    api: InProcess
    walker: Walker
    holder: KeyHolder
    token: str

    def get(self, path: str) -> httpx.Response:
        return self.api.get(f"/v1/keys{path}", headers=self._headers())

    def post(self, path: str, body: object) -> httpx.Response:
        return self.api.post(f"/v1/keys{path}", headers=self._headers(), json=body)

    def decide(self, request: dict[str, Any], verdict: str = "approve") -> httpx.Response:
        """As a program does it that knows nothing but the answer of the API."""
        shown = self.get(f"/requests/{request['id']}").json()
        signature = self.holder.sign_text(shown["statements"][verdict])
        return self.post(
            f"/requests/{request['id']}/decisions", {"verdict": verdict, "signature": text(signature)}
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Team:
    core: Core
    api: InProcess
    portal: Any
    ani: Caller
    budi: Caller
    citra: Caller
    auditor: Caller
    citizen: Caller

    def asks(self, **parameters: str) -> dict[str, Any]:
        """Somebody at the shell asks."""
        given = parameters or {"key": self.core.keys.list()[0].id}
        made = self.core.dual_control.request(KeyAct.RETIRE, given, requester="cli:root")
        return {"id": made.id}

    def state(self, request: dict[str, Any]) -> RequestState:
        return self.core.dual_control.standing(request["id"]).state


@pytest.fixture
def team(estate: Estate, core: Core, api: InProcess, clock: FrozenClock) -> Team:
    team: Team = estate.remembered(core, clock, api)
    return team


def _gather(core: Core, api: InProcess, clock: FrozenClock) -> Team:
    registration = PortalRegistration(
        agency_id="dinas", name="Meja Kunci", redirect_uris=(CALLBACK,), scopes=frozenset({"openid", "keys"})
    )
    portal = core.provider.portals.add(registration, actor="test")
    callers = {}
    for serial, (name, role) in enumerate(
        {
            "auditor": Role.AUDITOR,
            "ani": Role.KEY_CUSTODIAN,
            "budi": Role.KEY_CUSTODIAN,
            "citra": Role.KEY_CUSTODIAN,
            "citizen": None,
        }.items(),
        start=1,
    ):
        walker = person(core, api, clock, serial, name=name.capitalize())
        if role is None or role is Role.AUDITOR:
            give_passkey(core, walker.person_id)
        if role is not None:
            appoint(core, walker, role)
        log_in(core, walker, (FactorKind.PASSKEY,))
        holder = KeyHolder(name, person_id=walker.person_id)
        if name in {"ani", "budi"}:  # citra holds the role and is not in the register
            core.custodians.change_freely(holder.joining, actor="cli:root")
        token = Desk(core, api, walker, portal).authorize(scope="openid keys")
        callers[name] = Caller(api, walker, holder, token)
    return Team(core, api, portal, **callers)


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def is_problem(answer: httpx.Response, status: int, slug: str) -> bool:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["type"].endswith(f"/problems/{slug}")  # type: ignore[no-any-return]


def test_two_signatures_over_what_the_api_shows_approve_a_request(team: Team) -> None:
    asked = team.asks()
    first = team.ani.decide(asked)
    assert (first.status_code, first.json()["state"], first.json()["approved_by"]) == (
        200,
        "waiting",
        ["ani"],
    )
    second = team.budi.decide(asked).json()
    assert (second["state"], second["approved_by"], second["needed"]) == ("ready", ["ani", "budi"], 2)
    assert team.core.dual_control.claim(asked["id"]).digest == second["digest"]


def test_a_custodian_asks_and_only_others_decide(team: Team) -> None:
    body = {"act": "rotate", "parameters": {"purpose": "seal", "owner": "dinas", "reason": "yearly"}}
    made = team.ani.post("/requests", body)
    assert (made.status_code, made.json()["requester"]) == (201, team.ani.walker.person_id)
    assert is_problem(team.ani.decide(made.json()), 409, "duties-separated")
    assert team.budi.decide(made.json(), "reject").json()["state"] == "rejected"
    assert is_problem(team.budi.decide(made.json(), "reject"), 409, "key-request-state")


def test_what_cannot_be_carried_out_is_not_put_before_custodians(team: Team) -> None:
    key = next(key.id for key in team.core.keys.list() if key.state is KeyState.ACTIVE)
    body = {"act": "destroy", "parameters": {"key": key}}
    assert is_problem(team.ani.post("/requests", body), 409, "rotation-refused")
    body = {"act": "rotate", "parameters": {"purpose": "seal", "owner": "nobody"}}
    assert is_problem(team.ani.post("/requests", body), 409, "rotation-refused")
    assert team.ani.get("/requests").json() == []


def test_an_auditor_reads_everything_and_changes_nothing(team: Team) -> None:
    asked = team.asks()
    assert team.auditor.get("/requests").json()[0]["id"] == asked["id"]
    shown = team.auditor.get(f"/requests/{asked['id']}").json()
    assert shown["statements"] == {}
    assert [one["name"] for one in team.auditor.get("/custodians").json()["custodians"]] == ["ani", "budi"]
    decision = {"verdict": "approve", "signature": text(b"x")}
    assert is_problem(team.auditor.post(f"/requests/{asked['id']}/decisions", decision), 403, "role-missing")
    body = {"act": "rotate", "parameters": {"purpose": "seal"}}
    assert is_problem(team.auditor.post("/requests", body), 403, "role-missing")


def test_keys_are_listed_with_public_facts_only(team: Team) -> None:
    listed = team.auditor.get("").json()
    assert {one["id"] for one in listed} == {key.id for key in team.core.keys.list()}
    for one in listed:
        assert set(one) == {
            "id", "purpose", "algorithm", "owner", "state", "public_key", "created_at", "not_after"
        }  # fmt: skip
        if one["public_key"]:
            raw = base64.urlsafe_b64decode(one["public_key"] + "=" * (-len(one["public_key"]) % 4))
            assert load_der_public_key(raw)


def test_nobody_else_gets_in(team: Team, core: Core) -> None:
    asked = team.asks()
    paths = ("", "/custodians", "/requests", f"/requests/{asked['id']}")
    made = core.agencies.add_client("dinas", name="system", scopes=["documents.read"], actor="test")
    system = bearer_token(team.api, made)
    for path in paths:
        assert is_problem(team.citizen.get(path), 403, "role-missing"), path
        bare = team.api.get(f"/v1/keys{path}", headers={"Authorization": f"Bearer {system}"})
        assert is_problem(bare, 403, "role-missing"), path
        assert is_problem(team.api.get(f"/v1/keys{path}"), 401, "access-token-missing"), path


def test_a_portal_that_was_not_let_do_this_learns_nothing(team: Team) -> None:
    token = Desk(team.core, team.api, team.ani.walker, team.portal).authorize(scope="openid")
    answer = team.api.get("/v1/keys/requests", headers={"Authorization": f"Bearer {token}"})
    assert is_problem(answer, 403, "access-token-scope")
    assert 'scope="keys"' in answer.headers["www-authenticate"]


def test_a_role_that_ended_a_moment_ago_opens_nothing(team: Team) -> None:
    operators = team.core.office.operators
    (grant,) = [one for one in operators.grants() if one.person_id == team.ani.walker.person_id]
    operators.end(grant.id, actor="cli:test")
    assert is_problem(team.ani.get("/requests"), 403, "role-missing")


def test_acting_wants_the_passkey_of_a_moment_ago(team: Team, clock: FrozenClock) -> None:
    asked = team.asks()
    walker, token = team.budi.walker, team.budi.token
    log_in(team.core, walker)  # by password and app
    team.budi.token = Desk(team.core, team.api, walker, team.portal).authorize(scope="openid keys")
    refused = team.budi.decide(asked)
    assert is_problem(refused, 401, "authentication-insufficient")
    assert 'acr_values="phr"' in refused.headers["www-authenticate"]
    team.budi.token = token
    assert team.budi.decide(asked).status_code == 200


def test_a_stolen_token_decides_nothing_without_the_key(team: Team) -> None:
    """The thief knows every earlier signature, too."""
    earlier, asked = team.asks(), team.asks()
    shown = team.ani.get(f"/requests/{earlier['id']}").json()
    replayed = text(team.ani.holder.sign_text(shown["statements"]["approve"]))
    thief = KeyHolder("ani")
    statement = team.ani.get(f"/requests/{asked['id']}").json()["statements"]["approve"]
    for signature in (replayed, text(thief.sign_text(statement)), text(b""), "!", "ä", "A"):
        body = {"verdict": "approve", "signature": signature}
        assert is_problem(team.ani.post(f"/requests/{asked['id']}/decisions", body), 422, "proof-refused")
    own = text(team.budi.holder.sign_text(statement))
    body = {"verdict": "approve", "signature": own}
    answer = team.budi.post(f"/requests/{asked['id']}/decisions", body)
    assert is_problem(answer, 422, "proof-refused"), "budi signed in ani's name"
    assert team.core.dual_control.standing(asked["id"]).approved_by == ()


def test_a_custodian_by_role_who_is_not_in_the_register_decides_nothing(team: Team) -> None:
    asked = team.asks()
    assert team.citra.get(f"/requests/{asked['id']}").json()["statements"] == {}
    body = {"verdict": "approve", "signature": text(b"x")}
    answer = team.citra.post(f"/requests/{asked['id']}/decisions", body)
    assert is_problem(answer, 403, "custodian-unknown")


def test_every_refusal_is_a_problem_document(team: Team, clock: FrozenClock) -> None:
    nowhere = "/requests/key-request-00"
    assert is_problem(team.ani.get(nowhere), 404, "key-request-unknown")
    assert is_problem(team.ani.get("/requests/x"), 422, "request-invalid")
    assert is_problem(team.ani.get("/requests?limit=9999"), 422, "request-invalid")
    for body in (
        {"act": "rotate", "parameters": {}},
        {"act": "rotate", "parameters": {"purpose": "seal", "force": "yes"}},
        {"act": "rotate", "parameters": {"purpose": "a\u202eb"}},
        {"act": "rotate", "parameters": {"purpose": "door"}},
        {"act": "destroy", "parameters": {"key": "seal-none"}},
        {"act": "compromise", "parameters": {"key": "seal-none", "since": "2026-01-01T00:00:00Z"}},
    ):
        assert is_problem(team.ani.post("/requests", body), 422, "key-request-invalid"), body
    for body in ({"act": "explode", "parameters": {}}, {"act": "rotate"}, [], "x"):  # type: ignore[assignment]
        assert is_problem(team.ani.post("/requests", body), 422, "request-invalid"), body
    changes = {"act": "custodians", "parameters": {"change": "remove", "custodian": "nobody"}}
    assert is_problem(team.ani.post("/requests", changes), 422, "custodian-invalid")
    asked = team.asks()
    with team.core.database.begin() as tx:
        tx.execute(update(key_requests).where(key_requests.c.id == asked["id"]).values(required=1))
    shown = team.ani.get(f"/requests/{asked['id']}").json()
    assert (shown["void"], shown["statements"]) == (True, {})
    body = {"verdict": "approve", "signature": text(b"x")}
    assert is_problem(team.ani.post(f"/requests/{asked['id']}/decisions", body), 409, "key-request-void")
    late = team.asks()
    clock.advance(timedelta(hours=team.core.settings.keys.approval_hours))
    assert json.loads(team.core.dual_control.standing(late["id"]).request.canonical())["act"] == "retire"
    assert team.state(late) is RequestState.LAPSED


def test_a_change_of_the_register_is_carried_out_when_it_is_approved(team: Team) -> None:
    joining = team.citra.holder.joining
    made = team.core.dual_control.request(KeyAct.CUSTODIANS, joining, requester="cli:root")
    team.ani.decide({"id": made.id})
    assert team.budi.decide({"id": made.id}).json()["state"] == "done"
    assert team.citra.decide(team.asks()).json()["approved_by"] == ["citra"]
    assert [one["name"] for one in team.ani.get("/custodians").json()["custodians"]] == [
        "ani",
        "budi",
        "citra",
    ]


def test_an_approved_rotation_is_followed_to_its_switch(team: Team, clock: FrozenClock) -> None:
    core = team.core
    clock.advance(timedelta(seconds=1))  # of two keys the one that was made later is the newer
    asked = {"id": core.rotations.request(KeyPurpose.SEAL, "dinas", requester="cli:root").id}
    assert team.auditor.get("/rotations").json() == []
    team.ani.decide(asked)
    team.budi.decide(asked)
    assert runner.run_until_idle(core.database, known_workflows(core), seconds=120, poll=0.05)
    (followed,) = team.auditor.get("/rotations").json()
    assert (followed["id"], followed["phase"], followed["owner"]) == (asked["id"], "switched", "dinas")
    assert followed["keys"] == [core.keys.newest(KeyPurpose.SEAL, "dinas").id]
    assert team.ani.get(f"/rotations/{asked['id']}").json() == followed
    assert is_problem(team.citizen.get("/rotations"), 403, "role-missing")
    unknown = team.auditor.get("/rotations/key-request-00")
    assert is_problem(unknown, 404, "rotation-unknown")
