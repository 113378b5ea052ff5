"""Executors: who rolls which models back, and how they are reached."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Message, Name
from schemas.durations import Duration
from schemas.endpoints import Url, Variable

Text = Annotated[str, Field(min_length=1, max_length=500)]
"""A name at the other side; ``{model}`` in it stands for the model's name."""

Generation = Annotated[str, Field(min_length=1, max_length=300)]
"""Name of a tag or annotation that holds the deployment's generation."""


class _Executor(Message):
    """What every executor has.

    ``models`` are the models it serves; ``*`` in a name stands for anything, and the first
    executor in the list that serves a model is the one that acts. A call that takes longer than
    ``timeout`` failed. With ``dry_run`` it says what it would do, and changes nothing.
    """

    name: Name
    models: Annotated[list[Name], Field(min_length=1)]
    timeout: Duration = "10s"
    dry_run: bool = False


class _Http(_Executor):
    """What is reached over HTTP.

    ``authorization_env`` names the variable with the whole value of the header ``Authorization``,
    such as ``Bearer abc``.
    """

    url: Url
    authorization_env: Variable | None = None


class Mlflow(_Http):
    """The alias of a registered model in MLflow, which has no compare-and-set.

    A version of a model is MLflow's number behind ``version_prefix``. ``generation_tag`` is the
    tag of the registered model that holds the deployment's generation.
    """

    kind: Literal["mlflow"]
    registered_model: Text = "{model}"
    alias: Text
    version_prefix: str = ""
    generation_tag: Generation = "kittiwake.generation"


class _Kubernetes(_Executor):
    """An object of a Kubernetes cluster; the defaults are those inside a pod.

    ``version_label`` is the label of the pods that holds the model's version. The generation is
    ``metadata.generation``, or that of ``generation_annotation``, for objects whose specification
    changes for other reasons than deployments, as under an autoscaler.
    """

    url: Url = "https://kubernetes.default.svc"
    token_file: Text = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    token_env: Variable | None = None
    ca_file: Text = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    namespace: Text
    object_name: Text = "{model}"
    version_label: Text = "version"
    generation_annotation: Generation | None = None


class ArgoRollouts(_Kubernetes):
    """A Rollout of Argo Rollouts, which is aborted."""

    kind: Literal["argo"]


class KServe(_Kubernetes):
    """An InferenceService of KServe, whose canary gets no more traffic."""

    kind: Literal["kserve"]


class LaunchDarkly(_Http):
    """A flag of LaunchDarkly, which is turned off; its off variation is what it goes back to.

    ``json_patch`` tests the version of the flag's environment as it sets it; ``semantic_patch``
    cannot, and so has no compare-and-set. ``authorization_env`` names the variable with the API
    access token.
    """

    kind: Literal["launchdarkly"]
    url: Url = "https://app.launchdarkly.com"
    project: Text
    environment: Text
    flag: Text = "{model}"
    update: Literal["json_patch", "semantic_patch"] = "json_patch"


class Flagd(_Executor):
    """A flag in a file that flagd reads; its variants are the versions.

    ``compare_and_set`` states that all who write the file take the lock beside it.
    """

    kind: Literal["flagd"]
    path: Text
    flag: Text = "{model}"
    compare_and_set: bool = False


class HttpState(_Http):
    """Any service with a resource that is read by GET and set by PUT with ``If-Match``.

    ``compare_and_set`` is False for one that does not honour ``If-Match``.
    """

    kind: Literal["http"]
    compare_and_set: bool = True


class Command(_Executor):
    """A program that reads a question as JSON and writes its answer as JSON.

    It gets no shell, and of the environment ``PATH`` and the variables in ``environment``.
    ``compare_and_set`` states that it compares and sets.
    """

    kind: Literal["command"]
    argv: Annotated[list[Text], Field(min_length=1, max_length=100)]
    environment: list[Variable] = []
    compare_and_set: bool = False


ExecutorSettings = Annotated[
    Mlflow | ArgoRollouts | KServe | LaunchDarkly | Flagd | HttpState | Command,
    Field(discriminator="kind"),
]
"""The settings of any executor."""
