"""The citizen's way in, as one router: see the modules that it is made of."""

from __future__ import annotations

from fastapi import APIRouter

from identity.factors.service import Factors
from identity.login.recovery import Recoveries
from identity.login.service import Login
from identity.people.service import People
from identity.ports import Clock
from identity.web.address import add_address
from identity.web.enrolment import add_enrolment
from identity.web.login import add_login
from identity.web.recovery import add_recovery
from identity.web.setup import Enrolling, add_setup
from identity.web.shell import Shell


def router(
    shell: Shell,
    *,
    people: People,
    factors: Factors,
    login: Login,
    recoveries: Recoveries,
    clock: Clock,
) -> APIRouter:
    """``/login``, ``/step-up``, ``/logout``, ``/not-me``, ``/not-me/address``, ``/register``, ``/activate``,
    ``/setup``, ``/recovery``.
    """
    section = shell.section("identity.web")
    add_login(section, login=login, factors=factors)
    add_address(section, login=login)
    add_enrolment(section, people=people, login=login)
    add_setup(section, Enrolling(people=people, factors=factors, login=login, clock=clock))
    add_recovery(section, login=login, factors=factors, recoveries=recoveries)
    return section.router
