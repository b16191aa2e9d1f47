"""What is refused to operators and about their roles. Leaves are named for the fact.

IdentityError
└── OperatorError
    ├── RoleMissing           this person holds no role that reaches this far
    ├── RoleConflict          duties that nobody may unite in one person
    ├── RoleHeld              the person holds this role already
    ├── GrantUnknown          no grant has this id, or it has ended
    ├── GrantNotOpen          the grant was confirmed, or ended, before
    ├── FourEyesNeeded        the second pair of eyes must be somebody else's
    ├── ActsOnOneself         nobody may do this for themselves
    ├── OperatorUnfit         not a person who can hold a role
    └── SearchesDelayed       this operator asked for too many accounts
"""

from __future__ import annotations

from identity.errors import IdentityError


class OperatorError(IdentityError):
    """Root of what concerns operators."""


class RoleMissing(OperatorError):
    """This person holds no role that reaches this far."""

    def __init__(self) -> None:
        super().__init__("Your roles do not include this task. Ask whoever administers the service.")


class RoleConflict(OperatorError):
    """``held`` and ``wanted`` are duties that check each other."""

    def __init__(self, held: str, wanted: str) -> None:
        super().__init__(
            f"Whoever is {held} cannot be {wanted} too: one checks the other. End the first role, "
            "or choose another person."
        )
        self.held = held
        self.wanted = wanted


class RoleHeld(OperatorError):
    """There is nothing to grant."""

    def __init__(self) -> None:
        super().__init__("This person holds this role already, or it waits for a confirmation.")


class GrantUnknown(OperatorError):
    """No grant has this id, or it has ended."""

    def __init__(self) -> None:
        super().__init__("There is no such role to change. `absah operator list` shows those there are.")


class GrantNotOpen(OperatorError):
    """The grant does not wait for anybody."""

    def __init__(self) -> None:
        super().__init__("This role does not wait for a confirmation. Look at the list again.")


class FourEyesNeeded(OperatorError):
    """Whoever proposed a role, or is to hold it, cannot be the one who confirms it."""

    def __init__(self) -> None:
        super().__init__("Somebody else has to confirm this: neither who proposed it nor who is to hold it.")


class ActsOnOneself(OperatorError):
    """An act of office on one's own account, client or role."""

    def __init__(self) -> None:
        super().__init__("Nobody may do this for themselves. Ask a colleague.")


class OperatorUnfit(OperatorError):
    """A role needs an active account of somebody whom an officer or the registry knows."""


class SearchesDelayed(OperatorError):
    """This operator searched for more accounts than the task takes. ``retry_after`` in seconds."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(f"Too many searches for people's accounts. Try again in {retry_after} s.")
        self.retry_after = retry_after
