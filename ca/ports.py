"""What certification needs from others; custody's ports under the names this slice uses."""

from __future__ import annotations

from keys.ports import AuditTrail, Begin, Clock

__all__ = ["AuditTrail", "Begin", "Clock"]
