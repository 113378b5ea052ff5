"""The AsyncAPI document describes the topics that exist, and is valid AsyncAPI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas import arrow, cloudevents, generated, topics
from schemas.asyncapi import RECEIVED, SENT, document, files
from schemas.heartbeats import Heartbeat

TOOL = generated.DEPLOY / "asyncapi"


def test_file_equals_models(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m schemas.asyncapi --check` passes in a checkout."""
    assert generated.main(files(), ["--check"], module="schemas.asyncapi") == 0
    assert capsys.readouterr().err == ""


def test_channels_are_the_public_topics() -> None:
    """Each public topic has one direction, and the events of the topic table."""
    specs = {spec.name: spec for spec in topics.table() if not spec.internal}
    described = RECEIVED | SENT
    assert set(described) == set(specs)
    assert not set(RECEIVED) & set(SENT)
    for name, kinds in described.items():
        models = {kind.model.__name__ for kind in kinds if kind.model is not Heartbeat}
        assert models == {word.strip() for word in specs[name].event.split(",")}


def test_every_event_type_is_described_once() -> None:
    """The constants of `schemas.cloudevents` and the messages of the document agree."""
    said = json.loads(json.dumps(document()))["components"]["messages"]
    types = {
        name: message["headers"]["properties"]["ce_type"]["const"]
        for name, message in said.items()
        if message["contentType"] == cloudevents.JSON
    }
    assert sorted(types.values()) == sorted(cloudevents.TYPES)
    (columns,) = said.keys() - types.keys()
    assert said[columns]["contentType"] == arrow.CONTENT_TYPE
    assert said[columns]["headers"] == said["prediction"]["headers"]
    described = said[columns]["payload"]["description"]
    assert all(f" {name}" in described for name in (*arrow.COLUMNS, *arrow.FAMILIES))


def test_headers_that_we_write_fit_the_document() -> None:
    """The headers of a record are those that the document promises."""
    whole = json.loads(json.dumps(document()))
    schema = whole["components"]["messageTraits"]["cloudEvent"]["headers"]
    written = cloudevents.headers(
        type=cloudevents.WINDOW, source=cloudevents.SOURCE, id="w1", time_ms=5
    )
    texts = {name: value.decode() for name, value in written}
    Draft202012Validator(schema).validate(texts)
    assert set(texts) == set(schema["properties"])
    with pytest.raises(ValueError, match="ce_id is empty"):
        cloudevents.headers(type=cloudevents.WINDOW, source="/x", id="", time_ms=5)


@pytest.fixture(scope="session")
def parser() -> Path:
    """A folder that holds the parser of the AsyncAPI Initiative, fetched once by npm."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed; they run the AsyncAPI parser")
    package = json.loads((TOOL / "package.json").read_text())
    version = package["dependencies"]["@asyncapi/parser"]
    cache = Path(os.environ.get("KITTIWAKE_CACHE", Path.home() / ".cache" / "kittiwake"))
    folder = cache / f"asyncapi-parser-{version}"
    if not (folder / "complete").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOOL / "package.json", folder)
        options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run([npm, "install", *options], cwd=folder, check=True, timeout=300)
        (folder / "complete").touch()
    return folder


def validate(parser: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the parser on a document."""
    script = str(TOOL / "validate.mjs")
    return subprocess.run(
        ["node", script, str(parser), str(path)], capture_output=True, text=True, timeout=120
    )


def test_document_is_valid_asyncapi(parser: Path) -> None:
    """The reference parser finds neither errors nor warnings."""
    (path,) = files()
    done = validate(parser, path)
    assert done.stderr == ""
    assert json.loads(done.stdout)["faults"] == 0
    assert done.returncode == 0


def test_the_parser_refuses_a_broken_document(parser: Path, tmp_path: Path) -> None:
    """The check can fail: an operation on a channel that is not there."""
    broken = json.loads(json.dumps(document()))
    broken["operations"]["send_alerts"]["channel"]["$ref"] = "#/channels/nowhere"
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    done = validate(parser, path)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
