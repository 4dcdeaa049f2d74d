"""Registering, listing, promoting, rolling back."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from boucle.core.document import from_json, to_json
from boucle.core.version import Artifact, CodeFile, Version
from boucle.jobs.job import JobQuery
from web.made_up import World, digests


def test_registering_a_manifest_makes_a_version_and_one_build_job(api: httpx.Client, world: World) -> None:
    manifest = world.manifest(seed=90, author="hedy")

    first = api.post("/api/v1/models/new-model/versions", json=to_json(manifest))
    again = api.post("/api/v1/models/new-model/versions", json=to_json(manifest))

    version = from_json(Version, first.json())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["Location"] == "/api/v1/models/new-model/versions/1"
    assert (version.number, version.state, version.author, version.manifest) == (1, "building", "hedy", manifest)
    assert again.json() == first.json()
    jobs = world.jobs.list(JobQuery("build"))
    assert [(job.args, job.dedupe, job.id) for job in jobs] == [
        ({"name": "new-model", "number": 1}, "build:new-model:1:1", version.job)
    ]


def test_a_registration_without_its_artifacts_lists_those_to_upload(api: httpx.Client, world: World) -> None:
    absent = Artifact("a" * 64, 7)
    manifest = world.manifest(model=absent, code=(CodeFile("shop/features.py", "b" * 64, 3),))

    answer = api.post("/api/v1/models/new-model/versions", json=to_json(manifest))

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:boucle:problem:missing-artifacts"
    assert answer.json()["missing"] == ["a" * 64, "b" * 64]
    assert api.get("/api/v1/models/new-model").status_code == 404


def test_a_size_that_is_not_that_of_the_artifact_is_refused(api: httpx.Client, world: World) -> None:
    manifest = world.manifest(seed=91)
    wrong = to_json(manifest)
    wrong["model"]["size_bytes"] += 1

    answer = api.post("/api/v1/models/new-model/versions", json=wrong)

    assert answer.status_code == 422
    assert "size_bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["../evil.py", "/etc/evil.py", "a/../../b.py", "a\\b.py", "a//b.py", "evil.sh", ".py", "a/.b.py", "a\n.py"]
)
def test_code_cannot_be_carried_to_just_anywhere(api: httpx.Client, world: World, path: str) -> None:
    stored = world.artifacts.write(b"x = 1")
    manifest = world.manifest(code=(CodeFile(path, stored.digest, stored.size_bytes),))

    answer = api.post("/api/v1/models/new-model/versions", json=to_json(manifest))

    assert answer.status_code == 422
    assert "Manifest.code.path" in answer.json()["detail"]


def test_a_manifest_with_a_wrong_field_is_refused_with_its_place(api: httpx.Client, world: World) -> None:
    document = to_json(world.manifest())
    document["schema"]["columns"][2]["type"] = "complex"

    answer = api.post("/api/v1/models/new-model/versions", json=document)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/schema/columns/2/type"
    assert "complex" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'"\\ud800"', "application/json", 400),
        (b"[" * 100 + b"]" * 100, "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'{"a": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"17", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b"", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"x" * (8 * 1024 * 1024 + 1), "application/json", 413),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/models/churn/versions", "/api/v1/models/churn/promote"])
def test_a_body_that_cannot_be_used_is_refused_never_an_error_of_ours(
    api: httpx.Client, path: str, body: bytes, media: str, status: int
) -> None:
    answer = api.post(path, content=body, headers={"Content-Type": media})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.content) < 16_384


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "2", None, 2**40, [], {}])
def test_a_promotion_needs_the_number_of_a_version(api: httpx.Client, number: Any) -> None:
    answer = api.post("/api/v1/models/churn/promote", json={"version": number})

    assert answer.status_code == 422
    assert "the number of a version" in answer.json()["detail"]


def test_promoting_tells_the_aliases_and_who_did_it(api: httpx.Client) -> None:
    answer = api.post("/api/v1/models/churn/promote", json={"version": 3, "actor": "mary"})

    assert answer.status_code == 200
    assert answer.json()["aliases"] == {"champion": 3}
    assert answer.json()["previous"] == 2
    newest = api.get("/api/v1/models/churn/history").json()["history"][-1]
    assert (newest["actor"], newest["action"], newest["version"]) == ("mary", "promote", 3)


def test_a_rollback_brings_the_champion_of_before_and_then_there_is_none(api: httpx.Client) -> None:
    assert api.post("/api/v1/models/churn/rollback").json()["aliases"]["champion"] == 1

    again = api.post("/api/v1/models/churn/rollback", json={})

    assert again.status_code == 409
    assert "no champion before" in again.json()["detail"]


@pytest.mark.parametrize(
    ("document", "status", "words"),
    [
        ({"version": 99}, 404, "There is: 1 (ready), 2 (ready), 3 (ready)"),
        ({"version": 1, "alias": "favourite"}, 404, "champion"),
        ({"version": 1, "alias": 7}, 422, "alias"),
        ({"version": 1, "actor": "x" * 81}, 422, "actor"),
    ],
)
def test_a_promotion_that_cannot_be_says_what_there_is(
    api: httpx.Client, document: dict[str, Any], status: int, words: str
) -> None:
    answer = api.post("/api/v1/models/churn/promote", json=document)

    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_version_that_is_not_ready_cannot_be_promoted(api: httpx.Client) -> None:
    answer = api.post("/api/v1/models/house-price/promote", json={"version": 2})

    assert answer.status_code == 409
    assert "only a ready version" in answer.json()["detail"]


def test_the_listing_tells_champion_runtime_author_and_traffic(api: httpx.Client) -> None:
    models = {model["name"]: model for model in api.get("/api/v1/models").json()["models"]}

    assert list(models) == ["churn", "claims-triage", "house-price", "late-payment"]
    churn = models["churn"]
    assert (churn["champion"], churn["runtime"], churn["versions"], churn["author"]) == (2, "python", 3, "ada")
    assert churn["traffic"]["requests"] == 48_211
    assert models["claims-triage"]["champion"] is None
    assert models["claims-triage"]["states"] == {"failed": 1}
    assert models["late-payment"]["traffic"] is None


def test_a_model_is_told_with_the_documents_of_its_versions(api: httpx.Client, world: World) -> None:
    document = api.get("/api/v1/models/churn").json()

    versions = [from_json(Version, item) for item in document["versions"]]
    assert tuple(versions) == world.registry.versions("churn")
    assert document["previous"] == 1
    assert api.get("/api/v1/models/churn/versions/2").json() == document["versions"][1]


def test_the_schema_is_the_champions_json_schema(api: httpx.Client) -> None:
    answer = api.get("/api/v1/models/churn/schema")

    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.json()["properties"]["housing"] == {"type": "boolean"}
    assert api.get("/api/v1/models/claims-triage/schema").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "models/nobody",
        "models/nobody/versions/1",
        "models/churn/versions/9",
        "models/nobody/history",
        "nothing",
        "jobs/x",
    ],
)
def test_what_is_not_there_is_a_problem_document(api: httpx.Client, path: str) -> None:
    answer = api.get(f"/api/v1/{path}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:boucle:problem:not-found"
    assert answer.json()["instance"].startswith("urn:boucle:request:")


@pytest.mark.parametrize(
    "name", ["Churn", "1st", "a_b", "a" * 64, "%00", "%2e%2e", "caf%C3%A9", "a%0ab", "%F0%9F%92%A9"]
)
@pytest.mark.parametrize("rest", ["", "/versions/1", "/history", "/schema"])
def test_a_name_that_cannot_be_is_refused(api: httpx.Client, name: str, rest: str) -> None:
    answer = api.get(f"/api/v1/models/{name}{rest}")

    assert answer.status_code in (400, 404)


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 40, "%20"])
def test_a_number_that_cannot_be_is_named(api: httpx.Client, number: str) -> None:
    answer = api.get(f"/api/v1/models/churn/versions/{number}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "number"


def test_problems_speak_the_callers_language(api: httpx.Client) -> None:
    answer = api.get("/api/v1/models/nobody", headers={"Accept-Language": "fr-CA,fr;q=0.8"})

    assert answer.headers["Content-Language"] == "fr"


def test_jobs_are_listed_shown_and_cancelled(api: httpx.Client, world: World) -> None:
    job = world.jobs.enqueue("build", {"name": "churn", "number": 1})

    assert [item["id"] for item in api.get("/api/v1/jobs?kind=build").json()["jobs"]] == [job.id]
    assert api.get(f"/api/v1/jobs/{job.id}").json()["state"] == "ready"
    assert api.post(f"/api/v1/jobs/{job.id}/cancel").json()["is_cancelled"] is True


def test_the_platform_tells_its_addresses_and_its_isolation(api: httpx.Client) -> None:
    assert api.get("/api/v1/platform").json() == {
        "version": "0.1.0",
        "gateway_url": "http://127.0.0.1:8080",
        "isolation": "none",
    }


def test_readiness_asks_the_registry(world: World, api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/readyz").json() == {"status": "ready"}

    def broken() -> None:
        raise OSError("disk")

    monkeypatch.setattr(world.registry, "route_table", broken)
    answer = api.get("/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "disk" not in answer.text
    assert api.get("/livez").status_code == 200


def test_a_manifest_told_as_openapi_is_the_manifest(api: httpx.Client, world: World) -> None:
    document = api.get("/api/openapi.json").json()

    schemas = document["components"]["schemas"]
    told = to_json(world.manifest(target="y", reference=Artifact("c" * 64, 1), answers=Artifact("d" * 64, 1)))
    assert set(told) <= set(schemas["Manifest"]["properties"])
    assert json.dumps(document).count("#/$defs/") == 0
    for reference in set(json.dumps(document).split('"#/components/schemas/')[1:]):
        assert reference.partition('"')[0] in schemas


def test_every_digest_of_a_manifest_is_looked_for(world: World) -> None:
    assert all(world.artifacts.size(digest) is not None for digest in digests(world.manifest()))
