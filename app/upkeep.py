"""What has to be done again and again: finish abandoned documents, renew lists and certificates.

Every job may run in several processes at the same time and be killed at any point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import structlog

from app.provisioning import complete_hierarchy, publish_trust
from app.wiring import Core

log = structlog.get_logger(__name__)

ACTOR: Final = "upkeep"


def run_once(core: Core) -> int:
    """All jobs, each on its own: one that fails is logged and does not keep the others from running.

    Returns how many failed.
    """
    jobs: dict[str, Callable[[], object]] = {
        "finish_abandoned": core.sealing.finish_abandoned,
        "discard_leftovers": core.sealing.discard_leftovers,
        "renew_certificates": lambda: complete_hierarchy(core, actor=ACTOR),
        "rewrap_data_keys": lambda: core.envelope.rewrap(actor=ACTOR),
        "publish_trust": lambda: publish_trust(core),
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


def run_forever(core: Core, stopping: threading.Event) -> None:
    """Rounds until ``stopping`` is set. A document whose worker died waits for its lease and one round."""
    while not stopping.is_set():
        run_once(core)
        stopping.wait(core.settings.worker.interval_seconds)


def start(core: Core, *, closing: ExitStack) -> None:
    """Run the rounds on a thread beside the server; ``closing`` stops it after the round under way."""
    stopping = threading.Event()
    thread = threading.Thread(target=run_forever, args=(core, stopping), name="upkeep", daemon=True)
    closing.callback(thread.join, 10.0)
    closing.callback(stopping.set)
    thread.start()
