"""Which registry an image is in, and what is a wrong name of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.integrity import ImageByDigest, ImageByTag
from exporter.oci import Digest
from exporter.registry import FirstFound, FixedCredentials, NoCredentials
from exporter.settings import Settings, load_settings
from exporter.verification import UsageError, find_logins, find_targets, read_images, read_platforms

DIGEST = Digest(f"sha256:{'0' * 64}")


def settings(registries: tuple[str, ...] = (), **variables: str) -> Settings:
    given = {f"REGISTRY_INTEGRITY_{name}": value for name, value in variables.items()}
    return load_settings({"registries": registries}, None, given, needs_registry=False)


def found(*texts: str, known: Settings | None = None) -> list[tuple[str, str, list[Any]]]:
    """The name and address of each registry, and what is verified there."""
    targets = find_targets(read_images(texts), known or settings())
    return [(one.registry.name, one.registry.url, [image.image for image in one.images]) for one in targets]


def test_registries_that_are_not_listed():
    """They are spoken to over https, on loopback over http, and Docker Hub where it really is."""
    app = [ImageByTag("team/app", "1")]
    hub = "https://registry-1.docker.io"
    assert found("registry.example:5000/team/app:1") == [
        ("registry.example:5000", "https://registry.example:5000", app)
    ]
    assert found("localhost/team/app:1") == [("localhost", "http://localhost", app)]
    assert found("127.0.0.1:5000/team/app:1") == [("127.0.0.1:5000", "http://127.0.0.1:5000", app)]
    assert found("[::1]:5000/team/app:1") == [("[::1]:5000", "http://[::1]:5000", app)]
    assert found("alpine") == [("docker.io", hub, [ImageByTag("library/alpine", "latest")])]
    assert found("index.docker.io/team/app:1") == [("docker.io", hub, app)]


def test_tags_and_digests():
    """A tag and a digest together mean the digest; what is named twice is verified once."""
    image = f"localhost/app:1@{DIGEST}"
    [(_, _, images)] = found("localhost/app:1", f"localhost/app@{DIGEST}", image, "localhost/app:1")
    assert images == [ImageByTag("app", "1"), ImageByDigest("app", DIGEST), ImageByDigest("app", DIGEST)]


@pytest.mark.parametrize(
    ("registry", "variables", "image", "repository"),
    [
        ("https://one.example", {}, "one.example/a/b", "a/b"),
        ("https://one.example", {}, "one.example:443/a/b", "a/b"),
        ("https://one.example:443", {}, "one.example/a/b", "a/b"),
        ("http://one.example", {}, "one.example:80/a/b", "a/b"),
        ("https://one.example/path", {}, "one.example/path/a/b", "a/b"),
        ("https://one.example", {"METRICS__IMAGE_HOST": "images.example"}, "images.example/a/b", "a/b"),
        ("https://one.example", {"METRICS__IMAGE_HOST": "images.example/x"}, "images.example/x/a/b", "a/b"),
        ("https://one.example", {"METRICS__IMAGE_HOST": "images.example"}, "one.example/a/b", "a/b"),
        ("https://registry-1.docker.io", {}, "alpine", "library/alpine"),
    ],
)
def test_a_listed_registry_is_known_by_its_images(
    registry: str, variables: Mapping[str, str], image: str, repository: str
):
    """By its host with and without port, by its path, and by what workloads write."""
    known = settings((f"known={registry}",), **variables)
    assert found(image, known=known) == [("known", registry, [ImageByTag(repository, "latest")])]


@pytest.mark.parametrize(
    "image", ["one.example:80/a", "one.example/a", "one.examples/path/a", "two.example/a"]
)
def test_other_hosts_and_paths_are_other_registries(image: str):
    """A registry is not known by half of its name."""
    [(name, _, _)] = found(image, known=settings(("known=https://one.example/path",)))
    assert name == image.partition("/")[0]


def test_the_longest_beginning_counts():
    """Of two registries at a host, the one whose path the image has."""
    known = settings(("short=https://one.example", "long=https://one.example/path"))
    assert [name for name, _, _ in found("one.example/path/a", "one.example/b", known=known)] == [
        "long",
        "short",
    ]


def test_several_registries_in_the_order_of_their_images():
    """Each once."""
    assert [name for name, _, _ in found("b.example/x", "a.example/x", "b.example/y")] == [
        "b.example",
        "a.example",
    ]


def test_what_holds_for_all_registries_holds_for_others_too_but_for_secrets():
    """A timeout does; a user, a password, a client certificate and a choice of repositories do not."""
    known = settings(
        TIMEOUT="3s",
        USERNAME="u",
        PASSWORD="p",
        TOKEN_HOSTS="tokens.example",
        REPOSITORIES="a b",
        TAGS__INCLUDE="v*",
    )
    [target] = find_targets(read_images(["one.example/app"]), known)
    registry = target.registry
    assert (registry.timeout, registry.interval) == (3.0, 900.0)
    assert isinstance(registry.credential_source, NoCredentials)
    assert (registry.username, registry.password, registry.token_hosts) == (None, None, ())
    assert (registry.repositories.names, registry.tags.include) == (None, ())
    assert registry.shows_credentials_to_anyone is False


def test_wrong_names_are_told_all_at_once():
    """Each with its value and what is wrong with it."""
    with pytest.raises(UsageError) as refused:
        read_images(["a//b", "ok", "c:\x1b"])
    expected = "expected host/repository:tag or host/repository@sha256:..."
    assert refused.value.problems == (
        f"image 'a//b': {expected}: 'a//b' is not the name of a repository",
        f"image 'c:\\x1b': {expected}: '\\x1b' is not a tag",
    )


def test_platforms():
    """Each once; what is none is refused."""
    assert read_platforms(["linux/arm/v7", "linux/amd64", "linux/arm/v7"]) == ("linux/arm/v7", "linux/amd64")
    with pytest.raises(UsageError) as refused:
        read_platforms(["amd64", "linux/amd64", "Linux/amd64"])
    assert refused.value.problems == (
        "--platform 'amd64': expected a platform such as linux/amd64 or linux/arm/v7",
        "--platform 'Linux/amd64': expected a platform such as linux/amd64 or linux/arm/v7",
    )


def test_logins_are_found_where_tools_leave_them(tmp_path: Path):
    """Only files that are there, Docker's before podman's, what a variable names before everything."""
    files = {
        "auth": tmp_path / "auth.json",
        "docker": tmp_path / "docker" / "config.json",
        "run": tmp_path / "run" / "containers" / "auth.json",
        "home": tmp_path / "home" / ".config" / "containers" / "auth.json",
    }
    environment = {
        "REGISTRY_AUTH_FILE": str(files["auth"]),
        "DOCKER_CONFIG": str(files["docker"].parent),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }
    assert find_logins(environment, tmp_path / "home").files == ()
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}", "utf-8")
    assert find_logins(environment, tmp_path / "home").files == tuple(files.values())
    assert find_logins({}, tmp_path / "home").files == (files["home"],)


@pytest.mark.parametrize(
    ("registry", "variables", "source"),
    [
        ("https://one.example", {}, FirstFound),
        ("http://127.0.0.1:5000", {}, FirstFound),
        ("http://one.example", {}, NoCredentials),
        ("https://one.example", {"USERNAME": "u", "PASSWORD": "p"}, FixedCredentials),
    ],
)
def test_who_is_shown_what_other_tools_have_left(
    tmp_path: Path, registry: str, variables: Mapping[str, str], source: type
):
    """Only a registry without credentials of its own, and none that anybody can listen to."""
    (tmp_path / "config.json").write_text("{}", "utf-8")
    logins = find_logins({"DOCKER_CONFIG": str(tmp_path)}, tmp_path)
    [known] = settings((registry,), **variables).registries
    assert type(logins.credentials_for(known)) is source
