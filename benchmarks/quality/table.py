"""Results as they are stored: targets, one table of scores for each stream, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.quality.case import (
    KITTIWAKE,
    Case,
    Cell,
    Line,
    PeerRun,
    Picture,
    Run,
    Stream,
    Table,
    Target,
    alarms_of,
)
from benchmarks.quality.scoring import Alarm, Score, always, episodes, never

COLUMNS = (
    "tool",
    "operating point",
    "runs",
    "false episodes per monitor-day",
    "runs with one",
    "missed",
    "median delay",
    "p90",
    "mean delay, missed = H",
    "names a right signal",
    "names all",
)
SHOWN_RUNS = 20


@dataclass(frozen=True)
class CaseResult:
    """All that is known of a case."""

    name: str
    title: str
    targets: Sequence[Target]
    tables: Sequence[Table]
    pictures: Sequence[Picture]
    notes: Sequence[str]
    seconds: float

    def stored(self) -> dict[str, object]:
        """As JSON."""
        targets = [{**asdict(target), "met": target.met} for target in self.targets]
        return {**asdict(self), "targets": targets}


def result_of(
    case: Case, runs: Sequence[Run], peers: Sequence[PeerRun], *, seconds: float
) -> CaseResult:
    """A case with its dummies and peers."""
    told = case.tell(runs, peers)
    tables = [_scores(stream, runs, _on(peers, stream)) for stream in case.streams]
    strips = [_strip(stream, runs, _on(peers, stream)) for stream in case.streams]
    notes = dict.fromkeys(
        f"{peer.peer}, {peer.operating_point}: {peer.note}" for peer in peers if peer.note
    )
    return CaseResult(
        name=case.name,
        title=case.title,
        targets=told.targets,
        tables=[*tables, *told.tables],
        pictures=[*told.pictures, *strips],
        notes=[*told.notes, *notes],
        seconds=seconds,
    )


def _on(peers: Sequence[PeerRun], stream: Stream) -> list[PeerRun]:
    return [peer for peer in peers if peer.stream == stream.name]


def _scores(stream: Stream, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Table:
    ends = always(stream.first, stream.rows, stream.window_rows)
    rows = [
        _row(KITTIWAKE, "default", stream.score(alarms_of(runs, stream.name))),
        _row("never alarms", "", stream.score([never()])),
        _row("alarms in every window", "", stream.score([ends])),
        *(
            _row(_called(peer), peer.operating_point, stream.score(peer.runs))
            for peer in peers
            if peer.runs
        ),
    ]
    return Table(f"{stream.title}, windows of {stream.window_rows:,}", COLUMNS, rows)


def _called(peer: PeerRun) -> str:
    return f"{peer.peer} {peer.version}, windows of {peer.window_rows:,}"


def _row(tool: str, point: str, score: Score) -> list[Cell]:
    return [
        tool,
        point,
        score.runs,
        score.false_per_day,
        score.any_false,
        score.missed,
        score.median_delay,
        score.p90_delay,
        score.restricted_mean,
        score.named,
        score.named_all,
    ]


def _strip(stream: Stream, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Picture:
    """Episodes along the rows: a line of points for each tool, a row of it for each run."""
    lanes: list[tuple[str, Sequence[Sequence[Alarm]]]] = [
        (KITTIWAKE, alarms_of(runs, stream.name)),
        *((f"{peer.peer} {peer.operating_point}", peer.runs) for peer in peers),
    ]
    lines = []
    for lane, (name, found) in enumerate(lanes):
        points = [
            (episode.at, round(lane + 0.15 + 0.7 * place / SHOWN_RUNS, 3))
            for place, alarms in enumerate(found[:SHOWN_RUNS])
            for episode in episodes(alarms)
        ]
        lines.append(Line(name, [x for x, _ in points], [y for _, y in points]))
    marks = [mark for mark in (stream.truth.on, stream.truth.end) if mark is not None]
    return Picture(f"{stream.title}: episodes of up to 20 runs", "row", "", lines, marks)
