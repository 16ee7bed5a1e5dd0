"""The settings of what is walked and what is ignored: what each means, and what is said of a wrong one."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from exporter.integrity import (
    BlobCheck,
    GlobFilter,
    IgnoreRule,
    ImageByDigest,
    PlatformRule,
    Reason,
    RegistryKind,
    RepositoryOverride,
)
from exporter.oci import Digest
from exporter.settings import RegistrySettings, RepositoriesSettings
from tests.program.loading import PREFIX, load, problems

DIGEST = Digest(f"sha256:{'0123456789abcdef' * 4}")
KNOWN = "expected a key that is known"
LISTED = "registries:\n  - url: http://a\n"
REASONS = (
    "expected missing, size_mismatch, digest_mismatch, truncated, malformed, timeout, rate_limited, "
    "server_error, unauthorized, forbidden, connection, protocol, too_large or canceled"
)


def only(file: Path, text: str, **environment: str) -> RegistrySettings:
    """The only registry, with these lines of its own."""
    own = "".join(f"    {line}\n" for line in text.splitlines())
    return load(file, f"{LISTED}{own}", environment=environment).registries[0]


def test_repositories_are_a_list_or_globs(file: Path):
    """A list is what is walked; globs take of the catalog."""
    assert only(file, "repositories: [team/a, team/b, team/a]").repositories == RepositoriesSettings(
        names=("team/a", "team/b")
    )
    globs = only(file, "repositories:\n  include: [team/*, base/*]\n  exclude: [team/old-*]").repositories
    assert globs.names is None
    assert globs.filter == GlobFilter(("team/*", "base/*"), ("team/old-*",))


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("repositories: [a]", "repositories: {include: [b/*]}", RepositoriesSettings(include=("b/*",))),
        ("repositories: {exclude: [a/*]}", "repositories: [b]", RepositoriesSettings(names=("b",))),
        (
            "repositories: {exclude: [a/*]}",
            "repositories: {include: [b/*]}",
            RepositoriesSettings(include=("b/*",), exclude=("a/*",)),
        ),
        ("repositories: {exclude: [a/*]}", "repositories: null", RepositoriesSettings()),
    ],
)
def test_either_form_of_repositories_displaces_the_other(
    file: Path, outer: str, inner: str, expected: RepositoriesSettings
):
    """Whichever counts more decides the form; within one form, keys are merged one by one."""
    settings = load(file, f"{outer}\n{LISTED}    {inner}\n")
    assert settings.registries[0].repositories == expected


def test_variables_have_either_form_too():
    """Names in one variable, globs in two more; of both forms at once one is too many."""
    flags = {"registries": ["a=http://a"]}
    names = load(environment={"REPOSITORIES": "team/a,team/b"}, **flags).registries[0].repositories
    assert names == RepositoriesSettings(names=("team/a", "team/b"))
    globs = {"REPOSITORIES__INCLUDE": "team/*", "REGISTRIES__A__REPOSITORIES__EXCLUDE": '["x*", "y*"]'}
    assert load(environment=globs, **flags).registries[0].repositories == RepositoriesSettings(
        include=("team/*",), exclude=("x*", "y*")
    )
    both = {"REGISTRIES__A__REPOSITORIES": "team/a", "REGISTRIES__A__REPOSITORIES__INCLUDE": "x*"}
    (told,) = problems(environment=both, **flags)
    expected = "registries.a.repositories: 'team/a': expected names or globs, not both"
    assert told == f"{expected} (variable {PREFIX}REGISTRIES__A__REPOSITORIES)"


def test_no_repositories_but_images(file: Path):
    """An empty list means that only the images are walked; without images it is a mistake."""
    image = f"team/app@{DIGEST}"
    registry = only(file, f"repositories: []\nimages: [{image}, {image}]")
    assert (registry.repositories.names, registry.images) == ((), (ImageByDigest("team/app", DIGEST),))
    assert str(registry.images[0]) == image


def test_rules_become_what_the_walk_goes_by(file: Path):
    """Each entry of a list is one value of the walk's, with what it leaves open."""
    registry = only(
        file,
        f"""overrides:
  - {{repository: proxy/*, kind: pull-through}}
  - {{repository: "*", blob_check: head}}
ignore:
  - repository: team/old-*
    comment: being moved, see the ticket
  - {{tag: nightly-*, reason: missing, until: 2026-12-31}}
  - digest: {DIGEST}
platforms:
  team/*: [linux/amd64, linux/arm/v7]
  "*": [linux/arm64]
tags: {{include: [v*], exclude: ["*-rc*"]}}""",
    )
    assert [entry.override for entry in registry.overrides] == [
        RepositoryOverride("proxy/*", kind=RegistryKind.PULL_THROUGH),
        RepositoryOverride("*", blob_check=BlobCheck.HEAD),
    ]
    assert [entry.rule for entry in registry.ignore] == [
        IgnoreRule("team/old-*"),
        IgnoreRule(tag="nightly-*", reason=Reason.MISSING, until=date(2026, 12, 31)),
        IgnoreRule(digest=DIGEST),
    ]
    assert registry.platforms == (
        PlatformRule("team/*", frozenset({"linux/amd64", "linux/arm/v7"})),
        PlatformRule("*", frozenset({"linux/arm64"})),
    )
    assert registry.tags.filter == GlobFilter(("v*",), ("*-rc*",))


