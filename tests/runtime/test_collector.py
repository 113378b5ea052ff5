"""The collector of cyclic garbage looks seldom, and only where it was asked to."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from streams.runtime import collector


def test_inside_it_looks_seldom_and_after_it_as_before() -> None:
    """Also where something went wrong inside."""
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="inside"), collector.relaxed():
        assert gc.get_threshold() == collector.SELDOM
        raise ValueError("inside")
    assert gc.get_threshold() == before


def test_cycles_are_still_found() -> None:
    """In a process of its own, for what is frozen stays so."""
    script = (
        "import gc, weakref\n"
        "from streams.runtime import collector\n"
        "class Node: pass\n"
        "collector.relax()\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 0\n"
        "node = Node(); node.itself = node; gone = weakref.ref(node); del node\n"
        "kept = [[] for _ in range(collector.SELDOM[0] + 1)]\n"
        "assert gone() is None\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
