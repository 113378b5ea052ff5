"""What ACT reads at its start: the plan, and the secrets that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from schemas.act import ActPlan
from schemas.errors import ConfigurationError, PlanError
from schemas.yaml_file import YamlFile

FILE = YamlFile(ActPlan, PlanError, "at least targets and default", "targets:")
SECRET = "_env"
"""How the keys end that name a variable with a secret."""

MASK = "***"


def load(path: Path | str) -> ActPlan:
    """The plan of a YAML file.

    Raises
    ------
    PlanError
        If the file cannot be read or is no plan; names line, column and the fix.
    """
    return FILE.load(path)


def loads(text: str, file: str = "act.yaml") -> ActPlan:
    """The plan of YAML text.

    Raises
    ------
    PlanError
        If the text is no plan; names line, column and the fix.

    Examples
    --------
    >>> loads("targets:\\n  ops: {kind: webhook, url: 'http://ops'}\\ndefault: [ops]\\n").default
    ['ops']
    >>> loads("targets:\\n  ops: {kind: webhook, uri: 'http://ops'}\\n")
    Traceback (most recent call last):
    schemas.errors.PlanError: act.yaml:2:8: targets.ops.url is missing; add it
    act.yaml:2:24: unknown key 'uri'; did you mean 'url'?
    """
    return FILE.loads(text, file)


class Secrets:
    """Secrets by the name of their variable; never shown.

    Examples
    --------
    >>> secrets = Secrets({"OPS": "s3cret"})
    >>> secrets
    Secrets(OPS=***)
    >>> secrets.mask("POST /s3cret failed"), secrets["OPS"]
    ('POST /*** failed', 's3cret')
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def of(cls, plan: BaseModel, environ: Mapping[str, str]) -> Secrets:
        """Those that the plan names, at any depth.

        Raises
        ------
        ConfigurationError
            If the environment lacks one, or it could not stand in a header.
        """
        names = sorted(set(_named(plan.model_dump())))
        missing = [name for name in names if not environ.get(name)]
        if missing:
            raise ConfigurationError(
                f"the environment has no {', '.join(missing)}, which the plan names as secret; "
                "set it, or take its target out of the plan"
            )
        found = {name: environ[name] for name in names}
        # As from a file's last line. No header takes it, and its error would quote it unmasked.
        spoilt = [name for name, value in found.items() if not _is_clean(value)]
        if spoilt:
            raise ConfigurationError(
                f"the environment's {', '.join(spoilt)} begins or ends with white space, or holds "
                "a line break or the like; take it out"
            )
        return cls(found)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def mask(self, text: str) -> str:
        """The text without any of the secrets."""
        for value in sorted(self._values.values(), key=len, reverse=True):
            text = text.replace(value, MASK)
        return text

    def __repr__(self) -> str:
        return f"Secrets({', '.join(f'{name}={MASK}' for name in self._values)})"


def _is_clean(secret: str) -> bool:
    return secret.isprintable() and secret == secret.strip()


def _named(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and str(key).endswith(SECRET):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
