"""What several walks through the pages begin with."""

from __future__ import annotations

import re

from tests.identity.login.conftest import EMAIL, PASSWORD
from tests.identity.web.conftest import Browser

SESSION, HALF, DEVICE = "__Host-absah", "__Host-absah-login", "__Host-absah-device"
NEW_PASSWORD = "empat ekor kucing kampung"


def start(visitor: Browser, *, password: str = PASSWORD, identifier: str = EMAIL, query: str = "") -> None:
    visitor.get(f"/login{query}")
    answer = visitor.send(f"/login{query}", identifier=identifier, password=password)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("/login/second")
    assert visitor.get(answer.headers["location"]).status_code == 200


def log_in(visitor: Browser, code: str, *, query: str = "") -> str:
    """Returns where the login led."""
    start(visitor, query=query)
    answer = visitor.send(f"/login/second{query}", kind="totp", code=code)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def without_token(html: str) -> str:
    return re.sub(r'name="csrf" value="[^"]+"', "", html)
