"""LaunchDarkly: turn a flag off, so that everybody gets its off variation."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from schemas.errors import TargetError, TargetUnavailable
from streams.act.execute.api import Api, Json, number_at, object_at
from streams.act.execute.contract import Change, Observed, Request, Transition

_SEMANTIC = {"Content-Type": "application/json; domain-model=launchdarkly.semanticpatch"}
_JSON_PATCH = {"Content-Type": "application/json"}
_API_VERSION = {"LD-API-Version": "20240415"}


class LaunchDarklyExecutor:
    """Turn a flag off in one environment.

    A variation's version is its value, if that is a text, else its name. The generation is the
    version of the flag's environment, which LaunchDarkly counts up with each change.

    Parameters
    ----------
    name
        Name in acknowledgements.
    api
        LaunchDarkly.
    project, environment, flag
        Which flag; ``{model}`` in ``flag`` stands for the model.
    semantic
        Send a semantic patch, which has no precondition, instead of a JSON patch that tests the
        environment's version.

    References
    ----------
    .. [1] LaunchDarkly, REST API: Updates (JSON patch with ``test``, semantic patch with
       ``turnFlagOff``), Get feature flag.
    """

    def __init__(
        self, name: str, api: Api, *, project: str, environment: str, flag: str, semantic: bool
    ) -> None:
        self.name = name
        self.has_compare_and_set = not semantic
        self._api = api
        self._project = project
        self._environment = environment
        self._flag = flag
        self._semantic = semantic

    async def read(self, request: Request) -> Observed:
        """The version of the variation that is served."""
        query = {"env": self._environment}
        flag = (await self._api.get(self._path(request), query=query, headers=_API_VERSION)).body
        settings = object_at(flag, "environments", self._environment)
        version = number_at(settings, "version")
        if version is None:
            raise TargetError(f"{self.name}: the flag has no environment {self._environment!r}")
        off = _variation(flag, number_at(settings, "offVariation"))
        if off is None:
            raise TargetError(f"{self.name}: the flag has no off variation; give it one")
        through = _variation(flag, number_at(settings, "fallthrough", "variation"))
        # Targets and rules may send some elsewhere: a flag that is on never counts as rolled back.
        on = through if through != off else None
        return Observed(
            version=on if settings.get("on") is not False else off,
            generation=version,
            token=str(version),
            back_to=off,
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Turn the flag off."""
        if dry_run:
            return Transition(Change.WOULD_CHANGE, f"turn {self._path(request)} off")
        headers = _API_VERSION | (_SEMANTIC if self._semantic else _JSON_PATCH)
        body = self._turn_off(request) if self._semantic else self._test_and_set(observed)
        try:
            return (await self._api.write("PATCH", self._path(request), body, headers=headers))[0]
        except TargetUnavailable:
            raise
        except TargetError:
            # A test that fails is refused like a patch that is wrong; the version tells which.
            if (await self.read(request)).token == observed.token:
                raise
            return Transition(Change.CONFLICT, "the flag was changed meanwhile")

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _path(self, request: Request) -> str:
        flag = self._flag.replace("{model}", request.model)
        return f"/api/v2/flags/{quote(self._project, safe='')}/{quote(flag, safe='')}"

    def _turn_off(self, request: Request) -> Json:
        return {
            "environmentKey": self._environment,
            "comment": f"Kittiwake {request.rollback_id}: back to {request.target}",
            "instructions": [{"kind": "turnFlagOff"}],
        }

    def _test_and_set(self, observed: Observed) -> list[Json]:
        at = f"/environments/{self._environment}"
        return [
            {"op": "test", "path": f"{at}/version", "value": int(observed.token)},
            {"op": "replace", "path": f"{at}/on", "value": False},
        ]


def _variation(flag: Json, index: int | None) -> str | None:
    variations = flag.get("variations")
    if index is None or not isinstance(variations, list) or not 0 <= index < len(variations):
        return None
    variation = variations[index]
    if not isinstance(variation, Mapping):
        return None
    value, name = variation.get("value"), variation.get("name")
    return value if isinstance(value, str) else str(name) if name else None
