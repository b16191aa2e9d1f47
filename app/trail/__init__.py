"""What the audit trail proves, and to whom: its chain, the times that vouch for its head, and its export."""
