"""The container files fit the project: read, since no engine runs here."""

import re
from pathlib import Path

import yaml

from server.cli import variable_of
from server.settings import Settings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VARIABLES = {variable_of(name) for name in Settings.model_fields}


def test_every_variable_is_a_setting_and_its_value_valid(monkeypatch) -> None:
    in_image = dict(re.findall(r"(SAYSEEK_\w+)=(\S+)", DOCKERFILE))
    in_compose = COMPOSE["services"]["sayseek"]["environment"]
    assert set(in_image) | set(in_compose) <= VARIABLES
    for name, value in {**in_image, **in_compose}.items():
        monkeypatch.setenv(name, str(value))
    assert Settings().host == "0.0.0.0"


def test_everything_the_package_needs_is_copied() -> None:
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.M) for name in line.split()}
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert packages <= copied
    for name in copied:
        assert (ROOT / name).exists()
    ignored = (ROOT / ".dockerignore").read_text()
    assert all(f"!{name}" in ignored for name in copied)


def test_the_image_runs_without_root_from_a_second_stage() -> None:
    *_, build, final = DOCKERFILE.split("\nFROM ")
    assert "pip install" in build
    assert "pip install" not in final
    assert "USER 10001" in final
    assert "HEALTHCHECK" in final


def test_what_must_last_is_in_a_volume() -> None:
    service = COMPOSE["services"]["sayseek"]
    folders = [volume.split(":")[1] for volume in service["volumes"]]
    assert folders == ["/data"]
    assert "SAYSEEK_INDEX=tantivy:/data/" in DOCKERFILE
    assert "SAYSEEK_HUB_CACHE=/data/" in DOCKERFILE
    assert "SAYSEEK_CACHE=/data/" in DOCKERFILE
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace > Settings().shutdown_timeout + 2
