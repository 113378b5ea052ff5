"""The heap of a process: one arena for all threads, large blocks given back, and who may say so."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from streams.runtime import malloc

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the limits are those of glibc"
)

ARENAS = """
import ctypes, re, tempfile, threading
from streams.runtime import malloc
{bound}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
all_there = threading.Barrier(7)

def allocate():
    libc.malloc(5_000)
    all_there.wait()

threads = [threading.Thread(target=allocate) for _ in range(6)]
for thread in threads:
    thread.start()
all_there.wait()
with tempfile.TemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fdopen(file.fileno(), b"w"))
    libc.malloc_info(0, stream)
    libc.fflush(stream)
    file.seek(0)
    print(len(re.findall(rb"<heap nr=", file.read())))
"""

BLOCKS = """
import ctypes
from streams.runtime import malloc
{bound}

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "free_blocks", "fast_blocks", "mapped_blocks", "mapped_bytes", "peak",
        "fast_bytes", "used_bytes", "free_bytes", "top_bytes")]

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.mallinfo2.restype = [ctypes.c_void_p], Info
libc.free(libc.malloc(24 << 20))
before = libc.mallinfo2().mapped_bytes
block = libc.malloc(20 << 20)
print((libc.mallinfo2().mapped_bytes - before) >> 20)
"""


def run(script: str, *, bound: bool, **environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", script.format(bound="malloc.bound()" if bound else "")],
        env=bare() | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def bare() -> dict[str, str]:
    """The environment without what heap's limits could be set by."""
    return {key: value for key, value in os.environ.items() if key not in malloc.LIMITS}


def test_threads_share_one_arena() -> None:
    """Without the limit each of them has one of its own."""
    assert run(ARENAS, bound=False) > 1
    assert run(ARENAS, bound=True) == 1


def test_a_large_block_is_given_back_although_one_was_freed_before() -> None:
    """Without the limit it is put where the heap keeps it."""
    assert run(BLOCKS, bound=False) == 0
    assert run(BLOCKS, bound=True) == 20


def test_the_environment_wins() -> None:
    assert run(ARENAS, bound=True, MALLOC_ARENA_MAX="3") == 3
    assert run(BLOCKS, bound=True, MALLOC_MMAP_THRESHOLD_=str(30 << 20)) == 0