def test_rules_of_a_registry_replace_those_for_all(file: Path):
    """Lists are not joined: a registry's own counts alone."""
    text = (
        "ignore: [{tag: a}]\nregistries: [{url: http://a, ignore: [{tag: b}]}, {url: http://b, ignore: []}]"
    )
    assert [[entry.tag for entry in one.ignore] for one in load(file, text).registries] == [["b"], []]


def test_rules_in_variables_are_json():
    """What has a structure has it in JSON."""
    environment = {
        "OVERRIDES": json.dumps([{"repository": "a/*", "kind": "pull-through"}]),
        "IGNORE": json.dumps([{"tag": "x", "until": "2026-01-01"}]),
        "PLATFORMS": json.dumps({"*": ["linux/amd64"]}),
        "IMAGES": f"a@{DIGEST} b@{DIGEST}",
    }
    registry = load(registries=["http://a"], environment=environment).registries[0]
    assert registry.overrides[0].override == RepositoryOverride("a/*", RegistryKind.PULL_THROUGH)
    assert registry.ignore[0].rule == IgnoreRule(tag="x", until=date(2026, 1, 1))
    assert registry.platforms == (PlatformRule("*", frozenset({"linux/amd64"})),)
    assert registry.images == (ImageByDigest("a", DIGEST), ImageByDigest("b", DIGEST))


KIND = "expected private or pull-through"
CHECK = "expected auto, range or head"
GLOB = "expected a glob such as team/*"
NO_GLOB = "expected a list of at least one glob"
NO_JSON = "expected JSON: Expecting value at character 0"
NOT_EMPTY = "expected at least one of repository, tag, digest and reason"
DIFFERENT = "expected a kind or a blob_check beside the repository"
DAY = "expected a day such as 2026-12-31"
LINE = "expected one line of text, of at most 1000 characters"
MAPPING = "expected a mapping of globs to lists of platforms"
TWICE = "expected JSON with each key once, but 'a' stands twice"
IMAGES = "expected images such as team/app@sha256:..., without a host"
PLATFORMS = "expected platforms such as linux/amd64 or linux/arm/v7"
GLOBS = "expected globs such as team/*"


