"""Docker's `config.json` and Kubernetes' `.dockerconfigjson`: which entry a repository gets."""

import base64
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.registry import Credentials, DockerConfig
from exporter.registry.credentials import CredentialsError, IdentityToken, RegistryToken, Secret

SECRET = "s3cr3t"


def entry(user: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}


async def find(tmp_path: Path, document: Any, url: str, repository: str = "") -> Secret | None:
    file = tmp_path / "config.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return await DockerConfig.for_registry(file, url).find(repository)


async def user_of(tmp_path: Path, auths: dict[str, Any], url: str, repository: str = "") -> str | None:
    secret = await find(tmp_path, {"auths": auths}, url, repository)
    assert secret is None or isinstance(secret, Credentials)
    return secret.username if secret is not None else None


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("registry.example", "https://registry.example"),
        ("https://registry.example", "https://registry.example"),
        ("https://registry.example/v2/", "https://registry.example"),
        ("http://registry.example/v1/", "https://registry.example"),
        ("Registry.Example", "https://registry.example"),
        ("HTTPS://REGISTRY.example/", "https://registry.example"),
        ("registry.example:443", "https://registry.example"),
        ("registry.example", "https://registry.example:443"),
        ("registry.example:80", "http://registry.example"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("registry.example/artifactory", "https://registry.example/artifactory/docker"),
        ("https://index.docker.io/v1/", "https://registry-1.docker.io"),
        ("index.docker.io", "https://registry-1.docker.io"),
        ("docker.io", "https://index.docker.io"),
        ("registry-1.docker.io", "https://docker.io"),
        ("*.example", "https://registry.example"),
        ("*.*.example", "https://a.registry.example"),
        ("registry-*.example:5000", "https://registry-1.example:5000"),
    ],
)
async def test_entry_is_found(key: str, url: str, tmp_path: Path):
    """With and without a scheme, the default port, an API's version; Docker Hub by all its names."""
    assert await user_of(tmp_path, {"other.example": entry("eve"), key: entry("ann")}, url, "app") == "ann"


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("registry.example", "https://registry.example:5000"),
        ("registry.example:5000", "https://registry.example"),
        ("registry.example:5000", "https://registry.example:5001"),
        ("registry.example.evil", "https://registry.example"),
        ("example", "https://registry.example"),
        ("sub.registry.example", "https://registry.example"),
        ("registry.example/other", "https://registry.example"),
        ("registry.example/ap", "https://registry.example"),
        ("registry.example/app/v1", "https://registry.example"),
        ("localhost:5000", "http://127.0.0.1:5000"),
        ("*.example", "https://a.registry.example"),
        ("*.example", "https://registry.example:5000"),
        ("*", "https://registry.example"),
        ("registry.exampl?", "https://registry.example"),
        ("docker.io", "https://registry.example"),
        ("", "https://registry.example"),
    ],
)
async def test_entry_of_another_place_is_not_taken(key: str, url: str, tmp_path: Path):
    """A port and a path are part of the name, and a star stands for no dot."""
    assert await user_of(tmp_path, {key: entry("ann")}, url, "app") is None


NESTED = {
    "registry.example": entry("whole"),
    "registry.example/team": entry("team"),
    "registry.example/team/app": entry("app"),
    "registry.example:5000/team": entry("port"),
    "*.example": entry("pattern"),
    "*.example/team/app/deep": entry("deep pattern"),
}


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("", "whole"),
        ("other", "whole"),
        ("teams", "whole"),
        ("team", "team"),
        ("team/other", "team"),
        ("team/application", "team"),
        ("team/app", "app"),
        ("team/app/sub", "app"),
        ("team/app/deep", "deep pattern"),
        ("team/app/deep/er", "deep pattern"),
    ],
)
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "reversed"])
async def test_most_specific_entry_wins(repository: str, user: str, order: int, tmp_path: Path):
    """Its path counts in whole steps, wherever it stands in the file."""
    auths = dict(list(NESTED.items())[::order])
    assert await user_of(tmp_path, auths, "https://registry.example", repository) == user


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "reversed"])
async def test_very_host_comes_before_its_default_port_and_before_a_pattern(order: int, tmp_path: Path):
    """Of entries for the same path."""
    keys = {"pattern": "*.example", "port": "registry.example:443", "host": "registry.example"}
    for left in (3, 2, 1):
        kept = list(keys.items())[:left]
        auths = {key: entry(user) for user, key in kept[::order]}
        assert await user_of(tmp_path, auths, "https://registry.example") == kept[-1][0]


