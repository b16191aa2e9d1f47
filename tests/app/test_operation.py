"""What is watched: metrics that exist, rules that fire in time, pictures that ask for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.expiries import Expiry, ExpiryKind
from app.main import build_app
from app.provisioning import publish_trust
from app.readings import soonest_seals
from app.wiring import Core
from ca.model import ProfileName, RevocationReason
from ca.tables import Certificates
from keys.errors import KeyNotActive
from keys.model import KeyPurpose, KeyState
from tests.ca.test_clockwatch import Hands, Source, watch
from tests.support.asgi import InProcess
from tests.support.clock import FrozenClock
from tests.support.needs import ROOT, requires, tool_path

OPERATION = ROOT / "docs" / "operation"
RULES = OPERATION / "alerts.yaml"
NOT_OURS = {"up"}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def application(core: Core) -> Iterator[Any]:
    with ExitStack() as closing:
        yield build_app(core, closing=closing)


@pytest.fixture
def api(application: Any) -> InProcess:
    return InProcess(application)


def _samples(api: InProcess) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(api.get("/metrics").text)
        for sample in family.samples
    }


def _named(samples: Samples, name: str, **labels: str) -> dict[str, float]:
    """By the label ``name`` of each."""
    return {
        dict(found)["name"]: value
        for (metric, found), value in samples.items()
        if metric == name and labels.items() <= dict(found).items()
    }


# --- what is told -------------------------------------------------------------------------------------


def test_the_seconds_to_every_end_are_told(core: Core, api: InProcess, clock: FrozenClock) -> None:
    publish_trust(core)
    first = _samples(api)
    certificates = _named(first, "absah_expiry_seconds", kind="certificate")
    with core.database.read() as tx:
        known = {record.name: record for name in certificates if (record := Certificates(tx).by_name(name))}
    assert set(known) == set(certificates)
    assert {record.profile.value for record in known.values()} == {
        "root", "issuing", "seal", "tsu", "ocsp", "receipt",
    }  # fmt: skip
    for name, seconds in certificates.items():
        assert seconds == (known[name].not_after - clock()).total_seconds()
    lists = _named(first, "absah_expiry_seconds", kind="list")
    assert set(lists) == {"root-1", "issuing-1"}
    assert lists["issuing-1"] == core.settings.ca.crl_hours * 3600
    clock.advance(timedelta(hours=1))
    later = _samples(api)
    for name, seconds in {**certificates, **lists}.items():
        assert _named(later, "absah_expiry_seconds")[name] == seconds - 3600
    assert _named(later, "absah_list_age_seconds") == {"root-1": 3600, "issuing-1": 3600}


def test_a_certificate_with_a_successor_and_a_key_that_retired_are_told_no_more(
    core: Core, api: InProcess, clock: FrozenClock
) -> None:
    old = core.hierarchy.certify_seal(
        "dinas", organisation="Dinas Contoh", organization_identifier="NTRID-1", actor="test"
    )
    clock.advance(timedelta(days=1))
    new = core.hierarchy.certify_seal(
        "dinas", organisation="Dinas Contoh", organization_identifier="NTRID-2", actor="test"
    )
    told = _named(_samples(api), "absah_expiry_seconds", kind="certificate", owner="dinas")
    assert set(told) == {new.name}
    core.keys.deactivate(new.key_id)
    told = _named(_samples(api), "absah_expiry_seconds", kind="certificate", owner="dinas")
    assert set(told) == {old.name}


def test_seals_are_told_once_per_agency_and_kind_whatever_their_number(clock: FrozenClock) -> None:
    now = clock()
    seals = [
        Expiry(kind, "seal", f"{kind}-{number}", agency, now, now + timedelta(days=days))
        for kind in (ExpiryKind.CERTIFICATE, ExpiryKind.KEY)
        for agency in ("dinas", "pajak")
        for number, days in enumerate((30, 10, 20))
    ]
    own = [
        Expiry(ExpiryKind.CERTIFICATE, "ocsp", f"ocsp-{number}", "", now, now + timedelta(days=9))
        for number in range(3)
    ]
    told = soonest_seals(seals + own)
    assert [entry for entry in told if not entry.owner] == own
    assert {(entry.kind, entry.owner, entry.at - now) for entry in told if entry.owner} == {
        (kind, agency, timedelta(days=10))
        for kind in (ExpiryKind.CERTIFICATE, ExpiryKind.KEY)
        for agency in ("dinas", "pajak")
    }


@pytest.mark.either_database
def test_signatures_are_told_per_key_and_attempts_out_of_state_by_reason(core: Core, api: InProcess) -> None:
    key = core.keys.newest(KeyPurpose.SEAL, "dinas")
    for _ in range(3):
        core.keys.handle(key.id).sign(b"x")
    core.keys.suspend(key.id)
    with pytest.raises(KeyNotActive):
        core.keys.handle(key.id)
    shown = api.get("/metrics").text
    assert f'absah_key_uses_total{{key="{key.id}",purpose="seal"}} 3.0' in shown
    assert 'absah_key_refusals_total{purpose="seal",reason="suspended"} 1.0' in shown
    for reason in (*KeyState, "expired", "purpose", "limit"):  # from the first scrape on, so that 0 → 1 shows
        said = f'absah_key_refusals_total{{purpose="root-ca",reason="{reason}"}} 0.0' in shown
        assert said is (reason is not KeyState.ACTIVE)


def test_the_way_from_a_revocation_to_its_list_is_told_and_grows_while_there_is_none(
    core: Core, api: InProcess, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_trust(core)
    clock.advance(timedelta(seconds=10))
    with core.database.read() as tx:
        seal = Certificates(tx).of_profile(ProfileName.SEAL)[0]
    core.revocation.revoke(seal.serial, RevocationReason.CERTIFICATE_HOLD, actor="test")
    assert _named(_samples(api), "absah_revocation_lag_seconds") == {"root-1": 0, "issuing-1": 0}
    with monkeypatch.context() as dying:
        dying.setattr(core.revocation.lists, "issue_for", lambda _: None)  # killed between the two commits
        clock.advance(timedelta(seconds=10))
        core.revocation.release(seal.serial, actor="test")
    clock.advance(timedelta(seconds=70))
    assert _named(_samples(api), "absah_revocation_lag_seconds")["issuing-1"] == 70
    core.revocation.lists.issue("issuing-1")
    clock.advance(timedelta(hours=1))
    assert _named(_samples(api), "absah_revocation_lag_seconds")["issuing-1"] == 70


def test_a_source_that_fails_takes_no_other_with_it(core: Core, api: InProcess) -> None:
    with core.database.begin() as tx:
        tx.exec_driver_sql("DROP TABLE crls")
    shown = api.get("/metrics").text
    assert "absah_expiry_seconds" not in shown
    assert "absah_mail_waiting" in shown
    assert "absah_key_requests" in shown


# --- what is asked ------------------------------------------------------------------------------------


def _asked(expression: str) -> set[str]:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\{[^}]*\}|\bby\s*\([^)]*\)', "", expression)
    return set(re.findall(r"\b(?:absah_\w+|up)\b", bare))


def _expressions() -> dict[str, list[str]]:
    rules = yaml.safe_load(RULES.read_text())
    panels = json.loads((OPERATION / "dashboard.json").read_text())["panels"]
    return {
        "alerts": [rule["expr"] for group in rules["groups"] for rule in group["rules"]],
        "dashboard": [target["expr"] for panel in panels for target in panel.get("targets", ())],
    }


@pytest.mark.either_database
@pytest.mark.parametrize("where", ["alerts", "dashboard"])
def test_every_metric_that_is_asked_for_is_there(core: Core, where: str) -> None:
    watched = watch(Hands(), Source(0.0))
    watched.measure()
    with ExitStack() as closing:
        api = InProcess(build_app(replace(core, clock_watch=watched), closing=closing))
        _require_metrics(core, api, where)


def _require_metrics(core: Core, api: InProcess, where: str) -> None:
    publish_trust(core)
    core.keys.handle(core.keys.newest(KeyPurpose.SEAL, "dinas").id).sign(b"x")
    api.get("/healthz")  # so that a request was measured
    shown = api.get("/metrics").text
    there = {sample.name for family in text_string_to_metric_families(shown) for sample in family.samples}
    there |= {f"{name}_total" for name in re.findall(r"# TYPE (\w+)_total counter", shown)}
    expressions = _expressions()[where]
    assert len(expressions) > 10
    for expression in expressions:
        assert _asked(expression), expression
        assert _asked(expression) - NOT_OURS <= there, expression


@pytest.mark.either_database
def test_every_metric_of_ours_is_explained(core: Core, api: InProcess) -> None:
    publish_trust(core)
    api.get("/healthz")
    families = text_string_to_metric_families(api.get("/metrics").text)
    names = {family.name for family in families if family.name.startswith("absah_")}
    there = {name for name in names if not name.endswith("_created")}  # when the library began to count
    explained = set(re.findall(r"`(absah_\w+?)(?:_total)?[`{]", (OPERATION / "README.md").read_text()))
    assert there - explained == set()


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    names = []
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            names.append(rule["alert"])
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert {"summary", "action"} == set(rule["annotations"])
    assert len(set(names)) == len(names)


def test_commands_that_rules_name_exist() -> None:
    from typer.main import get_command

    from app.cli.main import cli

    named = set(re.findall(r"`absah ([a-z]+(?: [a-z]+)?)", RULES.read_text()))
    assert named
    for words in named:
        command: Any = get_command(cli)
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]


@requires("promtool")
def test_prometheus_accepts_the_rules() -> None:
    said = subprocess.run(
        [tool_path("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


# --- the rules at work --------------------------------------------------------------------------------

NOT_RENEWED = 'ALERTS{alertname="AbsahRevocationListNotRenewed",alertstate="firing",name="issuing-1"}'


class _Watched:
    """What Prometheus sees of the service, a scrape every so many hours."""

    def __init__(self, api: InProcess, clock: FrozenClock, *, hours: int) -> None:
        self._api = api
        self._clock = clock
        self._hours = hours
        self.step = timedelta(hours=hours)
        self.scrapes: list[Samples] = []

    def pass_time(self, span: timedelta, *, doing: Any = None) -> None:
        for _ in range(span // self.step):
            if doing is not None:
                doing()
            self.scrapes.append(_samples(self._api))
            self._clock.advance(self.step)

    def firing(self, expression: str, folder: Path) -> list[bool]:
        """Whether ``expression`` had a result at each scrape, as Prometheus's own evaluator says."""
        names = sorted(
            {key for scrape in self.scrapes for key in scrape if key[0].startswith("absah_")}, key=str
        )
        series = [
            {
                "series": name + "{" + ",".join(f'{k}="{v}"' for k, v in sorted(labels)) + "}",
                "values": " ".join(str(scrape.get((name, labels), "_")) for scrape in self.scrapes),
            }
            for name, labels in names
        ]
        tests = [
            {
                "expr": f"count({expression}) or vector(0)",
                "eval_time": f"{number * self._hours}h",
                "exp_samples": [{"labels": "{}", "value": 0}],
            }
            for number in range(len(self.scrapes))
        ]
        file = folder / "test.yaml"
        file.write_text(
            yaml.safe_dump(
                {
                    "rule_files": [str(RULES)],
                    "evaluation_interval": f"{self._hours}h",
                    "tests": [
                        {"interval": f"{self._hours}h", "input_series": series, "promql_expr_test": tests}
                    ],
                }
            )
        )
        said = subprocess.run(
            [tool_path("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False
        )
        words = said.stdout + said.stderr
        fired = {
            _minutes(match) // (60 * self._hours)
            for match in re.findall(r"time: (\S+),\s*exp:.*?\n?\s*got:.*? 1E\+00", words)
        }
        assert fired or said.returncode == 0, words
        return [number in fired for number in range(len(self.scrapes))]


def _minutes(written: str) -> int:
    units = {"w": 10_080, "d": 1_440, "h": 60, "m": 1, "s": 0}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([wdhms])", written))


@pytest.mark.either_database
@requires("promtool")
def test_killing_the_job_that_renews_lists_raises_the_alert_before_the_list_ends(
    core: Core, api: InProcess, clock: FrozenClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real rules, evaluated by Prometheus over what /metrics really said."""
    monkeypatch.setattr(core.revocation.lists, "_max_staleness", 0.0)  # an hour here is a moment of ours
    publish_trust(core)
    lists = core.revocation.current_crl("issuing-1")
    watched = _Watched(api, clock, hours=4)
    # 1. A life of a list with the job alive: silence.
    watched.pass_time(lists.next_update - lists.this_update, doing=lambda: publish_trust(core))
    # 2. The job is killed. Nothing else renews what nobody fetches.
    healthy = len(watched.scrapes)
    ends = core.revocation.current_crl("issuing-1").next_update
    killed_at = clock()
    watched.pass_time(ends - killed_at + 2 * watched.step)
    fired = watched.firing(NOT_RENEWED, tmp_path)
    assert not any(fired[:healthy])
    first = fired.index(True)
    raised_at = killed_at + (first - healthy) * watched.step
    assert ends - raised_at > timedelta(hours=24), "a team needs a day to answer"
    assert all(fired[first:]), "it stays until somebody answers it"


@pytest.mark.either_database
@requires("promtool")
def test_asking_a_compromised_key_to_sign_raises_an_alert(
    core: Core, api: InProcess, clock: FrozenClock, tmp_path: Path
) -> None:
    rule = 'increase(absah_key_refusals_total{reason=~"compromised|destroyed|purpose"}[2h]) > 0'
    assert rule.replace("2h", "10m") in RULES.read_text()
    watched = _Watched(api, clock, hours=1)
    key = core.keys.newest(KeyPurpose.SEAL, "dinas")
    watched.pass_time(2 * watched.step)
    core.keys.mark_compromised(key.id)
    with pytest.raises(KeyNotActive):
        core.keys.handle(key.id)
    watched.pass_time(2 * watched.step)
    assert watched.firing(rule, tmp_path) == [False, False, True, True]


def test_a_list_that_is_signed_elsewhere_is_told_apart_because_no_job_renews_it(
    core: Core, api: InProcess
) -> None:
    publish_trust(core)
    with core.database.begin() as tx:  # as if the root's key were kept offline
        tx.exec_driver_sql("UPDATE certificates SET key_id = 'elsewhere-1' WHERE name = 'root-1'")
    told = _samples(api)
    assert set(_named(told, "absah_expiry_seconds", kind="list", use="elsewhere")) == {"root-1"}
    assert set(_named(told, "absah_expiry_seconds", kind="list", use="list")) == {"issuing-1"}
    rules = {
        rule["alert"]: rule["expr"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
    }
    assert 'use!="elsewhere"' in rules["AbsahRevocationListNotRenewed"]
    for alert in ("AbsahListSignedElsewhereDue", "AbsahListSignedElsewhereEnds"):
        assert 'use="elsewhere"' in rules[alert]
