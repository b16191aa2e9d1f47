"""docker-compose.yml says nothing that is not so."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import cli
from app.settings import Settings, describe
from tests.support.needs import ROOT, requires

SERVICES = ("proxy", "public", "core", "worker", "init", "grants", "postgres")
OURS = ("public", "core", "worker", "init")
ONCE = ("init", "grants")
OUTWARD = {("proxy", "outside"), ("worker", "mail"), ("core", "time"), ("worker", "time")}


def test_the_parts_of_the_design_are_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == set(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists_and_parses_as_production(
    compose: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = compose["services"][name]["environment"]
    assert set(environment) <= {setting.variable for setting in describe()}
    for variable, value in environment.items():
        assert isinstance(value, str), f"{variable}: YAML made {type(value).__name__} of it, quote it"
        monkeypatch.setenv(variable, _interpolated(value))
    settings = Settings.load(keyless=name == "public")
    assert settings.production
    assert settings.unsafe(keyless=name == "public") == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_that_a_service_takes_from_outside_has_a_default(
    compose: dict[str, Any], name: str
) -> None:
    for reference in re.findall(r"\$\{([^}]*)\}", str(compose["services"][name])):
        assert ":-" in reference, f"${{{reference}}} is empty when nobody sets it"


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(compose: dict[str, Any], name: str) -> None:
    command, *options = compose["services"][name]["command"]
    shown = CliRunner().invoke(cli, [command, "--help"], env={"TERM": "dumb", "COLUMNS": "200"})
    assert shown.exit_code == 0
    for option in options:
        assert option in shown.output


def test_the_public_service_cannot_reach_a_key_a_document_or_the_right_to_write(
    compose: dict[str, Any],
) -> None:
    public = compose["services"]["public"]
    assert public["command"] == ["serve", "--public"]
    assert public["secrets"] == ["database_public_password"]
    assert public["volumes"] == ["trust:/var/lib/absah/trust:ro"]
    assert not [
        variable for variable in public["environment"] if "KEK" in variable or "PASSPHRASE" in variable
    ]
    assert "//absah_public@" in public["environment"]["ABSAH_DATABASE_URL"]


def test_only_init_may_change_the_schema(compose: dict[str, Any]) -> None:
    owners = {name for name in SERVICES if "absah_owner" in str(compose["services"][name].get("environment"))}
    assert owners == set(ONCE)


def test_only_the_proxy_is_reached_from_outside(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert published == {"proxy": ["80:80", "443:443"]}
    for name, service in compose["services"].items():
        for network in service["networks"]:
            inside = (compose["networks"][network] or {}).get("internal", False)
            assert inside or (name, network) in OUTWARD
    assert set(compose["services"]["postgres"]["networks"]).isdisjoint(
        compose["services"]["proxy"]["networks"]
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_mount_has_its_source(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{source} is not in the project"
            assert volume.endswith(":ro"), f"{source} may be changed from inside the container"
        else:
            assert source in compose["volumes"]
    for secret in service.get("secrets", ()):
        assert secret in compose["secrets"]
    for variable, value in service.get("environment", {}).items():
        if variable.endswith("_FILE"):
            assert Path(value).name in service["secrets"]
            assert Path(value).parent == Path("/run/secrets")


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_to_a_patch_release(compose: dict[str, Any], name: str) -> None:
    tag = compose["services"][name]["image"].rpartition(":")[2]
    assert re.match(r"\d+\.\d+(\.\d+)?(-|$)", tag), f"{tag} moves"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_or_runs_once(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    if name in ONCE:
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert name == "worker" or service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "postgres"])
def test_every_service_of_ours_runs_without_privileges(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])


@pytest.mark.parametrize("name", SERVICES)
def test_who_waits_for_whom_can_be_waited_for(compose: dict[str, Any], name: str) -> None:
    for other, wait in compose["services"][name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert wait["condition"] == expected


@requires("openssl")
def test_make_secrets_makes_what_compose_names_once(
    compose: dict[str, Any], deploy: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    environment = {"PATH": os.environ["PATH"], "ABSAH_UID": str(os.geteuid())}
    subprocess.run([deploy / "make-secrets", folder], check=True, capture_output=True, env=environment)
    made = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(made) == {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE((folder / "key_encryption_key").stat().st_mode) == 0o400
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    subprocess.run([deploy / "make-secrets", folder], check=True, capture_output=True, env=environment)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == made


def test_secrets_stay_out_of_the_repository_and_out_of_the_image(compose: dict[str, Any]) -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "var/" in ignored
    assert all(secret["file"].startswith("./var/") for secret in compose["secrets"].values())
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def _interpolated(value: str) -> str:
    """As compose does it when no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
