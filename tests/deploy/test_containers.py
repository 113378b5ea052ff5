"""The image and the compose file say what the repository and the settings say."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def _instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [
        (line.split()[0], line.split(maxsplit=1)[1])
        for line in lines
        if line and not line.startswith("#")
    ]


def _copied() -> list[tuple[list[str], str]]:
    """Sources and target of each COPY from the build context."""
    found = []
    for name, arguments in _instructions():
        parts = shlex.split(arguments)
        if name == "COPY" and not parts[0].startswith("--from"):
            found.append((parts[:-1], parts[-1]))
    return found


def _environment() -> dict[str, str]:
    pairs = [a for name, a in _instructions() if name == "ENV"]
    return dict(pair.split("=", 1) for line in pairs for pair in shlex.split(line))


def test_the_wheel_builds_from_what_the_image_copies(tmp_path: Path) -> None:
    """The copied files, and no others, make a wheel with the packages and the command."""
    assert _copied()
    for sources, target in _copied():
        for source in sources:
            origin = ROOT / source
            assert origin.exists(), f"COPY {source}: no such file"
            goal = tmp_path / "src" / target / (origin.name if target == "./" else "")
            goal.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, goal, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(origin, goal)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(tmp_path / "src")),
        ],
        check=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("kittiwake-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for package in ("schemas", "detectors", "streams/runtime", "streams/ingest"):
        assert f"{package}/__init__.py" in names
    (entry,) = [name for name in names if name.endswith("entry_points.txt")]
    assert b"kittiwake = streams.cli:main" in zipfile.ZipFile(wheel).read(entry)


def test_dependencies_are_pinned_by_hash() -> None:
    """Everything from a registry is checked against the lock; our code brings nothing more."""
    installs = [a for name, a in _instructions() if name == "RUN" and "pip install" in a]
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--no-deps" in line for line in installs[1:])


def test_the_process_is_not_root_and_says_whether_it_is_well() -> None:
    """The last stage has a user and a health check on the port it exposes."""
    instructions = _instructions()
    last = max(i for i, (name, _) in enumerate(instructions) if name == "FROM")
    stage = dict(instructions[last:])
    assert stage["USER"] == "kittiwake"
    port = _environment()["KITTIWAKE_METRICS_PORT"]
    assert stage["EXPOSE"] == port
    assert f"127.0.0.1:{port}/metrics" in stage["HEALTHCHECK"]


def test_every_variable_is_a_setting() -> None:
    """KITTIWAKE_… variables of the image and of compose are fields of `Settings`."""
    given = set(_environment())
    for service in SERVICES.values():
        given |= set(service.get("environment", {}))
    ours = {name.removeprefix("KITTIWAKE_").lower() for name in given if "KITTIWAKE_" in name}
    assert {"bootstrap", "metrics_port", "data"} <= ours
    assert ours <= Settings.model_fields.keys()


def test_compose_follows_its_specification() -> None:
    """The compose file is valid by the published schema, offline."""
    tool = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_watched(name: str) -> None:
    """An image has an exact tag, and a health check of its own or the image's."""
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert any(digit in tag for digit in "0123456789")
    assert "build" in service or service["healthcheck"]["test"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{name} is open to the network: {port}"


def test_services_wait_for_what_they_need() -> None:
    """Workers start after the topics exist; mounted files exist; volumes are declared."""
    for name in ("ingest", "decide", "act"):
        waits = SERVICES[name]["depends_on"]
        assert waits["topics"]["condition"] == "service_completed_successfully"
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            known = (DEPLOY / source).exists() if source[0] == "." else source in COMPOSE["volumes"]
            assert known, volume


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if "build" in s])
def test_the_command_of_a_worker_exists(name: str) -> None:
    """What compose starts is a command of ours."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *SERVICES[name]["command"], "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_scrapes_the_workers() -> None:
    """The scrape targets are the workers of compose at the image's port."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    (job,) = [
        job
        for job in YAML(typ="safe").load(text)["scrape_configs"]
        if job["job_name"] == "kittiwake"
    ]
    port = _environment()["KITTIWAKE_METRICS_PORT"]
    assert job["static_configs"][0]["targets"] == [
        f"{name}:{port}" for name in ("ingest", "decide", "act")
    ]
