"""What each step of a ceremony does to the home of the root: the same code in rehearsal and in earnest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca import crl
from ca.ceremony.home import Home, Issued, SignedList
from ca.ceremony.script import Act, Script, Step
from ca.cross import SHORTEST
from ca.errors import CeremonyRefused
from ca.issuing import Issuer, issue, new_serial, self_signed
from ca.model import ProfileName, RevocationReason, is_graver
from ca.profiles import Profile, cross_profile, legal_person, profiles
from ca.requests import read_request, requested_key
from ca.subjects import shown_name
from keys.model import KeyPurpose


@dataclass(frozen=True, slots=True)
class Outcome:
    """``files`` by name, as they are published; empty where a step only prepares."""

    files: Mapping[str, bytes]


class Acts:
    """One ceremony's acts on one home. ``inputs`` are the files of the script, their hashes checked."""

    def __init__(self, script: Script, home: Home, inputs: Mapping[str, bytes]) -> None:
        self._script = script
        self._home = home
        self._inputs = inputs
        self._profiles = profiles(script.config)

    def words(self, step: Step) -> str:
        """What the step does, as it is read aloud before it is confirmed."""
        fields = step.fields
        match step.act:
            case Act.GENERATE_ROOT:
                rules = self._profiles[ProfileName.ROOT]
                return (
                    f"Generate the key of {fields['name']} ({rules.algorithm}) and certify it by itself for "
                    f"{rules.validity.days // 365} years as {shown_name(self._root_name())}"
                )
            case Act.ISSUE:
                request = read_request(self._inputs[fields["request"]])
                rules = self._profiles[ProfileName.ISSUING]
                return (
                    f"Certify {fields['name']} by {fields['issuer']} for {rules.validity.days // 365} years "
                    f"as {shown_name(request.subject)}, by the request {fields['request']}"
                )
            case Act.CROSS_CERTIFY:
                return f"Let the keys of {fields['old']} and {fields['new']} certify each other"
            case Act.REVOKE:
                since = f", not to be trusted since {step.since:%Y-%m-%d %H:%M} UTC" if step.since else ""
                assert step.reason is not None
                known = self._home.certificates.get(fields["name"])
                again = "" if known is None or known.revoked_at is None else ", which is revoked already,"
                return (
                    f"Revoke {fields['name']}{again} for {step.reason.name.lower().replace('_', ' ')}{since}"
                )
            case Act.SIGN_LIST:
                return f"Sign the revocation list of {fields['issuer']}, valid for {step.valid_days} days"
            case Act.PUBLISH:
                return f"Write every certificate and list to the folder {fields['folder']}"

    def run(self, step: Step, now: datetime) -> Outcome:
        """Raises :class:`ca.errors.CeremonyRefused` or :class:`ca.errors.IssuanceRefused`."""
        match step.act:
            case Act.GENERATE_ROOT:
                return self._generate_root(step, now)
            case Act.ISSUE:
                return self._issue(step, now)
            case Act.CROSS_CERTIFY:
                return self._cross_certify(step, now)
            case Act.REVOKE:
                return self._revoke(step, now)
            case Act.SIGN_LIST:
                return self._sign_list(step, now)
            case Act.PUBLISH:
                return Outcome(dict(self._everything()))

    def _generate_root(self, step: Step, now: datetime) -> Outcome:
        name, rules = step.fields["name"], self._profiles[ProfileName.ROOT]
        self._require_free(name)
        key = self._home.generate(KeyPurpose.ROOT_CA, rules.algorithm, now)
        certificate = self_signed(
            profile=rules,
            subject=self._root_name(),
            key=self._home.handle(key.id),
            serial=new_serial(),
            not_before=now,
        )
        return self._keep(name, name, certificate, key.id)

    def _issue(self, step: Step, now: datetime) -> Outcome:
        name, issuer = step.fields["name"], self._home.issuer(step.fields["issuer"])
        self._require_free(name)
        request = read_request(self._inputs[step.fields["request"]])
        if request.subject == issuer.certificate.subject:
            raise CeremonyRefused("the request asks for the root's own name")
        certificate = issue(
            profile=self._profiles[ProfileName.ISSUING],
            subject=request.subject,
            public_key_info=requested_key(request),
            issuer=issuer,
            serial=new_serial(),
            not_before=now,
            config=self._script.config,
        )
        return self._keep(name, issuer.name, certificate)

    def _cross_certify(self, step: Step, now: datetime) -> Outcome:
        old, new = (self._home.issuer(step.fields[which]) for which in ("old", "new"))
        ends = min(old.certificate.not_valid_after_utc, new.certificate.not_valid_after_utc)
        if old.name == new.name or ends - now < SHORTEST:
            raise CeremonyRefused(f"{old.name} and {new.name} cannot be linked")
        files: dict[str, bytes] = {}
        for subject, issuer in ((new, old), (old, new)):
            begins = subject.certificate.not_valid_before_utc
            files |= self._link(subject, issuer, begins, ends).files
        return Outcome(files)

    def _link(self, subject: Issuer, issuer: Issuer, begins: datetime, ends: datetime) -> Outcome:
        name = f"{subject.name}-by-{issuer.name}"
        self._require_free(name)
        rules: Profile = cross_profile(self._profiles[ProfileName.ROOT], ends - begins)
        certificate = issue(
            profile=rules,
            subject=subject.certificate.subject,
            public_key_info=subject.certificate.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            ),
            issuer=issuer,
            serial=new_serial(),
            not_before=begins,
            config=self._script.config,
        )
        return self._keep(name, issuer.name, certificate)

    def _revoke(self, step: Step, now: datetime) -> Outcome:
        name = step.fields["name"]
        known = self._home.certificates.get(name)
        if known is None or known.issuer == name:
            raise CeremonyRefused(f"{name!r} is no certificate that a root here issued")
        since = step.since or (now if step.reason is RevocationReason.CA_COMPROMISE else None)
        if since is not None and since > now:
            raise CeremonyRefused("since lies in the future")
        if known.revoked_at is not None and not is_graver(known.standing, step.reason, since):
            raise CeremonyRefused(
                f"{name} is revoked already: that changes only for a loss (ca-compromise) before "
                f"{known.standing.revocation_date:%Y-%m-%d %H:%M} UTC"
            )
        self._home.certificates[name] = replace(
            known, revoked_at=known.revoked_at or now, reason=step.reason, invalidity_date=since
        )
        self._home.save(self._home)
        return Outcome({})

    def _sign_list(self, step: Step, now: datetime) -> Outcome:
        issuer = self._home.issuer(step.fields["issuer"])
        last = self._home.lists.get(issuer.name)
        until = min(now + timedelta(days=step.valid_days), issuer.certificate.not_valid_after_utc)
        listed = sorted(
            (one.standing for one in self._home.certificates.values() if self._is_listed(one, issuer)),
            key=lambda known: known.serial,
        )
        encoded = crl.build_crl(
            issuer=issuer,
            entries=[crl.entry(known) for known in listed],
            number=1 if last is None else last.number + 1,
            this_update=now,
            next_update=until,
        )
        self._home.lists[issuer.name] = SignedList(1 if last is None else last.number + 1, encoded)
        self._home.save(self._home)
        return Outcome({f"{issuer.name}.crl": encoded})

    def _is_listed(self, one: Issued, issuer: Issuer) -> bool:
        """What was revoked of any key of the root: a list speaks for the name (RFC 5280 5)."""
        return one.revoked_at is not None and one.certificate.issuer == issuer.certificate.subject

    def _everything(self) -> Iterator[tuple[str, bytes]]:
        for one in self._home.certificates.values():
            yield f"{one.name}.crt", one.der
            if one.issuer != one.name and one.name.startswith("issuing-"):
                above = self._home.certificates[one.issuer]
                pem = [link.certificate.public_bytes(Encoding.PEM) for link in (one, above)]
                yield f"{one.name}-chain.pem", b"".join(pem)
        for name, newest in self._home.lists.items():
            yield f"{name}.crl", newest.der

    def _keep(self, name: str, issuer: str, certificate: x509.Certificate, key_id: str = "") -> Outcome:
        encoded = certificate.public_bytes(Encoding.DER)
        self._home.certificates[name] = Issued(name, issuer, encoded, key_id)
        self._home.save(self._home)
        return Outcome({f"{name}.crt": encoded})

    def _require_free(self, name: str) -> None:
        if name in self._home.certificates:
            raise CeremonyRefused(f"{name} exists already: write a script for what is left to do")

    def _root_name(self) -> x509.Name:
        config = self._script.config
        return legal_person(
            common_name=f"{config.organisation[:40].strip()} Root CA",
            organisation=config.organisation,
            organization_identifier=config.organization_identifier,
            country=config.country,
        )
