"""Executors from their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from schemas.durations import duration_ms
from schemas.errors import ConfigurationError, TargetUnavailable
from schemas.executors import (
    ArgoRollouts,
    Command,
    ExecutorSettings,
    Flagd,
    HttpState,
    KServe,
    LaunchDarkly,
    Mlflow,
)
from streams.act.execute.api import Api
from streams.act.execute.argo import ArgoExecutor
from streams.act.execute.command import CommandExecutor
from streams.act.execute.contract import Executor
from streams.act.execute.flagd import FlagdExecutor
from streams.act.execute.handle import Executors, Serving
from streams.act.execute.http_state import HttpStateExecutor
from streams.act.execute.kserve import KServeExecutor
from streams.act.execute.kubernetes import Cluster
from streams.act.execute.launchdarkly import LaunchDarklyExecutor
from streams.act.execute.mlflow import MlflowExecutor
from streams.act.execute.run import PACE, Pace


def build(
    settings: Sequence[ExecutorSettings], environ: Mapping[str, str], *, pace: Pace = PACE
) -> Executors:
    """The executors of a plan, in its order.

    Parameters
    ----------
    environ
        Environment variables, from which secrets come.

    Raises
    ------
    ConfigurationError
        If two have one name, or a variable or file that one names is missing.

    Examples
    --------
    >>> flag = Flagd(
    ...     kind="flagd", name="flags", models=["fraud*"], path="flags.json", compare_and_set=True
    ... )
    >>> executors = build([flag], {})
    >>> executors.of("fraud-eu").executor.name
    'flags'
    >>> executors.of("churn") is None
    True
    """
    names = [one.name for one in settings]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"two executors are called {twice[0]!r}; give each its own name")
    serving = [
        Serving(_executor(one, environ), tuple(one.models), dry_run=one.dry_run) for one in settings
    ]
    return Executors(serving, pace)


def _executor(one: ExecutorSettings, environ: Mapping[str, str]) -> Executor:
    timeout_ms = duration_ms(one.timeout)
    match one:
        case Mlflow():
            return MlflowExecutor(
                one.name,
                _api(one, environ),
                registered_model=one.registered_model,
                alias=one.alias,
                version_prefix=one.version_prefix,
                generation_tag=one.generation_tag,
            )
        case ArgoRollouts():
            return ArgoExecutor(one.name, _cluster(one, environ))
        case KServe():
            return KServeExecutor(one.name, _cluster(one, environ))
        case LaunchDarkly():
            return LaunchDarklyExecutor(
                one.name,
                _api(one, environ),
                project=one.project,
                environment=one.environment,
                flag=one.flag,
                semantic=one.update == "semantic_patch",
            )
        case HttpState():
            parts = urlsplit(one.url)
            root = one.model_copy(update={"url": f"{parts.scheme}://{parts.netloc}"})
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            return HttpStateExecutor(
                one.name, _api(root, environ), path=path, compare_and_set=one.compare_and_set
            )
        case Flagd():
            return FlagdExecutor(
                one.name,
                path=Path(one.path),
                flag=one.flag,
                compare_and_set=one.compare_and_set,
                timeout_ms=timeout_ms,
            )
        case Command():
            wanted = [*one.environment, *(["PATH"] if "PATH" in environ else [])]
            return CommandExecutor(
                one.name,
                argv=one.argv,
                environment={name: _variable(one.name, name, environ) for name in wanted},
                compare_and_set=one.compare_and_set,
                timeout_ms=timeout_ms,
            )


def _api(one: Mlflow | LaunchDarkly | HttpState, environ: Mapping[str, str]) -> Api:
    secret = one.authorization_env
    return Api(
        one.url,
        authorization=_variable(one.name, secret, environ) if secret else "",
        timeout_ms=duration_ms(one.timeout),
    )


def _cluster(one: ArgoRollouts | KServe, environ: Mapping[str, str]) -> Cluster:
    secure = one.url.startswith("https:")
    if secure and not Path(one.ca_file).is_file():
        raise ConfigurationError(f"{one.name}: no file {one.ca_file}; set ca_file to the cluster's")
    return Cluster(
        api=Api(
            one.url, timeout_ms=duration_ms(one.timeout), ca_file=one.ca_file if secure else ""
        ),
        token=_token(one, environ),
        namespace=one.namespace,
        object_name=one.object_name,
        version_label=one.version_label,
        generation_annotation=one.generation_annotation,
    )


def _token(one: ArgoRollouts | KServe, environ: Mapping[str, str]) -> Callable[[], str]:
    if one.token_env:
        value = _variable(one.name, one.token_env, environ)
        return lambda: value

    def read() -> str:
        try:
            return Path(one.token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise TargetUnavailable(f"{one.name}: {one.token_file}: {error.strerror}") from error

    return read


def _variable(executor: str, name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if not value:
        raise ConfigurationError(f"{executor}: the environment variable {name} is not set; set it")
    return value
