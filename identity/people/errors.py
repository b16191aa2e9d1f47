"""What can be refused about a person. Leaves are named for the fact; no message holds anybody's data.

IdentityError
└── PersonError
    ├── PersonDataInvalid         a name, address, date or language that cannot be; ``field`` names which
    │   └── NikInvalid
    ├── PersonUnknown
    ├── PersonStateForbids        the state of the account does not allow the act
    ├── PersonChanged             somebody else changed the account at the same moment
    ├── CodeInvalid               unknown, used up or expired: the three are never told apart
    ├── NikTaken                  told to officers only
    ├── ProofingRefused           not confirmed, or confirmed for somebody else: never told apart
    ├── TooManyProofings
    ├── SimulatorForbidden        the stand-in for the population registry in production
    └── PrivacyRequestUnknown · PrivacyRequestClosed · PrivacyRequestRepeated
"""

from __future__ import annotations

from identity.errors import IdentityError


class PersonError(IdentityError):
    """Root of what the people slice raises on purpose."""


class PersonDataInvalid(PersonError):
    """``field`` is one of ``name``, ``email``, ``nik``, ``birth_date``, ``language``, ``details``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NikInvalid(PersonDataInvalid):
    """Not a number that the population administration could have given out. Never says the number."""

    def __init__(self, reason: str) -> None:
        super().__init__("nik", f"{reason} Compare it with the identity card, digit by digit.")


class PersonUnknown(PersonError):
    """No person has this id, or the account was erased."""

    def __init__(self) -> None:
        super().__init__("There is no such person here. Look the person up again.")


class PersonStateForbids(PersonError):
    """The state of the account does not allow the act."""


class PersonChanged(PersonError):
    """Several acts on one account came at the same moment, again and again."""

    def __init__(self) -> None:
        super().__init__("This account was being changed at the same moment. Try again.")


class CodeInvalid(PersonError):
    """A code that was never made, was used before, or is too old: the three are never told apart."""

    def __init__(self) -> None:
        super().__init__("This code is not valid, or not any more. Check it, or ask for a new one.")


class NikTaken(PersonError):
    """Another account holds this NIK. For the eyes of officers: everybody else gets ``ProofingRefused``.

    ``may_displace`` says whether that account was proofed by less than a visit, so that a visit outweighs it.
    """

    def __init__(self, *, may_displace: bool) -> None:
        remedy = (
            "If the citizen at the counter says that it is not theirs, open the account anyway."
            if may_displace
            else "It was opened at a counter: help the citizen back into it instead."
        )
        super().__init__(f"There is an account with this NIK already. {remedy}")
        self.may_displace = may_displace


class ProofingRefused(PersonError):
    """The registry did not confirm the facts, or they belong to another account."""

    def __init__(self) -> None:
        super().__init__(
            "The population registry could not confirm these details for this account. Compare them with the "
            "identity card, or have the account confirmed at a counter."
        )


class TooManyProofings(PersonError):
    """This account asked the population registry too often."""

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(
            "The population registry was asked too often for this account. Try again tomorrow, "
            "or have the account confirmed at a counter."
        )
        self.retry_after = retry_after


class SimulatorForbidden(PersonError):
    """The simulated population registry would confirm invented residents."""

    def __init__(self) -> None:
        super().__init__(
            "The simulated population registry is for development. Connect the real one, or none: "
            "people are then proofed at counters only."
        )


class PrivacyRequestUnknown(PersonError):
    """No request of this person has this id."""

    def __init__(self) -> None:
        super().__init__("There is no such privacy request. Look at the list of requests again.")


class PrivacyRequestClosed(PersonError):
    """The request was answered, refused or taken back before."""

    def __init__(self) -> None:
        super().__init__("This privacy request is closed. Make a new one if something is still missing.")


class PrivacyRequestRepeated(PersonError):
    """The same request is open already; its clock runs since then."""

    def __init__(self) -> None:
        super().__init__("The same request is open already and its deadline is running. Wait for its answer.")
