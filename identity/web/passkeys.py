"""What ``passkeys.js`` asks for and sends back: options when it needs them, the answer in a form's fields."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse

from identity.factors.model import FactorKind
from identity.factors.passkeys import PasskeyChallenge
from identity.login.model import Answer
from identity.web.shell import Form, Response

_LONGEST_ANSWER = 32 * 1024


def options_answer(challenge: PasskeyChallenge) -> Response:
    """``{"challenge": id, "options": …}``: the options are those of WebAuthn Level 3, 5.10, in JSON."""
    return JSONResponse({"challenge": challenge.id, "options": json.loads(challenge.options_json)})


def answer_of(form: Form) -> Answer:
    """The authenticator's answer to the challenge that it names."""
    return Answer(
        kind=FactorKind.PASSKEY,
        value=form.block("response", most=_LONGEST_ANSWER),
        challenge_id=form.text("challenge", most=80),
    )
