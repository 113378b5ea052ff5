"""Argo Rollouts: abort a rollout, so that the stable ReplicaSet serves all."""

from __future__ import annotations

from schemas.errors import TargetError, TargetUnavailable
from streams.act.execute.api import Json, object_at, text_at
from streams.act.execute.contract import Change, Observed, Request, Transition
from streams.act.execute.kubernetes import Cluster, resource_version

GROUP = "argoproj.io/v1alpha1"
CLAIM = "kittiwake.io/rollback"
"""Annotation with the idempotency key and time of the attempt that aborts."""

_TRIES = 5


class ArgoExecutor:
    """Abort a Rollout at its resource version.

    An abort changes the status and no generation, and a person who retries the rollout undoes it
    without a trace. So the attempt first writes its key into an annotation, by compare-and-set,
    and only the attempt that wrote it aborts: a later one that finds the key, but no abort, leaves
    it to people.

    Parameters
    ----------
    name
        Name in acknowledgements.
    cluster
        Where the Rollout is.

    References
    ----------
    .. [1] Argo Rollouts, ``kubectl argo rollouts abort``: a merge patch of ``/status``.
    """

    has_compare_and_set = True

    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name = name
        self._cluster = cluster

    async def read(self, request: Request) -> Observed:
        """The version that the rollout goes to, or went back to."""
        return await self._observed(await self._cluster.get(self._path(request)), request)

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Claim the rollout, then abort it."""
        path = self._path(request)
        if dry_run:
            transition, _ = await self._abort(path, observed.token, dry_run=True)
            return _would(transition, f"abort {self._cluster.name(request)}")
        claim = {"metadata": {"annotations": {CLAIM: f"{request.key} {request.at_ms}"}}}
        transition, claimed = await self._cluster.patch(path, claim, version=observed.token)
        if transition.change is not Change.CHANGED:
            return transition
        return await self._aborted(path, claimed, request, observed)

    async def close(self) -> None:
        """Close the connections."""
        await self._cluster.api.close()

    async def _aborted(
        self, path: str, claimed: Json, request: Request, observed: Observed
    ) -> Transition:
        for _ in range(_TRIES):
            transition, _ = await self._abort(path, resource_version(claimed), dry_run=False)
            if transition.change is not Change.CONFLICT:
                return transition
            # The controller writes the status as well: go on while claim and generation stand.
            claimed = await self._cluster.get(path)
            ours = text_at(claimed, "metadata", "annotations", CLAIM)
            if ours != f"{request.key} {request.at_ms}":
                return transition
            if self._cluster.generation(claimed) != observed.generation:
                return transition
        raise TargetUnavailable(f"{path}: its status changed at each of {_TRIES} attempts")

    async def _abort(self, path: str, version: str, *, dry_run: bool) -> tuple[Transition, Json]:
        patch = {"status": {"abort": True}}
        return await self._cluster.patch(f"{path}/status", patch, version=version, dry_run=dry_run)

    async def _observed(self, found: Json, request: Request) -> Observed:
        status, labels = object_at(found, "status"), ("spec", "template", "metadata", "labels")
        stable = text_at(status, "stableRS")
        if not stable:
            raise TargetError(
                f"{self._path(request)} has no status.stableRS; nothing to go back to"
            )
        if text_at(status, "observedGeneration") != str(_generation(found)):
            raise TargetUnavailable(f"{self._path(request)}: the controller is behind its changes")
        replicas = self._cluster.path(
            "apps/v1", "replicasets", request, f"{self._cluster.name(request)}-{stable}"
        )
        back_to = self._cluster.version(await self._cluster.get(replicas), *labels)
        aborted = status.get("abort") is True
        return Observed(
            version=back_to if aborted else self._cluster.version(found, *labels),
            generation=self._cluster.generation(found),
            token=resource_version(found),
            back_to=back_to,
            claimed_at_ms=_claimed_at_ms(found, request.key),
        )

    def _path(self, request: Request) -> str:
        return self._cluster.path(GROUP, "rollouts", request, self._cluster.name(request))


def _generation(found: Json) -> object:
    return object_at(found, "metadata").get("generation")


def _claimed_at_ms(found: Json, key: str) -> int | None:
    claim = text_at(found, "metadata", "annotations", CLAIM) or ""
    by, _, at = claim.rpartition(" ")
    return int(at) if by == key and at.isdecimal() else None


def _would(transition: Transition, what: str) -> Transition:
    if transition.change is Change.CHANGED:
        return Transition(Change.WOULD_CHANGE, f"{what}; the API server accepts it")
    return transition
