"""The client as it is installed and as its README shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.runtime.broker import Broker

CLIENT = Path(__file__).parents[2] / "client"


def test_the_wheel_has_the_package_and_nothing_else(tmp_path: Path) -> None:
    """One typed package, one dependency; more only for those who ask for tables."""
    source = tmp_path / "client"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)),
        ],
        check=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("kittiwake_client-*.whl")
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    packages = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"kittiwake_client"}
    assert "kittiwake_client/py.typed" in names
    (metadata,) = [name for name in names if name.endswith("METADATA")]
    required = re.findall(rb"^Requires-Dist: (.*)$", archive.read(metadata), re.MULTILINE)
    needed = [line for line in required if b"extra ==" not in line]
    assert needed == [b"confluent-kafka>=2.13.2"]
    assert sorted(line.split(b";")[0] for line in required if line not in needed) == [
        *(b"numpy>=1.26", b"pyarrow>=17")
    ]


def test_the_example_of_the_readme_runs(
    kafka: Broker, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It publishes both events, and prints the alert that is there."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    names = ("predictions", "feedback", "alerts", "rollouts")
    for future in admin.create_topics([NewTopic(prefix + n, 1, 1) for n in names]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    alert = {"id": "s1", "action": "opened", "model": "fraud", "summary": "error rate above 5 %"}
    producer.produce(prefix + "alerts", json.dumps(alert).encode())
    assert producer.flush(30) == 0
    (block,) = re.findall(
        r"```python\n(.*?)```", (CLIENT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert len([line for line in block.splitlines() if line]) <= 10
    code = block.replace('"localhost:9092"', f'"{kafka.bootstrap}", prefix="{prefix}"').replace(
        'group="pager"', f'group="{prefix}pager", idle_timeout_s=1'
    )
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == "opened error rate above 5 % None\n"
    reader = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": prefix})
    for name in ("predictions", "feedback"):
        assert reader.get_watermark_offsets(TopicPartition(prefix + name, 0), timeout=30) == (0, 1)
    reader.close()
