"""What has to be done again and again: finish abandoned documents, renew lists and keys, carry mails away.

Every job may run in several processes at the same time and be killed at any point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Final

import structlog

from app.mail import carrier_for, deliver_forever, deliver_once
from app.provisioning import complete_hierarchy, publish_trust
from app.wiring import Core
from app.workflows import runner
from app.workflows.known import known_workflows
from ca.foreign_lists import is_due, lists_elsewhere
from identity.mail.ports import Carrier
from identity.provider.logout import Logouts

log = structlog.get_logger(__name__)

ACTOR: Final = "upkeep"

_LAST_MAIL_SECONDS: Final = 10.0
"""For the mail that is under way when the process stops; it goes out again if that was too short."""

_LAST_WORKFLOW_SECONDS: Final = 15.0
"""For the step under way when the process stops; it is done again if that was too short."""
_WORKFLOW_SECONDS: Final = 60.0
"""For workflows in a single round; the next round goes on."""


def run_once(core: Core) -> int:
    """All jobs, each on its own: one that fails is logged and does not keep the others from running.

    Returns how many failed.
    """
    jobs: dict[str, Callable[[], object]] = {
        "finish_abandoned": core.sealing.finish_abandoned,
        "discard_leftovers": core.sealing.discard_leftovers,
        "renew_certificates": lambda: complete_hierarchy(core, actor=ACTOR),
        "rotate_data_keys": lambda: core.envelope.rotate_due(
            timedelta(days=core.settings.keys.data_key_days), actor=ACTOR
        ),
        "rewrap_data_keys": lambda: core.envelope.rewrap(actor=ACTOR),
        "change_custodians": core.dual_control.change_custodians_due,
        "request_rotations": core.schedule.raise_requests,
        "forget_mails": core.outbox.forget,
        "forget_lookups": core.office.lookups.discard_old,
        "forget_seen_tokens": core.callers.once.purge,
        "lapse_proposals": core.office.changes.lapse,
        "erase_people": core.rights.erase_due,
        "forget_unfinished_people": core.rights.retain,
        "privacy_requests": lambda: report_privacy_requests(core),
        "tell_portals": core.provider.logouts.deliver,
        "note_refreshes": core.provider.note_refreshes,
        "end_sessions": core.citizens.sessions.end_over,
        "forget_ended_logins": core.provider.forget_ended,
        "remind_of_recoveries": core.citizens.recoveries.remind,
        "forget_recoveries": core.citizens.recoveries.forget_over,
        "forget_logins_under_way": core.citizens.login.forget_over,
        "forget_delays": core.citizens.throttle.forget_over,
        "discard_factor_setups": core.citizens.factors.discard_expired,
        "publish_trust": lambda: publish_trust(core),
        "lists_elsewhere": lambda: report_lists_elsewhere(core),
        "anchor_audit": core.anchors.make_due,  # last, so that it vouches for what the others did
    }
    failed = 0
    for name, job in jobs.items():
        try:
            result = job()
        except Exception as cause:  # noqa: BLE001 - the next round tries again
            failed += 1
            log.error("upkeep_failed", job=name, error=type(cause).__name__)
        else:
            log.debug("upkeep_done", job=name, result=str(result))
    return failed


def report_lists_elsewhere(core: Core) -> int:
    """Say in time, and loudly afterwards, that a list must be signed anew where its key is, and brought here.

    Returns how many are due.
    """
    now, due = core.clock(), 0
    for authority, newest in lists_elsewhere(core.database.read):
        if not is_due(newest, now):
            continue
        due += 1
        ends = None if newest is None else newest.next_update
        if ends is None or ends <= now:
            log.error("list_elsewhere_ended", ca=authority.name, ended=ends and ends.isoformat())
        else:
            log.warning("list_elsewhere_due", ca=authority.name, ends=ends.isoformat())
    return due


def report_privacy_requests(core: Core) -> int:
    """Say in time, and loudly afterwards, that the law's hours run out for requests. Names nobody.

    Returns how many are overdue.
    """
    soon = core.rights.due_soon()
    overdue = [request for request in soon if request.is_overdue(core.clock())]
    if overdue:
        log.error("privacy_requests_overdue", count=len(overdue), since=overdue[0].due_at.isoformat())
    if len(soon) > len(overdue):
        log.warning("privacy_requests_due_soon", count=len(soon) - len(overdue))
    return len(overdue)


def run_round(core: Core, carrier: Carrier) -> bool:
    """All jobs once, one delivery of mails, and what workflows can do now; False when something failed."""
    delivered = deliver_once(core.outbox, carrier)
    failed = run_once(core)
    runner.run_until_idle(core.database, known_workflows(core), seconds=_WORKFLOW_SECONDS)
    return failed == 0 and delivered


def run_forever(core: Core, carrier: Carrier, stopping: threading.Event) -> None:
    """Rounds until ``stopping`` is set. A document whose worker died waits for its lease and one round.

    Mails have a thread of their own, and so have portals that are to be told of logouts: a stranger's server
    that hangs holds up nothing else, and who logs out is not left logged in until the next round. Workflows
    have one because an HSM may be slow, and because what was approved begins at once.
    """
    mails = threading.Thread(
        target=deliver_forever,
        args=(core.outbox, carrier, stopping),
        kwargs={"interval": core.settings.mail.poll_seconds},
        name="mail",
        daemon=True,
    )
    mails.start()
    portals = threading.Thread(
        target=tell_portals_forever,
        args=(core.provider.logouts, stopping),
        kwargs={"interval": float(core.settings.provider.logout_poll_seconds)},
        name="portals",
        daemon=True,
    )
    portals.start()
    workflows = threading.Thread(target=run_workflows, args=(core, stopping), name="workflows", daemon=True)
    workflows.start()
    while not stopping.is_set():
        run_once(core)
        stopping.wait(core.settings.worker.interval_seconds)
    mails.join(_LAST_MAIL_SECONDS)
    portals.join(_LAST_MAIL_SECONDS)
    workflows.join(_LAST_WORKFLOW_SECONDS)


def run_workflows(core: Core, stopping: threading.Event) -> None:
    """Go on with rotations and the like until ``stopping`` is set, in the one process that is to do it."""
    runner.run_forever(
        core.database,
        known_workflows(core),
        stopping,
        interval=float(core.settings.worker.workflow_poll_seconds),
    )


def tell_portals_forever(logouts: Logouts, stopping: threading.Event, *, interval: float) -> None:
    """Look every ``interval`` seconds for portals that are to be told of a logout, until ``stopping`` is set.

    A look and not a signal: the login may have ended in another process. The rounds look too.
    """
    while not stopping.is_set():
        try:
            logouts.deliver()
        except Exception as cause:  # noqa: BLE001 - the next look tries again
            log.error("logout_notices_failed", error=type(cause).__name__)
        stopping.wait(interval)


def start(core: Core, *, closing: ExitStack) -> None:
    """Run the rounds on a thread beside the server; ``closing`` stops it after the round under way."""
    stopping = threading.Event()
    thread = threading.Thread(
        target=run_forever, args=(core, carrier_for(core.settings), stopping), name="upkeep", daemon=True
    )
    closing.callback(thread.join, _LAST_MAIL_SECONDS + _LAST_WORKFLOW_SECONDS)
    closing.callback(stopping.set)
    thread.start()
