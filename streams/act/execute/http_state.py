"""Any service whose state is read by GET and set by PUT with ``If-Match``."""

from __future__ import annotations

from urllib.parse import quote

from schemas.errors import TargetError
from streams.act.execute.api import Api, number_at, text_at
from streams.act.execute.contract import Change, Observed, Request, Transition


class HttpStateExecutor:
    """Set a version at a URL.

    ``GET`` answers ``{"version": "v12", "generation": 7}`` with a strong ``ETag``; ``PUT`` takes
    ``{"version": "v11"}`` with ``If-Match``, and counts the generation up.

    Parameters
    ----------
    name
        Name in acknowledgements.
    api
        The service.
    path
        Path of the resource; ``{model}`` stands for the model.
    compare_and_set
        Whether the service honours ``If-Match``.

    References
    ----------
    .. [1] RFC 9110, HTTP Semantics, section 13.1.1.
    """

    def __init__(self, name: str, api: Api, *, path: str, compare_and_set: bool) -> None:
        self.name = name
        self.has_compare_and_set = compare_and_set
        self._api = api
        self._path = path

    async def read(self, request: Request) -> Observed:
        """What the deployment serves now."""
        answer = await self._api.get(self._at(request), headers={"Cache-Control": "no-cache"})
        if self.has_compare_and_set and not answer.etag.startswith('"'):
            raise TargetError(
                f"{self.name}: the answer has no strong ETag but {answer.etag!r}; send one, or"
                " set compare_and_set: false and let people approve"
            )
        return Observed(
            version=text_at(answer.body, "version"),
            generation=number_at(answer.body, "generation"),
            token=answer.etag,
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Put the target's version, if the entity tag still is the same."""
        path = self._at(request)
        if dry_run:
            return Transition(Change.WOULD_CHANGE, f"PUT {path} with If-Match {observed.token}")
        headers = {"Idempotency-Key": request.key}
        if self.has_compare_and_set:
            headers["If-Match"] = observed.token
        body = {"version": request.target, "rollback_id": request.rollback_id}
        transition, _ = await self._api.write("PUT", path, body, headers=headers)
        return transition

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _at(self, request: Request) -> str:
        return self._path.replace("{model}", quote(request.model, safe=""))
