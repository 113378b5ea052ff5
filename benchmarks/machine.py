"""Where and with what a benchmark ran."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from confluent_kafka import libversion

from streams.runtime.broker_files import VERSION

LIBRARIES = ("kittiwake", "confluent-kafka", "msgspec", "numpy", "rocksdict")


def describe() -> dict[str, object]:
    """Processor, system, versions and the day."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "kafka": VERSION,
        "librdkafka": libversion()[0],
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
