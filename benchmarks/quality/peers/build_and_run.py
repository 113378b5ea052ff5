"""Make an environment for each peer, and run its script there: ``make quality-peers``.

Environments live in ``~/.cache/kittiwake/peers/<peer>`` and are made anew when the peer's
requirements file changes. Needs Python 3.11 and nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.environments import python_of, quiet

HERE = Path(__file__).resolve().parent
PEERS = ("textbook", "river", "nannyml", "alibi_detect", "evidently", "frouros", "mapie")
DATA = HERE.parents[3] / "shared" / "data"
HOME = Path("~/.cache/kittiwake/peers").expanduser()


def run(peer: str, home: Path, data: Path, case: str) -> None:
    """Run one peer's script; its results go to ``results/``."""
    started = time.perf_counter()
    script = HERE / f"run_{peer}.py"
    python = python_of(peer, HERE / f"requirements-{peer}.txt", home)
    command = [str(python), str(script), "--data", str(data), "--only", case]
    subprocess.run(command, check=True, cwd=HERE, env=quiet())
    print(f"{peer}: {time.perf_counter() - started:.0f} s", flush=True)


def main() -> int:
    """Run the peers asked for; a peer that fails does not keep the others from running."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("KITTIWAKE_QUALITY_DATA", DATA))
    parser.add_argument("--data", type=Path, default=default, help="folder of the data sets")
    parser.add_argument("--home", type=Path, default=HOME, help="folder of the environments")
    parser.add_argument("--peer", choices=PEERS, action="append", help="all if left out")
    parser.add_argument("--case", default="", help="such as G1; all if left out")
    options = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        sys.exit("the peers' versions need Python 3.11; run this with python3.11")
    if not (options.data / "employment").is_dir():
        sys.exit(f"no data sets in {options.data}; name their folder with --data")
    failed = []
    for peer in options.peer or PEERS:
        try:
            run(peer, options.home, options.data.resolve(), options.case)
        except subprocess.CalledProcessError as error:
            failed.append(peer)
            print(f"{peer}: ended with code {error.returncode}", file=sys.stderr, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}; their stored results are the old ones")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