async def test_path_of_the_registry_counts(tmp_path: Path):
    """A registry below a path has entries below it, too."""
    auths = {
        "registry.example": entry("host"),
        "registry.example/artifactory/docker": entry("path"),
        "registry.example/artifactory/docker/team": entry("team"),
        "registry.example/team": entry("eve"),
    }
    url = "https://registry.example/artifactory/docker"
    assert [await user_of(tmp_path, auths, url, name) for name in ("", "app", "team/app")] == [
        "path",
        "path",
        "team",
    ]


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        (entry("ann"), Credentials("ann", SECRET)),
        (entry("ann", "a:b:c"), Credentials("ann", "a:b:c")),
        (entry("ann", SECRET + "\0\0"), Credentials("ann", SECRET)),
        (entry("änn", "pässwörd"), Credentials("änn", "pässwörd")),
        ({"username": "ann", "password": SECRET}, Credentials("ann", SECRET)),
        ({"username": "ann", "password": ""}, Credentials("ann", "")),
        ({"username": "ann", "password": SECRET, **entry("eve", "old")}, Credentials("ann", SECRET)),
        ({"username": "ann", **entry("ann")}, Credentials("ann", SECRET)),
        ({**entry("ann"), "identitytoken": "refresh"}, IdentityToken("refresh")),
        ({"identitytoken": "", **entry("ann")}, Credentials("ann", SECRET)),
        ({"registrytoken": "bearer"}, RegistryToken("bearer")),
        ({"identitytoken": "refresh", "registrytoken": "bearer"}, IdentityToken("refresh")),
        ({}, None),
        ({"auth": ""}, None),
        ({"auth": 7}, None),
        ({"email": "ann@example"}, None),
    ],
)
async def test_secret_of_an_entry(fields: dict[str, Any], secret: Secret | None, tmp_path: Path):
    """As Docker and Kubernetes write it; an empty entry is one that a store has the secret of."""
    assert await find(tmp_path, {"auths": {"registry.example": fields}}, "https://registry.example") == secret


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "{file} is not JSON"),
        ('{"auths": "s3cr3t', "{file} is not JSON"),
        ("", "{file} is not JSON"),
        ("[" * 100_000, "{file} is not JSON"),
        ("[]", "{file} is not a JSON object"),
        ('"s3cr3t"', "{file} is not a JSON object"),
        (
            {"auths": {"registry.example": {"auth": "s3cr3t!"}}},
            "{file}: an auth entry is not base64 of user:password",
        ),
        (
            {"auths": {"registry.example": {"auth": base64.b64encode(b"s3cr3t").decode()}}},
            "{file}: an auth entry is not base64 of user:password",
        ),
        (
            {"auths": {"registry.example": {"auth": base64.b64encode(b"ann:s3cr3t\xff").decode()}}},
            "{file}: an auth entry is not base64 of user:password",
        ),
    ],
)
async def test_wrong_file_says_what_is_wrong_and_not_the_secret(document: Any, message: str, tmp_path: Path):
    """Neither the message nor what caused it."""
    with pytest.raises(CredentialsError) as caught:
        await find(tmp_path, document, "https://registry.example")
    assert str(caught.value) == message.replace("{file}", str(tmp_path / "config.json"))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"auths": None},
        {"auths": []},
        {"auths": {}},
        {"auths": {"registry.example": None}},
        {"auths": {"registry.example": "s3cr3t"}},
        {"credHelpers": None, "credsStore": None},
        {"credHelpers": {"registry.example": 7}, "credsStore": 7},
        {"credHelpers": [], "credsStore": ""},
        {"HttpHeaders": {}, "psFormat": "table", "proxies": {"default": {}}},
    ],
)
async def test_file_without_an_entry_is_anonymous(document: Any, tmp_path: Path):
    """Whatever else may stand in it."""
    assert await find(tmp_path, document, "https://registry.example", "app") is None


async def test_other_entries_need_not_be_right(tmp_path: Path):
    """Only the one that counts is read."""
    auths = {"other.example": {"auth": "!"}, "registry.example": entry("ann")}
    assert await user_of(tmp_path, auths, "https://registry.example") == "ann"


async def test_missing_file_says_why(tmp_path: Path):
    """It may be mounted a little later."""
    source = DockerConfig(tmp_path / "config.json", "registry.example")
    with pytest.raises(CredentialsError, match=r"could not be read: No such file or directory$"):
        await source.find("app")


async def test_rotated_file_is_read_again(tmp_path: Path):
    """Without a restart."""
    file = tmp_path / "config.json"
    source = DockerConfig.for_registry(file, "https://registry.example")
    for user in ("one", "two"):
        file.write_text(json.dumps({"auths": {"registry.example": entry(user)}}))
        assert await source.find("app") == Credentials(user, SECRET)


printable = st.text(alphabet=st.characters(exclude_categories=["C"]), min_size=1, max_size=50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(user=printable.filter(lambda text: ":" not in text), password=printable)
async def test_any_password_comes_through(user: str, password: str, tmp_path: Path):
    """Every printable character, in JSON within base64."""
    auths = {"registry.example": entry(user, password)}
    assert await find(tmp_path, {"auths": auths}, "https://registry.example") == Credentials(user, password)
