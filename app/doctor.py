"""Examines an installation, part by part. A part that cannot be examined is a finding, never a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from app import schema
from app.custody import token_store
from app.database import Database, sqlite_file
from app.errors import ApplicationError
from app.findings import Finding, Health
from app.machine import (
    breached_finding,
    clock_finding,
    disk_finding,
    font_finding,
    kek_finding,
    other_authority,
    page_worker_finding,
    python_finding,
    settings_findings,
    storage_finding,
    token_finding,
    workflow_finding,
)
from app.mail import carrier_for
from app.register import read_published_trust
from app.settings import Settings
from app.wiring import Core, build_core, online_root
from ca.foreign_lists import is_due, lists_elsewhere
from ca.model import CertificateStatus, ProfileName
from ca.tables import Certificates
from identity.mail.errors import MailServerUnavailable
from keys.errors import KeyCustodyError
from keys.model import KeyState
from keys.stores.pkcs11.store import Pkcs11KeyStore

__all__ = [
    "Finding",
    "Health",
    "certificate_findings",
    "clock_finding",
    "examine",
    "other_authority",
    "root_finding",
]

_SOON: Final = timedelta(days=30)
_MAIL_WAITS: Final = timedelta(minutes=15)


def examine() -> list[Finding]:
    """Everything that can be examined with what works."""
    findings = [python_finding()]
    try:
        settings = Settings.load()
    except ApplicationError as cause:
        return [*findings, Finding(Health.BROKEN, "settings", str(cause), "Correct the variable.")]
    findings.extend(settings_findings(settings))
    findings.append(_guarded("disk", lambda: disk_finding(settings)))
    if settings.keys.in_software:
        findings.append(_guarded("key-encryption key", lambda: kek_finding(settings)))
    token = token_store(settings)
    if token is not None:
        findings.append(_guarded("token", lambda: token_finding(settings, token)))
    if settings.identity.breached_passwords_file is not None:
        findings.append(_guarded("breached passwords", lambda: breached_finding(settings)))
    findings.append(_guarded("fonts", font_finding))
    findings.append(_guarded("page worker", page_worker_finding))
    file = sqlite_file(settings.database_url)
    if file is not None and not file.exists():
        return [*findings, Finding(Health.BROKEN, "database", f"{file} does not exist", "Run `absah init`.")]
    findings.append(_guarded("storage", lambda: storage_finding(settings)))
    with ExitStack() as closing:
        try:
            database = Database.from_settings(settings)
            closing.callback(database.close)
            schema.require_current(database)
        except ApplicationError as cause:
            return [*findings, Finding(Health.BROKEN, "database", str(cause), "Run `absah init`.")]
        findings.append(Finding(Health.OK, "database", f"schema {schema.head()}"))
        findings.append(_guarded("workflows", lambda: workflow_finding(database)))
        findings.append(_guarded("clock", lambda: clock_finding(settings, database)))
        try:
            core = build_core(settings, closing=closing)
        except (ApplicationError, KeyCustodyError) as cause:
            return [*findings, Finding(Health.BROKEN, "core", str(cause), "Correct what is named above.")]
        findings.append(_guarded("keys", lambda: _keys(core)))
        findings.append(_guarded("states of keys", lambda: _key_states(core)))
        findings.append(_guarded("root", lambda: root_finding(core)))
        findings.append(_guarded("custodians", lambda: _custodians(core)))
        if token is not None:
            findings.append(_guarded("keys in the token", lambda: _keys_in_token(core, token)))
        findings.extend(certificate_findings(core))
        findings.extend(_guarded("time", partial(other_authority, one)) for one in core.time_stamping.foreign)
        findings.append(_guarded("mail", lambda: _mail(core)))
        findings.append(_guarded("audit trail", lambda: _audit(core)))
    return findings


def _guarded(part: str, examination: Callable[[], Finding]) -> Finding:
    try:
        return examination()
    except Exception as cause:  # noqa: BLE001 - the report must reach its end
        return Finding(Health.BROKEN, part, f"{cause}" or type(cause).__name__, "See the message.")


def _keys(core: Core) -> Finding:
    core.require_initialised()
    core.keys_answer()
    return Finding(Health.OK, "keys", f"{len(core.keys.list())} in custody; receipt and token keys sign")


def _key_states(core: Core) -> Finding:
    """States are rows, and whoever writes to the database could let a stopped key sign. The trail tells."""
    wrong = core.keys.unexplained()
    if not wrong:
        return Finding(Health.OK, "states of keys", f"{len(core.keys.list())}, each as the audit trail says")
    told = ", ".join(
        f"{key.id} is {key.state}, and the last act on it was {act or 'none'}" for key, act in wrong
    )
    remedy = (
        "Somebody changed the database: stop what is not to sign (`absah keys compromise`), find out who."
    )
    return Finding(Health.BROKEN, "states of keys", told, remedy)


def root_finding(core: Core) -> Finding:
    """Where the root's key is. In development it is here, and that is a stand-in like the others."""
    words = online_root(core)
    if words is None:
        return Finding(Health.OK, "root", "its key is not in this service")
    cause, _, remedy = words.partition("; ")
    return Finding(Health.WARNING, "root", cause, f"Before production: {remedy}.")