@pytest.mark.parametrize(
    ("text", "what", "expected"),
    [
        ("repositories: {}", "", ""),  # which is no mistake, but says nothing
        ("repositories: {include: []}", "repositories.include: a list", NO_GLOB),
        ("repositories: {include: ['a b']}", "repositories.include: 'a b'", GLOBS),
        ("repositories: {include: {a: b}}", "repositories.include: a mapping", NO_GLOB),
        ("repositories: {exclude: [5]}", "repositories.exclude: '5'", GLOBS),
        ("repositories: {includes: [a]}", "repositories.includes: a list", f"{KNOWN}; did you mean include?"),
        ("repositories: {names: [a]}", "repositories.names: a list", KNOWN),
        ("repositories: 5", "repositories: 5", "expected a list of at least one repository"),
        ("tags: [v1]", "tags: a list", "expected a mapping"),
        ("tags: {include: ''}", "tags.include: ''", NO_GLOB),
        ("images: []", "images: a list", "expected a list of at least one image"),
        ("images: [team/app]", "images: 'team/app'", IMAGES),
        ("images: ['team/app:latest']", "images: 'team/app:latest'", IMAGES),
        ("images: ['Team/app@sha256:00']", "images: '***@sha256:00'", IMAGES),  # it might be a password
        ("images: ['team/app@sha256:00']", "images: '***@sha256:00'", IMAGES),
        ("images: [5]", "images: '5'", IMAGES),
        ("overrides: {a: b}", "overrides: a mapping", "expected a list of mappings"),
        ("overrides: [a]", "overrides.0: 'a'", "expected a mapping"),
        ("overrides: [{kind: private}]", "overrides.0.repository: nothing", GLOB),
        ("overrides: [{repository: 5}]", "overrides.0.repository: 5", GLOB),
        ("overrides: [{repository: a}]", "overrides.0: a mapping", DIFFERENT),
        ("overrides: [{repository: a, kind: b}]", "overrides.0.kind: 'b'", KIND),
        ("overrides: [{repository: a, blob_check: b}]", "overrides.0.blob_check: 'b'", CHECK),
        ("overrides: [{repository: a, kinds: b}]", "overrides.0.kinds: 'b'", f"{KNOWN}; did you mean kind?"),
        ("overrides: [{repository: a, a.b.c: 5}]", "overrides.0.a.b.c: 5", KNOWN),
        ("ignore: x", "ignore: 'x'", NO_JSON),
        ("ignore: [[]]", "ignore.0: a list", "expected a mapping"),
        ("ignore: [{}]", "ignore.0: a mapping", NOT_EMPTY),
        ("ignore: [{until: 2026-12-31}]", "ignore.0: a mapping", NOT_EMPTY),
        ("ignore: [{tag: a, until: 2026-02-30}]", "ignore.0.until: '2026-02-30'", DAY),
        ("ignore: [{tag: a, until: 20261231}]", "ignore.0.until: 20261231", DAY),
        ("ignore: [{tag: a, until: '20261231'}]", "ignore.0.until: '20261231'", DAY),
        ("ignore: [{reason: gone}]", "ignore.0.reason: 'gone'", REASONS),
        ("ignore: [{digest: abc}]", "ignore.0.digest: 'abc'", "expected a digest such as sha256:..."),
        ("ignore: [{tag: ''}]", "ignore.0.tag: ''", GLOB),
        ('ignore: [{tag: a, comment: "a\\nb"}]', "ignore.0.comment: 'a\\nb'", LINE),
        ("ignore: [{tag: a, password: x}]", "ignore.0.password: ***", KNOWN),
        ("ignore: [{tag: a, 5: 6}]", "ignore.0.5: 6", KNOWN),
        ("platforms: {}", "platforms: a mapping", MAPPING),
        ("platforms: [linux/amd64]", "platforms: a list", MAPPING),
        ("platforms: {a: []}", "platforms: a mapping", "expected a list of at least one platform"),
        ("platforms: {a: [amd64]}", "platforms: 'amd64'", PLATFORMS),
        ("platforms: {a: [linux/amd64/v2/x]}", "platforms: 'linux/amd64/v2/x'", PLATFORMS),
        ("platforms: {5: [linux/amd64]}", "platforms: '5'", "expected globs of repositories, such as team/*"),
    ],
    ids=lambda text: text[:60],
)  # fmt: skip
def test_wrong_values_in_the_file(file: Path, text: str, what: str, expected: str):
    """Each is told with its key, down to the entry and the field, and with its line."""
    if not what:
        assert only(file, text).repositories == RepositoriesSettings()
        return
    assert problems(file, f"{LISTED}{text}\n") == [f"{what}: {expected} (config.yml, line 3)"]
    assert problems(file, f"{LISTED}    {text}\n") == [
        f"registries.0.{what}: {expected} (config.yml, line 3)"
    ]


def test_a_wrong_field_is_told_with_its_own_line(file: Path):
    """Every entry has its problems, each where it stands."""
    text = f"""{LISTED}ignore:
  - tag: a

  - tag: ""
    reason: gone
  - comment: nothing but this
overrides:
  -
    kind: private
"""
    assert problems(file, text) == [
        f"overrides.0.repository: nothing: {GLOB} (config.yml, line 11)",
        f"ignore.1.tag: '': {GLOB} (config.yml, line 6)",
        f"ignore.1.reason: 'gone': {REASONS} (config.yml, line 7)",
        f"ignore.2: a mapping: {NOT_EMPTY} (config.yml, line 8)",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "what", "expected"),
    [
        ("IGNORE", "[", "ignore: '['", "expected JSON: Expecting value at character 1"),
        ("IGNORE", '[{"a": 1, "a": 2}]', """ignore: '[{"a": 1, "a": 2}]'""", TWICE),
        ("IGNORE", '[{"reason": "gone"}]', "ignore.0.reason: 'gone'", REASONS),
        ("OVERRIDES", '[{"repository": "a"}]', "overrides.0: a mapping", DIFFERENT),
        ("OVERRIDES", '{"a": 1}', """overrides: '{"a": 1}'""", "expected a list of mappings"),
        ("PLATFORMS", "linux/amd64", "platforms: 'linux/amd64'", NO_JSON),
        ("IMAGES", "a,b", "images: 'a'", IMAGES),
        ("TAGS__INCLUDE", "[5]", "tags.include: '5'", GLOBS),
    ],
)  # fmt: skip
def test_wrong_variables(variable: str, value: str, what: str, expected: str):
    """So it is for variables."""
    told = problems(registries=["http://a"], environment={variable: value})
    assert told == [f"{what}: {expected} (variable {PREFIX}{variable})"]


def test_wrong_rules_in_the_list_of_registries():
    """And for rules within the list of registries, whose text may hold passwords."""
    registries: list[dict[str, Any]] = [{"url": "http://a", "ignore": [{"tag": "x", "until": "soon"}]}]
    assert problems(environment={"REGISTRIES": json.dumps(registries)}) == [
        f"registries.0.ignore.0.until: 'soon': {DAY} (variable {PREFIX}REGISTRIES)"
    ]
