"""What the provider forgets in time: answered flows, ended grants, delivered notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from identity.ports import Begin, Clock
from identity.provider.flow_tables import FlowTable
from identity.provider.grant_tables import GrantTable, LogoutTable, RefreshTable, RevokedTokenTable
from identity.provider.model import ProviderPolicy
from identity.provider.tables import ConsentTable

_HOUR: Final = timedelta(hours=1)
_LONGEST_LOGIN: Final = timedelta(days=30)
"""More than the absolute limit of any session: see :class:`identity.login.model.SessionPolicy`."""


def forget_ended(*, begin: Begin, clock: Clock, policy: ProviderPolicy) -> None:
    """One round; meant to be repeated, by any number of processes."""
    now = clock()
    kept_since = now - policy.keeps_ended
    with begin() as tx:
        FlowTable(tx).prune(expired_before=now - _HOUR)
        RefreshTable(tx).forget_successors(used_before=now - policy.refresh_grace)
        GrantTable(tx).prune(unused_before=now - _HOUR, ended_before=kept_since)
        RevokedTokenTable(tx).prune(expired_before=now - _HOUR)
        ConsentTable(tx).prune(withdrawn_before=kept_since)
        LogoutTable(tx).prune(ended_before=kept_since, begun_before=now - _LONGEST_LOGIN)