def _custodians(core: Core) -> Finding:
    register, serving = core.custodians.register(), core.dual_control.serving()
    found, needed = len(serving), core.dual_control.policy.required
    if gone := [one.name for one in register.custodians if one not in serving]:
        return Finding(
            Health.WARNING,
            "custodians",
            f"no longer hold the role, and decide nothing: {', '.join(gone)}",
            "Have the others remove them: `absah keys custodian remove NAME`.",
        )
    told = f"{found} registered, {needed} {'has' if needed == 1 else 'have'} to agree to acts on keys"
    if found < needed:
        remedy = "Add custodians: `absah keys custodian add`. Until then no key is rotated or destroyed."
        return Finding(Health.WARNING, "custodians", told, remedy)
    if found == needed > 0:
        remedy = "Add one more: nobody decides on their own request."
        return Finding(Health.WARNING, "custodians", told, remedy)
    return Finding(Health.OK, "custodians", told)


def _keys_in_token(core: Core, token: Pkcs11KeyStore) -> Finding:
    """Nothing is removed from here: a register restored from an old backup does not know its newest keys."""
    alive = {
        key.id for key in core.keys.list() if key.store == token.name and key.state is not KeyState.DESTROYED
    }
    whole, halves = token.inventory()
    if missing := alive - whole:
        return Finding(
            Health.BROKEN,
            "keys in the token",
            f"missing: {', '.join(sorted(missing))}",
            "Is this the right token? Else restore it from its maker's backup.",
        )
    if strays := (whole | halves) - alive:
        return Finding(
            Health.WARNING,
            "keys in the token",
            f"unknown to the register: {', '.join(sorted(strays))}",
            "Left by a crash, or another installation's. Remove ours with `pkcs11-tool --delete-object`, "
            "unless the register was restored from a backup that is older than they are.",
        )
    return Finding(Health.OK, "keys in the token", f"{len(alive)}, all there")


def certificate_findings(core: Core) -> Iterator[Finding]:
    now = datetime.now(UTC)
    with core.database.read() as tx:
        register = Certificates(tx)
        newest = {
            (record.profile, record.owner): record
            for profile in ProfileName
            for record in register.of_profile(profile)
            if record.status is CertificateStatus.GOOD
        }
    for (profile, owner), record in newest.items():
        part = f"certificate {profile} {owner}".strip()
        remedy = _REMEDIES.get(profile, "Run `absah init`; it renews them.").format(owner=owner)
        if record.not_after <= now:
            yield Finding(Health.BROKEN, part, f"expired {record.not_after:%Y-%m-%d}", remedy)
        elif record.not_after - now < _SOON:
            yield Finding(Health.WARNING, part, f"ends {record.not_after:%Y-%m-%d}", remedy)
        else:
            yield Finding(Health.OK, part, f"until {record.not_after:%Y-%m-%d}")
    yield from _lists(core, now)


_REMEDIES: Final = {
    ProfileName.SEAL: "Run `absah agency certify {owner}`.",
    ProfileName.ISSUING: "Run `absah keys rotate issuing-ca`; custodians have to agree.",
    ProfileName.ROOT: "Plan the ceremony of its successor: docs/runbooks/root-ceremony.md.",
    ProfileName.SUPERIOR: "Get its successor from whoever runs it, and bring it by `absah ca install`.",
}
"""Others are the service's own, and renewed as a matter of course."""


def _lists(core: Core, now: datetime) -> Iterator[Finding]:
    """What is signed elsewhere cannot be renewed here, however often somebody tries."""
    elsewhere = {authority.name: newest for authority, newest in lists_elsewhere(core.database.read)}
    for name, newest in elsewhere.items():
        ended = newest is None or newest.next_update <= now
        until = "none is here" if newest is None else f"until {newest.next_update:%Y-%m-%d %H:%M} UTC"
        yield Finding(
            Health.BROKEN if ended else Health.WARNING if is_due(newest, now) else Health.OK,
            f"revocation list {name}",
            f"{until}, signed where its key is",
            "Have a new one signed there (docs/runbooks/root-ceremony.md), then `absah ca install LIST`."
            if is_due(newest, now)
            else "",
        )
    for entry in read_published_trust(core.database.read).crls:
        if entry.issuer in elsewhere:
            continue
        late = entry.next_update <= now
        yield Finding(
            Health.BROKEN if late else Health.OK,
            f"revocation list {entry.issuer}",
            f"until {entry.next_update:%Y-%m-%d %H:%M} UTC",
            "Run `absah worker`; it renews lists." if late else "",
        )


def _mail(core: Core) -> Finding:
    standing, now = core.outbox.standing(), core.clock()
    where = core.settings.mail.host or f"folder {core.settings.mail_dir}"
    found = f"{where}; {standing.waiting} waiting, {standing.dead} given up"
    try:
        with carrier_for(core.settings).round():
            pass
    except MailServerUnavailable as cause:
        return Finding(
            Health.BROKEN,
            "mail",
            f"{found}; the server does not take mail: {cause.reason}",
            "Look at the ABSAH_MAIL_ settings and the server. Nothing is lost meanwhile.",
        )
    if standing.dead:
        return Finding(Health.WARNING, "mail", found, "See why with `absah mail list`.")
    if standing.oldest is not None and now - standing.oldest > _MAIL_WAITS:
        return Finding(
            Health.WARNING,
            "mail",
            f"{found}, since {standing.oldest:%Y-%m-%d %H:%M} UTC",
            "Is `absah worker`, or a server with upkeep, running?",
        )
    return Finding(Health.OK, "mail", found)


def _audit(core: Core) -> Finding:
    with core.database.read() as tx:
        head = core.audit.head(tx)
    return Finding(Health.OK, "audit trail", f"{head.sequence} entries; `absah audit verify` recomputes them")
