"""The three database roles carry the service, and none of them can do more than it must."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from joserfc.jwk import ECKey
from psycopg import sql
from sqlalchemy import make_url

from app.demo import SAMPLE_AGENCIES, sample_documents
from tests.support.agency_system import AgencySystem
from tests.support.needs import ROOT, requires
from tests.support.postgres import OWNER, PostgresCluster
from tests.support.server import RunningServer, absah, free_port

pytestmark = [requires("psql", "openssl"), pytest.mark.network]
SCRIPTS = ROOT / "docs" / "deploy"
ROLES = ("absah_owner", "absah_core", "absah_public")


@dataclass(frozen=True)
class Installation:
    cluster: PostgresCluster
    database: str
    core: RunningServer
    public: RunningServer
    core_settings: dict[str, str]

    def as_role(self, role: str, statement: LiteralString) -> None:
        with psycopg.connect(host=str(self.cluster.folder), user=role, dbname=self.database) as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def installed(postgres: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Installed in the order of docker-compose.yml: roles, init, grants, then both servers."""
    folder = tmp_path_factory.mktemp("installation")
    secrets = folder / "secrets"
    path = os.environ["PATH"]
    subprocess.run(
        [SCRIPTS / "make-secrets", secrets],
        check=True,
        capture_output=True,
        env={"PATH": path, "ABSAH_UID": str(os.geteuid())},
    )
    with ExitStack() as closing:
        name = make_url(closing.enter_context(postgres.database())).database
        assert name is not None
        psql = {"PATH": path, "PGHOST": str(postgres.folder), "SECRETS": str(secrets)}
        _run(SCRIPTS / "postgres/roles.sh", psql | {"POSTGRES_USER": OWNER, "POSTGRES_DB": name})
        closing.callback(_forget_roles, postgres, name)
        settings = {
            "ABSAH_ENV": "production",
            "ABSAH_PUBLIC_URL": "https://absah.example",
            "ABSAH_PKI_URL": "http://absah.example",
            "ABSAH_MAIL_HOST": "mail.absah.example",
        }
        core = settings | {
            "ABSAH_DATA_DIR": str(folder / "core"),
            "ABSAH_DATABASE_URL": postgres.url(name, role="absah_core"),
            "ABSAH_KEYS_KEK_FILE": str(secrets / "key_encryption_key"),
            "ABSAH_KEYS_APPROVALS": "2",
            "ABSAH_CLOCK_DATABASE": "true",
        }
        absah("init", settings=core | {"ABSAH_DATABASE_URL": postgres.url(name, role="absah_owner")})
        _run(SCRIPTS / "postgres/grants.sh", psql | {"PGUSER": "absah_owner", "PGDATABASE": name})
        public_home = folder / "public"
        public_home.mkdir()
        (public_home / "trust").symlink_to(folder / "core" / "trust")
        public = settings | {
            "ABSAH_DATA_DIR": str(public_home),
            "ABSAH_DATABASE_URL": postgres.url(name, role="absah_public"),
        }
        sealing = RunningServer(core, (), folder / "core.log", free_port())
        verifying = RunningServer(public, ("--public",), folder / "public.log", free_port())
        for server in (sealing, verifying):
            closing.callback(server.close)
            server.start()
        yield Installation(postgres, name, sealing, verifying, core)


