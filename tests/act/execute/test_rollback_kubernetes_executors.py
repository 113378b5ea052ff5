"""Argo Rollouts and KServe, against a small API server with their recorded shapes."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
from rollback_requests import NOW_MS, Book, execute
from rollback_targets import Call, Cluster, JsonServer, Reply, recorded

from schemas.commands import Outcome
from schemas.executors import ArgoRollouts, KServe
from streams.act.execute.rules import CLAIM_MS

ENVIRON = {"TOKEN": "secret"}
SPACE = "namespaces/models"
ROLLOUT = f"/apis/argoproj.io/v1alpha1/{SPACE}/rollouts/fraud-server"
REPLICAS = f"/apis/apps/v1/{SPACE}/replicasets/fraud-server-7bf84f9696"
SERVICE = f"/apis/serving.kserve.io/v1beta1/{SPACE}/inferenceservices/fraud"
REVISION = f"/apis/serving.knative.dev/v1/{SPACE}/revisions/fraud-predictor"


@pytest.fixture
def cluster() -> Cluster:
    """A canary of v12 beside v11, in Argo Rollouts and in KServe."""
    stable = recorded("knative_revision")
    canary = deepcopy(stable)
    canary["metadata"]["labels"]["version"] = "v12"
    return Cluster(
        {
            ROLLOUT: recorded("argo_rollout"),
            REPLICAS: recorded("argo_replicaset"),
            SERVICE: recorded("kserve_inferenceservice"),
            f"{REVISION}-00001": stable,
            f"{REVISION}-00002": canary,
        }
    )


@pytest.fixture
def server(cluster: Cluster) -> Iterator[JsonServer]:
    """Its API server."""
    with JsonServer(cluster) as running:
        yield running


def given(server: JsonServer, **changes: object) -> dict[str, object]:
    """Settings that both have."""
    return {
        "name": "cluster",
        "models": ["fraud"],
        "url": server.url,
        "token_env": "TOKEN",
        "namespace": "models",
        **changes,
    }


def argo(server: JsonServer, **changes: object) -> ArgoRollouts:
    """An executor for the Rollout."""
    base = given(server, kind="argo", object_name="{model}-server")
    return ArgoRollouts.model_validate({**base, **changes})


def kserve(server: JsonServer, **changes: object) -> KServe:
    """An executor for the InferenceService."""
    return KServe.model_validate({**given(server, kind="kserve"), **changes})


def test_argo_claims_and_aborts_at_the_resource_version(server, cluster):
    """The abort is the merge patch of the status that Argo's own plugin sends."""
    before = cluster.objects[ROLLOUT]["metadata"]["resourceVersion"]
    done = execute(argo(server), environ=ENVIRON)
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 7)
    claim, abort = server.writes()
    assert claim.path == ROLLOUT
    assert claim.body["metadata"]["resourceVersion"] == before
    assert claim.body["metadata"]["annotations"] == {"kittiwake.io/rollback": f"key-1 {NOW_MS}"}
    assert abort.path == f"{ROLLOUT}/status"
    assert abort.body["status"] == {"abort": True}
    assert int(abort.body["metadata"]["resourceVersion"]) > int(before)
    assert cluster.objects[ROLLOUT]["status"]["abort"] is True
    again = execute(argo(server), environ=ENVIRON)
    assert (again.outcome, len(server.writes())) == (Outcome.APPLIED, 2)


def test_argo_goes_on_when_the_controller_writes_the_status_in_between(server, cluster):
    """The resource version moves all the time; the claim still stands."""
    reply, moves = server.answer, [1, 2]

    def busy(call: Call) -> Reply:
        if call.path.endswith("/status") and moves and moves.pop():
            cluster.touch(cluster.objects[ROLLOUT])
        return reply(call)

    server.answer = busy
    assert execute(argo(server), environ=ENVIRON).outcome is Outcome.APPLIED
    assert [call.path == ROLLOUT for call in server.writes()] == [True, False, False, False]


def test_argo_does_not_abort_again_what_a_person_retried(server, cluster):
    """The process died before it recorded its abort, and somebody undid it since."""
    assert execute(argo(server), environ=ENVIRON).outcome is Outcome.APPLIED
    cluster.objects[ROLLOUT]["status"]["abort"] = False
    soon = execute(argo(server), environ=ENVIRON, now_ms=NOW_MS + 1_000)
    assert soon is None
    later = execute(argo(server), environ=ENVIRON, now_ms=NOW_MS + CLAIM_MS)
    assert later.outcome is Outcome.FAILED
    assert "somebody undid it; look and decide by hand" in later.detail
    assert len(server.writes()) == 2


def test_argo_of_two_attempts_at_once_one_aborts(server, cluster):
    """The other finds the claim and leaves it alone."""
    reply, other = server.answer, []

    def overtaken(call: Call) -> Reply:
        if call.method == "PATCH" and not other:
            other.append(True)
            claim = {"kittiwake.io/rollback": f"key-1 {NOW_MS}"}
            cluster.objects[ROLLOUT]["metadata"]["annotations"] |= claim
            cluster.touch(cluster.objects[ROLLOUT])
        return reply(call)

    server.answer = overtaken
    assert execute(argo(server), environ=ENVIRON) is None
    assert "abort" not in cluster.objects[ROLLOUT]["status"]


