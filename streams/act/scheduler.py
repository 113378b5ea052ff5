"""The scheduler: does what is due, once for each time that it is due."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.base import milliseconds
from schemas.notices import Notice
from schemas.schedules import HyperCareEnd, RetrainSchedule, Schedule, SilenceReview
from streams.act.history import History
from streams.act.notices import hyper_care_notice, silence_notice
from streams.act.schedule import Run, done, due, retrain
from streams.control import Control
from streams.runtime.clock import Clock
from streams.runtime.control_reader import ControlReader
from streams.runtime.envelope import command_message
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


class Scheduler:
    """Runs schedules; call `step` now and then from one thread.

    A run is done once the log says so: after its commands, or when its notice was delivered. What
    a process leaves undone the next one does; the ids are those of the run, so nothing counts
    twice. A schedule that the log does not know counts from now, and the log knows it from then.

    Parameters
    ----------
    schedules
        By name.
    """

    def __init__(
        self,
        schedules: Mapping[str, Schedule],
        *,
        transport: Transport,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._schedules = schedules
        self._settings = settings
        self._clock = clock
        self._history = History(transport, settings)
        self._controls = ControlReader(transport, settings)
        self._sender = transport.sender()
        self._seen_ms: dict[str, int] = {}

    def step(self) -> list[Notice]:
        """Publish the commands that are due; what people are to be told now, each once.

        Raises
        ------
        TransportError
            If the log does not take a command in time.
        """
        self._history.poll()
        self._controls.poll()
        now_ms = self._clock.wall_ms()
        for name, done_ms in self._history.done_ms.items():
            self._seen_ms[name] = max(done_ms, self._seen_ms.get(name, done_ms))
        for name in self._schedules.keys() - self._seen_ms.keys():
            self._note(Run(name, self._schedules[name], now_ms))
        return [
            notice
            for run in due(self._schedules, self._seen_ms, now_ms=now_ms)
            for notice in self._run(run, now_ms)
        ]

    def close(self) -> None:
        """Do no more."""
        self._history.close()
        self._controls.close()
        self._sender.close()

    def _run(self, run: Run, now_ms: int) -> list[Notice]:
        match run.schedule:
            case RetrainSchedule():
                for command in retrain(run, run.schedule):
                    self._sender.send(command_message(command, self._settings, source="act"))
                self._sender.flush()
                self._note(run)
                return []
            case SilenceReview():
                found = silence_notice(run, run.schedule, self._history.silences(), now_ms=now_ms)
                if found is None:
                    self._note(run)
                    return []
                # Its delivery says that the run is done; from here on the deliverer has it.
                self._seen_ms[run.name] = run.due_ms
                return [found]
            case HyperCareEnd():
                # What is not delivered by then is found again by the next run.
                self._note(run)
                return ended_care(self._controls.control, run.schedule, due_ms=run.due_ms)

    def _note(self, run: Run) -> None:
        command = done(run.name, run.due_ms)
        self._sender.send(command_message(command, self._settings, source="act"))
        self._sender.flush()
        self._seen_ms[run.name] = run.due_ms


def ended_care(control: Control, schedule: HyperCareEnd, *, due_ms: int) -> list[Notice]:
    """Notices of every version of every model whose hyper-care has ended by a time."""
    found = []
    for event in (event for model in control.models() for event in control.deployments(model)):
        active = control.active(event.model, milliseconds(event.time))
        policy = None if active is None else control.policy(active.policy)
        if policy is not None:
            found.append(hyper_care_notice(schedule, event, policy, due_ms=due_ms))
    return [notice for notice in found if notice is not None]
