"""The container files fit the project, and the lock fits both: read, since no engine runs here."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from server.settings import Settings, variable_of

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
VARIABLES = {variable_of(name) for name in Settings.model_fields}
LOCK = {file.stem: file.read_text() for file in (ROOT / "requirements").glob("*.txt")}
VERSIONS = {layer: dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.M)) for layer, text in LOCK.items()}
LOWEST = VERSIONS.pop("lowest")
LOCKED = {name: version for versions in VERSIONS.values() for name, version in versions.items()}


def direct() -> list[Requirement]:
    """The dependencies that pyproject.toml states."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    lines += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    return [Requirement(line) for line in lines if not line.startswith("sayseek")]


DIRECT = {canonicalize_name(requirement.name): requirement.specifier for requirement in direct()}


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


def test_the_image_runs_without_root_from_a_last_stage_that_only_copies() -> None:
    *_, build, final = DOCKERFILE.split("\nFROM ")
    assert "pip install" in build
    assert "gcc" in build
    assert not re.search(r"pip install|apt-get|gcc", final)
    assert "USER 10001" in final
    assert "HEALTHCHECK" in final


def test_the_image_installs_the_lock_and_nothing_else() -> None:
    commands = re.findall(r"^RUN .*(?:install\.py|pip install).*$", DOCKERFILE, re.M)
    lock, project = commands
    assert "requirements/install.py" in lock
    assert "--no-deps --no-build-isolation" in project


def test_the_image_is_for_the_cpu_unless_told_otherwise() -> None:
    assert re.search(r"^ARG TORCH_INDEX=\S+/cpu$", DOCKERFILE, re.M)
    cuda = COMPOSE["services"]["sayseek-cuda"]
    assert cuda["build"]["args"] == {"TORCH_INDEX": ""}
    assert cuda["profiles"], "it starts only when it is named"
    assert {**COMPOSE["services"]["sayseek"], **cuda} == cuda, "all else is the same"


def test_what_must_last_is_in_a_volume() -> None:
    service = COMPOSE["services"]["sayseek"]
    folders = [volume.split(":")[1] for volume in service["volumes"]]
    assert folders == ["/data"]
    assert "SAYSEEK_INDEX=tantivy:/data/" in DOCKERFILE
    assert "SAYSEEK_HUB_CACHE=/data/" in DOCKERFILE
    assert "SAYSEEK_CACHE=/data/" in DOCKERFILE
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace > Settings().shutdown_timeout + 2


class TestLock:
    @pytest.mark.parametrize("layer", sorted(LOCK))
    def test_names_exact_versions_with_hashes_and_no_place(self, layer: str) -> None:
        first, *lines = LOCK[layer].splitlines()
        assert first.startswith("#")
        hashed = "".join(f"{line}\n" for line in lines)
        entry = r"[a-z0-9-]+==[\w.+]+(?: ; sys_platform == 'linux')?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
        assert re.fullmatch(f"(?:{entry})+", hashed)
        assert "://" not in hashed

    def test_names_each_package_once(self) -> None:
        assert len(LOCKED) == sum(map(len, VERSIONS.values()))

    def test_holds_every_dependency_within_its_range(self) -> None:
        assert {name for name in DIRECT if LOCKED.get(name, "") not in DIRECT[name]} == set()

    def test_every_range_has_two_ends(self) -> None:
        for name, specifier in DIRECT.items():
            assert {part.operator for part in specifier} in ({">=", "<"}, {"=="}), name

    def test_the_lowest_are_those_of_the_ranges(self) -> None:
        for name, specifier in DIRECT.items():
            (least,) = (part.version for part in specifier if part.operator in (">=", "=="))
            version = LOWEST.get(name, LOCKED[name])
            assert re.sub(r"(\.0)+$", "", version) == re.sub(r"(\.0)+$", "", least), name

    def test_nothing_of_nvidia_outside_its_own_file(self) -> None:
        for layer in VERSIONS.keys() - {"cuda"}:
            assert not re.search(r"^(?:nvidia|cuda|triton)", LOCK[layer], re.M)

    def test_the_builds_of_pytorch_for_the_cpu_are_those_of_its_version(self) -> None:
        builds = (ROOT / "requirements" / "torch-cpu.sha256").read_text().splitlines()
        for digest, name in (line.split() for line in builds):
            assert name.startswith(f"torch-{LOCKED['torch']}+cpu-")
            assert f"--hash=sha256:{digest}" in LOCK["torch"]