def test_argo_refuses_to_go_back_to_another_version(server, cluster):
    """Once v12 is promoted, or if v10 is the stable one, an abort does not lead to v11."""
    cluster.objects[REPLICAS]["spec"]["template"]["metadata"]["labels"]["version"] = "v10"
    done = execute(argo(server), environ=ENVIRON)
    assert done.outcome is Outcome.REFUSED
    assert "can only go back to v10, not to v11" in done.detail
    assert server.writes() == []


def test_argo_waits_for_a_controller_that_is_behind(server, cluster):
    """Its status does not speak of the newest specification yet."""
    cluster.objects[ROLLOUT]["status"]["observedGeneration"] = "6"
    assert execute(argo(server), environ=ENVIRON) is None
    assert server.writes() == []


def test_argo_reads_the_generation_of_an_annotation(server, cluster):
    """An autoscaler counts ``metadata.generation`` up; the annotation counts deployments."""
    rollout = cluster.objects[ROLLOUT]
    rollout["metadata"]["generation"], rollout["status"]["observedGeneration"] = 40, "40"
    assert execute(argo(server), environ=ENVIRON).outcome is Outcome.REFUSED
    rollout["metadata"]["annotations"]["deploy/generation"] = "7"
    named = argo(server, generation_annotation="deploy/generation")
    assert execute(named, environ=ENVIRON).outcome is Outcome.APPLIED


def test_a_pod_without_the_label_fails_with_the_fix(server, cluster):
    """The version cannot be told."""
    done = execute(argo(server, version_label="model-version"), environ=ENVIRON)
    assert done.outcome is Outcome.FAILED
    assert "has no label 'model-version'" in done.detail


def test_kserve_takes_the_canarys_traffic_away(server, cluster):
    """At the resource version; the cluster counts the generation up."""
    before = cluster.objects[SERVICE]["metadata"]["resourceVersion"]
    done = execute(kserve(server), environ=ENVIRON)
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    (write,) = server.writes()
    assert write.body == {
        "metadata": {"resourceVersion": before},
        "spec": {"predictor": {"canaryTrafficPercent": 0}},
    }
    assert execute(kserve(server), environ=ENVIRON).outcome is Outcome.APPLIED
    assert len(server.writes()) == 1


def test_kserve_refuses_the_request_that_a_person_undid(server, cluster):
    """There and back again is another generation."""
    assert execute(kserve(server), environ=ENVIRON).outcome is Outcome.APPLIED
    cluster.objects[SERVICE]["spec"]["predictor"]["canaryTrafficPercent"] = 10
    cluster.objects[SERVICE]["metadata"]["generation"] = 9
    done = execute(kserve(server), environ=ENVIRON)
    assert (done.outcome, len(server.writes())) == (Outcome.REFUSED, 1)


def test_kserve_counts_its_annotation_up(server, cluster):
    """Where an annotation is the generation, the change and the count are one patch."""
    cluster.objects[SERVICE]["metadata"]["annotations"]["deploy/generation"] = "7"
    named = kserve(server, generation_annotation="deploy/generation")
    assert execute(named, environ=ENVIRON).generation == 8


def test_kserve_cannot_go_back_after_promotion(server, cluster):
    """The last revision rolled out then is the canary itself."""
    predictor = cluster.objects[SERVICE]["status"]["components"]["predictor"]
    predictor["latestRolledoutRevision"] = "fraud-predictor-00002"
    done = execute(kserve(server), environ=ENVIRON)
    assert done.outcome is Outcome.REFUSED
    assert "can only go back to v12" in done.detail


@pytest.mark.parametrize("fault", ["drop", 500])
def test_kserve_reads_back_what_an_unknown_write_did(server, cluster, fault):
    """A lost answer is no second transition."""
    server.faults = [fault]
    first = execute(kserve(server), environ=ENVIRON)
    assert (first is None) == (fault == 500)
    assert execute(kserve(server), environ=ENVIRON).outcome is Outcome.APPLIED
    assert cluster.objects[SERVICE]["metadata"]["generation"] == 8


def test_a_dry_run_asks_the_api_server(server, cluster, caplog):
    """``dryRun=All``: checked there, with permissions, and not kept."""
    caplog.set_level("INFO", "kittiwake.executors")
    objects, book = deepcopy(cluster.objects), Book()
    for one in (argo(server, dry_run=True), kserve(server, dry_run=True)):
        assert execute(one, environ=ENVIRON, book=book) is None
    assert all(call.query["dryRun"] == "All" for call in server.writes())
    assert caplog.text.count("the API server accepts it") == 2
    assert (cluster.objects, book.records) == (objects, {})


def test_a_wrong_token_fails(server):
    """People are told what to check."""
    done = execute(kserve(server), environ={"TOKEN": "old"})
    assert done.outcome is Outcome.FAILED
    assert "answered 401" in done.detail


def test_argo_without_a_generation_goes_on_as_well(server, cluster):
    """A person approved; the controller's writes of the status do not stand in the way."""
    reply, moves = server.answer, [1, 2]

    def busy(call: Call) -> Reply:
        if call.path.endswith("/status") and moves and moves.pop():
            cluster.touch(cluster.objects[ROLLOUT])
        return reply(call)

    server.answer = busy
    named = argo(server, generation_annotation="deploy/generation")
    assert execute(named, environ=ENVIRON, approvals=["ada"]).outcome is Outcome.APPLIED
