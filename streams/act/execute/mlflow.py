"""The alias of a registered model in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.errors import TargetError
from streams.act.execute.api import Api, Json
from streams.act.execute.contract import Change, Observed, Request, Transition

_BASE = "/api/2.0/mlflow/registered-models"


class MlflowExecutor:
    """Point an alias back.

    MLflow sets an alias unconditionally, so there is no compare-and-set: this reads, compares and
    sets in three calls, and another's write in between would be overwritten. So people approve.

    Parameters
    ----------
    name
        Name in acknowledgements.
    api
        The tracking server.
    registered_model, alias
        Which alias; ``{model}`` stands for the model.
    version_prefix
        What stands before MLflow's number in the names of versions.
    generation_tag
        Tag of the registered model that holds the deployment's generation, counted up here.

    References
    ----------
    .. [1] MLflow, REST API, Registered Models: get, set alias, set tag.
    """

    has_compare_and_set = False

    def __init__(
        self,
        name: str,
        api: Api,
        *,
        registered_model: str,
        alias: str,
        version_prefix: str,
        generation_tag: str,
    ) -> None:
        self.name = name
        self._api = api
        self._model = registered_model
        self._alias = alias
        self._prefix = version_prefix
        self._tag = generation_tag

    async def read(self, request: Request) -> Observed:
        """The version that the alias points to."""
        answer = await self._api.get(f"{_BASE}/get", query={"name": self._name(request)})
        model = answer.body.get("registered_model")
        model = model if isinstance(model, Mapping) else {}
        alias = self._alias.replace("{model}", request.model)
        number = _found(model, "aliases", "alias", alias, "version")
        if number is None:
            raise TargetError(
                f"{self.name}: {self._name(request)} has no alias {alias!r}; set it when you deploy"
            )
        generation = _found(model, "tags", "key", self._tag, "value")
        return Observed(
            version=f"{self._prefix}{number}",
            generation=int(generation) if generation and generation.isdecimal() else None,
            token=number,
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Point the alias to the target, if it still points where it did a moment ago."""
        number = request.target.removeprefix(self._prefix)
        if not number.isdecimal() or not request.target.startswith(self._prefix):
            raise TargetError(
                f"{self.name}: {request.target!r} is no version of MLflow with the prefix"
                f" {self._prefix!r}; set version_prefix"
            )
        if (await self.read(request)).token != observed.token:
            return Transition(Change.CONFLICT, "the alias was moved meanwhile")
        name, alias = self._name(request), self._alias.replace("{model}", request.model)
        if dry_run:
            return Transition(Change.WOULD_CHANGE, f"point {alias} of {name} to {number}")
        body = {"name": name, "alias": alias, "version": number}
        transition, _ = await self._api.write("POST", f"{_BASE}/alias", body)
        if transition.change is Change.CHANGED and observed.generation is not None:
            return await self._counted_up(name, observed.generation + 1, transition)
        return transition

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _counted_up(self, name: str, generation: int, done: Transition) -> Transition:
        tag = {"name": name, "key": self._tag, "value": str(generation)}
        try:
            await self._api.write("POST", f"{_BASE}/set-tag", tag)
        except TargetError as error:  # the alias is set, which is what counts
            return Transition(done.change, f"{done.detail}; tag {self._tag} not set: {error}")
        return done

    def _name(self, request: Request) -> str:
        return self._model.replace("{model}", request.model)


def _found(model: Json, items: str, by: str, name: str, field: str) -> str | None:
    """The field of the item of a list that has the name."""
    for item in _objects(model.get(items)):
        if item.get(by) == name:
            return str(item.get(field))
    return None


def _objects(value: object) -> Iterator[Json]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