def test_a_document_sealed_by_the_core_is_verified_by_the_process_without_keys(
    installed: Installation, tmp_path: Path
) -> None:
    # Production knows no client secrets: the agency makes a key and hands in its public half.
    key, jwks = tmp_path / "key.pem", tmp_path / "jwks.json"
    absah("client", "new-key", key, jwks, settings=installed.core_settings)
    printed = absah(
        *("agency", "add", "dpmptsp", "--name", "Dinas Penanaman Modal Kabupaten Nusa Permata"),
        *(
            "--organization-identifier",
            SAMPLE_AGENCIES[0].organization_identifier,
            "--scope",
            "documents.issue:*",
        ),
        *("--jwks", jwks),
        settings=installed.core_settings,
    ).stdout
    system = AgencySystem(
        lambda: datetime.now(UTC), key=ECKey.import_key(key.read_bytes()), origin="https://absah.example"
    )
    system.key_id = json.loads(jwks.read_text())["keys"][0]["kid"]
    system.named = dict(re.findall(r"^(Client) +(\S+)", printed, re.MULTILINE))["Client"]
    token, nonce = system.bound_token(installed.core.http)
    sample = sample_documents()[0]
    metadata = {
        "type": sample.type,
        "number": sample.number,
        "title": sample.title,
        "signatory": sample.signatory,
        "issued_on": sample.issued_on.isoformat(),
    }
    sealed = installed.core.http.post(
        "/v1/documents",
        headers={
            **system.authorization("POST", "/v1/documents", token, nonce),
            "Accept": "application/pdf",
        },
        data={"metadata": json.dumps(metadata)},
        files={"file": ("nib.pdf", sample.pdf, "application/pdf")},
    )
    assert sealed.status_code == 201, sealed.text
    verdict = installed.public.http.post("/v1/verifications", files={"file": ("nib.pdf", sealed.content)})
    assert verdict.status_code == 200, verdict.text
    assert verdict.json()["outcome"] == "valid"
    # While the agency's key is in doubt it says what that means for the document, not that it cannot read.
    shown = absah("ca", "show", "--json", settings=installed.core_settings).stdout
    (seal,) = [one["name"] for one in json.loads(shown)["certificates"] if one["profile"] == "seal"]
    absah("ca", "hold", seal, "--yes", settings=installed.core_settings)
    page = f"/v1/verifications/{verdict.json()['document']['id']}"
    until, said = time.monotonic() + 10, [""]
    while "sealed_before_loss" not in said:
        assert time.monotonic() < until, said
        time.sleep(0.2)
        answer = installed.public.http.get(page).json()
        said = [reason["code"] for reason in answer["reasons"]]
    assert answer["outcome"] == "valid"


@pytest.mark.parametrize("table", ["keys", "encrypted_keys", "clients", "agencies", "audit"])
def test_the_public_role_does_not_see(installed: Installation, table: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        installed.as_role("absah_public", "SELECT 1 FROM " + table)


@pytest.mark.parametrize(
    "table",
    [
        "documents",
        "archive_stamps",
        "archived_documents",
        "certificates",
        "crls",
        "distrusted_units",
        "alembic_version",
    ],
)
def test_the_public_role_reads_but_does_not_write(installed: Installation, table: LiteralString) -> None:
    installed.as_role("absah_public", "SELECT 1 FROM " + table)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        installed.as_role("absah_public", "SET TRANSACTION READ WRITE; DELETE FROM " + table)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE alembic_version SET version_num = '0000'",
        "DROP TABLE documents",
        "CREATE TABLE elsewhere (id integer)",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
    ],
)
def test_the_core_role_changes_neither_history_nor_schema(
    installed: Installation, statement: LiteralString
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        installed.as_role("absah_core", statement)


def test_no_role_is_a_superuser(installed: Installation) -> None:
    with psycopg.connect(host=str(installed.cluster.folder), user=OWNER, dbname="postgres") as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles"
            " WHERE rolname = ANY(%s)",
            [list(ROLES)],
        ).fetchall()
    assert len(rights) == len(ROLES)
    assert not any(right for role in rights for right in role)


def _run(script: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _forget_roles(cluster: PostgresCluster, database: str) -> None:
    """Roles belong to the cluster, not to the database that is about to be dropped."""
    for role in ROLES:
        name = sql.Identifier(role)
        cluster.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(name), database=database)
        cluster.execute(sql.SQL("DROP OWNED BY {}").format(name), database=database)
        cluster.execute(sql.SQL("DROP ROLE {}").format(name))
