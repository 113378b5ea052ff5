"""Objects of a Kubernetes cluster: read, and merge-patched at a resource version.

References
----------
.. [1] Kubernetes, API Concepts: resource versions, patches (409 if the one given is not the
   newest), dry run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from schemas.errors import TargetError
from streams.act.execute.api import Api, Json, number_at, text_at
from streams.act.execute.contract import Request, Transition

MERGE = {"Content-Type": "application/merge-patch+json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How to reach a cluster, and how objects tell versions and generations.

    Parameters
    ----------
    api
        The API server.
    token
        The bearer token as of now: clusters renew it every hour.
    namespace, object_name
        Where the object is; ``{model}`` stands for the model.
    version_label
        Label of pods that holds the model's version.
    generation_annotation
        Annotation that holds the generation; None for ``metadata.generation``.
    """

    api: Api
    token: Callable[[], str]
    namespace: str
    object_name: str
    version_label: str
    generation_annotation: str | None = None

    def name(self, request: Request) -> str:
        """Name of the object of a model."""
        return self.object_name.replace("{model}", request.model)

    def path(self, group: str, kind: str, request: Request, name: str) -> str:
        """Path of an object in the namespace."""
        space = self.namespace.replace("{model}", request.model)
        return f"/apis/{group}/namespaces/{quote(space, safe='')}/{kind}/{quote(name, safe='')}"

    async def get(self, path: str) -> Json:
        """An object."""
        return (await self.api.get(path, headers=self._headers())).body

    async def patch(
        self, path: str, patch: Json, *, version: str, dry_run: bool = False
    ) -> tuple[Transition, Json]:
        """Merge a patch into an object, if its resource version still is the one given."""
        metadata = patch.get("metadata")
        given = dict(metadata) if isinstance(metadata, dict) else {}
        body = {**patch, "metadata": {**given, "resourceVersion": version}}
        query = {"fieldManager": "kittiwake"} | ({"dryRun": "All"} if dry_run else {})
        headers = self._headers() | MERGE
        return await self.api.write("PATCH", path, body, query=query, headers=headers)

    def generation(self, found: Json) -> int | None:
        """The deployment's generation."""
        if self.generation_annotation is None:
            return number_at(found, "metadata", "generation")
        value = text_at(found, "metadata", "annotations", self.generation_annotation)
        return int(value) if value and value.isdecimal() else None

    def next_generation(self, generation: int | None) -> dict[str, str]:
        """The annotation that counts the generation up; none where the cluster counts."""
        if self.generation_annotation is None or generation is None:
            return {}
        return {self.generation_annotation: str(generation + 1)}

    def version(self, labelled: Json, *path: str) -> str:
        """The model's version of the object whose labels are at a path."""
        version = text_at(labelled, *path, self.version_label)
        if version is None:
            name = text_at(labelled, "metadata", "name")
            raise TargetError(
                f"{name} has no label {self.version_label!r} at {'.'.join(path)}; label pods with"
                " the model's version"
            )
        return version

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}


def resource_version(found: Json) -> str:
    """What a patch is compared with."""
    version = text_at(found, "metadata", "resourceVersion")
    if not version:
        raise TargetError(
            "the object has no metadata.resourceVersion; is the URL the API server's?"
        )
    return version
