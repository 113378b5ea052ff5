"""KServe: give the canary of an InferenceService no more traffic."""

from __future__ import annotations

from schemas.errors import TargetError
from streams.act.execute.api import Json, number_at, object_at, text_at
from streams.act.execute.contract import Change, Observed, Request, Transition
from streams.act.execute.kubernetes import Cluster, resource_version

GROUP = "serving.kserve.io/v1beta1"
REVISIONS = "serving.knative.dev/v1"


class KServeExecutor:
    """Set ``canaryTrafficPercent`` to 0 at the InferenceService's resource version.

    All traffic then goes to the revision rolled out last. Once a canary is promoted, that is the
    canary itself: then there is nothing to go back to this way.

    Parameters
    ----------
    name
        Name in acknowledgements.
    cluster
        Where the InferenceService is; its labels are those of its revisions.

    References
    ----------
    .. [1] KServe, Canary Rollout Strategy; serverless mode only.
    """

    has_compare_and_set = True

    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name = name
        self._cluster = cluster

    async def read(self, request: Request) -> Observed:
        """The version that gets the canary's traffic, or all of it."""
        found = await self._cluster.get(self._path(request))
        predictor = object_at(found, "status", "components", "predictor")
        rolled = await self._version(text_at(predictor, "latestRolledoutRevision"), request)
        return Observed(
            version=await self._serves(found, predictor, rolled, request),
            generation=self._cluster.generation(found),
            token=resource_version(found),
            back_to=rolled,
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Take the canary's traffic away."""
        patch: dict[str, object] = {"spec": {"predictor": {"canaryTrafficPercent": 0}}}
        if annotations := self._cluster.next_generation(observed.generation):
            patch["metadata"] = {"annotations": annotations}
        transition, _ = await self._cluster.patch(
            self._path(request), patch, version=observed.token, dry_run=dry_run
        )
        if dry_run and transition.change is Change.CHANGED:
            what = "set canaryTrafficPercent to 0; the API server accepts it"
            return Transition(Change.WOULD_CHANGE, what)
        return transition

    async def close(self) -> None:
        """Close the connections."""
        await self._cluster.api.close()

    async def _serves(
        self, found: Json, predictor: Json, rolled: str, request: Request
    ) -> str | None:
        if number_at(found, "spec", "predictor", "canaryTrafficPercent") == 0:
            return rolled
        ready = text_at(predictor, "latestReadyRevision")
        if ready != text_at(predictor, "latestCreatedRevision"):
            return None  # a revision is coming up, which will get traffic
        return await self._version(ready, request)

    async def _version(self, revision: str | None, request: Request) -> str:
        if not revision:
            raise TargetError(
                f"{self._path(request)} names no revision in its status; is it ready?"
            )
        path = self._cluster.path(REVISIONS, "revisions", request, revision)
        return self._cluster.version(await self._cluster.get(path), "metadata", "labels")

    def _path(self, request: Request) -> str:
        name = self._cluster.name(request)
        return self._cluster.path(GROUP, "inferenceservices", request, name)
