"""Make the shipped data file from the original archive.

``python -m examples.bank.prepare bank-additional.zip`` writes ``bank-additional.csv.gz`` beside
this file. The archive is the one of UCI dataset 222; LICENSE-DATA lists what is changed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import zipfile
from pathlib import Path

MEMBER = "bank-additional/bank-additional-full.csv"
MEMBER_SHA256 = "74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8"
DROPPED = "duration"
DESTINATION = Path(__file__).with_name("bank-additional.csv.gz")


def read_original(archive: Path) -> bytes:
    """The original table inside the archive.

    Raises
    ------
    ValueError
        If its bytes are not those the example was built on.
    """
    with zipfile.ZipFile(archive) as opened:
        table = opened.read(MEMBER)
    found = hashlib.sha256(table).hexdigest()
    if found != MEMBER_SHA256:
        raise ValueError(
            f"{archive}: {MEMBER} has SHA-256 {found}, expected {MEMBER_SHA256}; "
            "use the archive of UCI dataset 222"
        )
    return table


def compact(table: bytes) -> bytes:
    r"""The table without the dropped column and the quotes; rows keep their order.

    Examples
    --------
    >>> compact(b'"age";"duration";"y"\r\n56;261;"no"\r\n')
    b'age;y\n56;no\n'
    """
    rows = csv.reader(io.StringIO(table.decode("ascii"), newline=""), delimiter=";")
    header = next(rows)
    place = header.index(DROPPED)
    lines = (";".join(row[:place] + row[place + 1 :]) for row in (header, *rows))
    return "".join(line + "\n" for line in lines).encode("ascii")


def compress(text: bytes) -> bytes:
    """Gzip without a time stamp, so that the same text gives the same bytes."""
    return gzip.compress(text, compresslevel=9, mtime=0)


def main() -> None:
    """Write the shipped file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="bank-additional.zip of UCI dataset 222")
    parser.add_argument("--output", type=Path, default=DESTINATION)
    options = parser.parse_args()
    data = compress(compact(read_original(options.archive)))
    options.output.write_bytes(data)
    print(f"{options.output}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
