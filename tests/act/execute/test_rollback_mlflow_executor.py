"""The MLflow executor, against MLflow's own server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from mlflow_server import MlflowServer
from rollback_requests import execute

from schemas.commands import Outcome
from schemas.executors import Mlflow

NAMES = (f"fraud-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A registry."""
    with MlflowServer(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@dataclass
class Registered:
    """A registered model of a test's own, through MLflow's REST API."""

    server: MlflowServer
    name: str

    def post(self, path: str, **body: Any) -> None:
        """Change something."""
        url = f"{self.server.url}/api/2.0/mlflow/{path}"
        httpx.post(url, json={"name": self.name, **body}, timeout=30).raise_for_status()

    def point(self, version: int) -> None:
        """Point the alias."""
        self.post("registered-models/alias", alias="champion", version=str(version))

    def champion(self) -> str:
        """Where it points."""
        url = f"{self.server.url}/api/2.0/mlflow/registered-models/alias"
        query = {"name": self.name, "alias": "champion"}
        return str(httpx.get(url, params=query, timeout=30).json()["model_version"]["version"])

    def execute(self, *, approvals: list[str] | None = None, **changes: Any) -> Any:
        """A rollback from v2 to v1, approved by a person."""
        request = {"canary": "v2", "target_version": "v1"}
        asked = {key: changes.pop(key) for key in list(changes) if key not in Mlflow.model_fields}
        settings = Mlflow.model_validate(
            {
                "kind": "mlflow",
                "name": "registry",
                "models": ["fraud*"],
                "url": self.server.url,
                "alias": "champion",
                "version_prefix": "v",
                **changes,
            }
        )
        people = ["ada"] if approvals is None else approvals
        return execute(settings, model=self.name, approvals=people, **{**request, **asked})


@pytest.fixture
def model(server: MlflowServer) -> Registered:
    """Versions 1 to 3, the alias on 2, generation 7."""
    model = Registered(server, next(NAMES))
    model.post("registered-models/create")
    for _ in range(3):
        model.post("model-versions/create", source="s3://models/fraud")
    model.post("registered-models/set-tag", key="kittiwake.generation", value="7")
    model.point(2)
    return model


def test_the_alias_is_pointed_back_and_the_generation_counted_up(model):
    """And read back."""
    done = model.execute()
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    assert model.champion() == "1"
    assert model.execute().detail == "v1 is served already"


def test_a_person_must_approve(model):
    """MLflow sets aliases unconditionally."""
    done = model.execute(approvals=[])
    assert done.outcome is Outcome.REFUSED
    assert "no compare-and-set, so a person must approve" in done.detail
    assert model.champion() == "2"


def test_an_alias_that_moved_on_is_stale(model):
    """With the tag by its generation, without it by what the alias points to."""
    model.point(3)
    model.post("registered-models/set-tag", key="kittiwake.generation", value="8")
    assert "generation 7, but the deployment is at 8 and serves v3" in model.execute().detail
    untagged = model.execute(generation_tag="nobody.sets.this")
    assert "the request is against v2, but the target serves v3" in untagged.detail
    assert model.champion() == "3"


def test_without_the_tag_the_version_decides(model):
    """And there is no generation to acknowledge."""
    done = model.execute(generation_tag="nobody.sets.this")
    assert (done.outcome, done.generation) == (Outcome.APPLIED, None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alias": "nobody"}, "has no alias 'nobody'"),
        ({"target_version": "v99"}, "answered 404"),
        ({"target_version": "stable"}, "'stable' is no version of MLflow"),
        ({"registered_model": "unknown"}, "answered 404"),
    ],
)
def test_what_cannot_be_done_fails_with_the_reason(model, changes, said):
    """And changes nothing."""
    done = model.execute(**changes)
    assert done.outcome is Outcome.FAILED
    assert said in done.detail
    assert model.champion() == "2"


def test_a_dry_run_leaves_the_alias(model, caplog):
    """It says where it would point."""
    caplog.set_level("INFO", "kittiwake.executors")
    assert model.execute(dry_run=True) is None
    assert f"would point champion of {model.name} to 1" in caplog.text
    assert model.champion() == "2"
