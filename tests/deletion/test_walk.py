"""What is asked of a registry, and what comes of answers that are none."""

import json
from collections import Counter

import httpx
import pytest

from exporter.deletion import Listed, RepositoryConsequences
from exporter.oci import Digest
from exporter.registry import RegistryClient
from sample import content as make
from sample import media_types as types
from sample.content import Content, Manifest
from tests.deletion.prediction import consequences
from tests.integrity.scripted import URL, ScriptedRegistry, blob, change, fail, manifest, status, tag_list
from tests.integrity.virtual_time import run

ONE, TWO = make.image("one"), make.image("two", platform="linux/arm64")
INDEX = make.index([ONE, TWO])


def scripted() -> ScriptedRegistry:
    """An index under `latest`, one of its images under `one`, and another image."""
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    registry.store("app", ONE, "one")
    registry.store("app", make.image("other"), "other")
    return registry


def told(registry: ScriptedRegistry, *listed: str) -> RepositoryConsequences:
    what = Listed(
        frozenset(one for one in listed if ":" not in one),
        frozenset(Digest(one) for one in listed if ":" in one),
    )
    return run(consequences(RegistryClient(URL, registry), "app", what))


def broken(consequences: RepositoryConsequences) -> list[str]:
    return [one.tag for one in consequences.broken_tags]


# What is asked


def test_tags_are_resolved_and_indexes_read_and_nothing_else():
    """No image's manifest, no blob, and not what only goes."""
    registry = scripted()
    registry.store("app", make.multi_platform("old"), "old")
    assert broken(told(registry, "one", "old")) == ["latest"]
    assert Counter(registry.asked) == Counter(
        [
            f"GET {tag_list('app')}",
            *(f"HEAD {manifest('app', tag)}" for tag in ("latest", "old", "one", "other")),
            f"GET {manifest('app', INDEX.digest)}",
        ]
    )


def test_where_nothing_that_is_listed_is_there_nothing_more_is_asked():
    """The list of tags tells."""
    registry = scripted()
    assert told(registry, "gone", "never") == RepositoryConsequences(
        "app", kept_tags=3, not_found=("gone", "never")
    )
    assert registry.asked == [f"GET {tag_list('app')}"]


def test_a_digest_that_is_not_there():
    """It is asked for; then the manifests of the tags need not be."""
    registry = scripted()
    digest = Digest.of(b"nothing")
    assert told(registry, digest) == RepositoryConsequences("app", kept_tags=3, not_found=(digest,))
    assert f"GET {manifest('app', INDEX.digest)}" not in registry.asked


def test_a_repository_that_is_not_there():
    """Nothing of it can break."""
    assert told(ScriptedRegistry(), "one") == RepositoryConsequences("app", kept_tags=0, not_found=("one",))


def test_a_registry_that_tells_no_digests_in_its_headers():
    """They are computed from what it serves; by HEAD it is not asked again and again."""
    registry = scripted()
    registry.digest_header = False
    registry.tags["app"] |= {f"v{number}": make.image("other").digest for number in range(40)}
    whole = told(registry, "one")
    assert broken(whole) == ["latest"]
    assert whole.undetermined == ()
    assert sum(asked.startswith("HEAD") for asked in registry.asked) <= 4  # as many as at once


def test_a_registry_that_knows_no_head():
    """It is asked by GET."""
    registry = scripted()
    for tag in ("latest", "one", "other"):
        registry.on("HEAD", manifest("app", tag), status(405))
    assert broken(told(registry, "one")) == ["latest"]


def test_a_digest_of_another_algorithm():
    """What a tag resolves to is what the registry says, by HEAD or by GET."""
    for head in (None, status(405)):
        registry = scripted()
        digest = f"sha512:{'5' * 128}"
        registry.manifests["app", digest] = (ONE.root.data, ONE.root.media_type)
        registry.tags["app"]["long"] = digest
        if head is not None:
            registry.on("HEAD", manifest("app", "long"), head)
        assert broken(told(registry, digest)) == ["long"]


# What cannot be read


@pytest.mark.parametrize(
    ("number", "code"), [(401, "UNAUTHORIZED"), (403, "DENIED"), (404, None), (500, "UNKNOWN")]
)
def test_a_list_of_tags_that_cannot_be_read(number: int, code: str | None):
    """Nothing is known then. A 404 that is not the registry's own says nothing."""
    registry = scripted()
    registry.on("GET", tag_list("app"), status(number, code))
    answered = f"GET {tag_list('app')} answered {number} {code or ''}".strip()
    assert told(registry, "one") == RepositoryConsequences("app", kept_tags=0, undetermined=(answered,))


def test_names_that_are_no_tags():
    """What they lead to cannot be known."""
    registry = scripted()
    registry.tags["app"] |= dict.fromkeys(("\x1b[2J", "a/b", "-", "..", "x:y"), ONE.digest)
    whole = told(registry, "other")
    assert broken(whole) == []
    assert whole.undetermined == (
        "GET tags/list answered with 5 names that are no tags: '\\x1b[2J', '-', '..'",
    )


@pytest.mark.parametrize("listed", ["one", INDEX.digest])
def test_a_kept_index_that_cannot_be_read(listed: str):
    """Whether it needs what goes is not known; where it goes itself, its tag is gone all the same."""
    registry = scripted()
    registry.on("GET", manifest("app", INDEX.digest), status(500, "UNKNOWN"))
    registry.blobs["app", INDEX.digest] = INDEX.root.data  # as which some registries serve it, too
    whole = told(registry, listed)
    assert broken(whole) == (["latest"] if listed == INDEX.digest else [])
    assert whole.undetermined == (f"GET {manifest('app', INDEX.digest)} answered 500 UNKNOWN",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "the 2 bytes served have another digest"),
        (b"", "the 0 bytes served have another digest"),
        (b"[" * 100_000, "the 100000 bytes served have another digest"),
    ],
)
def test_an_index_that_is_served_wrongly(body: bytes, said: str):
    """It is not believed."""
    registry = scripted()
    registry.manifests["app", INDEX.digest] = (body, types.OCI_INDEX)
    assert told(registry, "one").undetermined == (f"app@{INDEX.digest}: {said}",)


def test_an_index_that_no_parser_takes():
    """Its content is what its digest says, and no index."""
    registry = scripted()
    wrong = Manifest(b'{"manifests": 7}', types.OCI_INDEX)
    registry.store("app", Content((wrong,), {}), "wrong")
    assert told(registry, "one").undetermined == (f"app@{wrong.digest}: manifests is 7, not a list",)


@pytest.mark.parametrize("tag", ["one", "latest"])
def test_a_tag_that_cannot_be_resolved(tag: str):
    """Listed or kept: what goes, or whether it is needed, is not known."""
    registry = scripted()
    registry.on("*", manifest("app", tag), fail(httpx.ConnectError))
    whole = told(registry, "one")
    assert broken(whole) == []
    [detail] = whole.undetermined
    assert detail.startswith(f"HEAD {manifest('app', tag)} ")


@pytest.mark.parametrize(("tag", "absent"), [("one", ("one",)), ("latest", ())])
def test_a_tag_that_is_deleted_meanwhile(tag: str, absent: tuple[str, ...]):
    """After the list was read: there is nothing to lose by it any more."""
    registry = scripted()
    registry.on("GET", tag_list("app"), change(lambda: None))
    registry.before_answer = lambda number: registry.tags["app"].pop(tag, None) if number == 2 else None
    whole = told(registry, "one")
    assert (broken(whole), whole.not_found, whole.undetermined) == ([], absent, ())
    assert whole.kept_tags == 2


def test_a_tag_whose_404_is_a_proxys():
    """That says nothing."""
    registry = scripted()
    registry.on("*", manifest("app", "one"), status(404, body=b"<html>"))
    whole = told(registry, "one")
    assert whole.not_found == ()
    assert whole.undetermined == (f"GET {manifest('app', 'one')} answered 404",)


def test_a_listed_digest_that_cannot_be_asked_for():
    """It matters where a kept tag needs it, and only there."""
    registry = scripted()
    other = make.image("other").digest
    for digest in (ONE.digest, other):
        registry.on("*", manifest("app", digest), status(500, "UNKNOWN"))
    del registry.tags["app"]["other"]
    whole = told(registry, ONE.digest, other)
    assert (broken(whole), whole.deletions) == ([], ())
    assert whole.undetermined == (f"HEAD {manifest('app', ONE.digest)} answered 500",)


def test_a_child_that_is_missing_already():
    """The kept tag was broken before, and not by this deletion."""
    registry = scripted()
    del registry.tags["app"]["one"]
    del registry.manifests["app", ONE.digest]
    whole = told(registry, ONE.digest)
    assert whole == RepositoryConsequences("app", kept_tags=2, not_found=(ONE.digest,))


def test_a_child_index_that_is_missing_already():
    """What it listed cannot be lost again."""
    registry = ScriptedRegistry()
    outer = make.index([INDEX, TWO])
    registry.store("app", outer, "outer")
    registry.store("app", TWO, "two")
    del registry.manifests["app", INDEX.digest]
    whole = told(registry, "two")
    assert [(one.tag, one.lost) for one in whole.broken_tags] == [("outer", (TWO.digest,))]
    assert whole.undetermined == ()


# Entries of other types


def test_entries_that_are_blobs_are_not_asked_for():
    """A BuildKit cache is an index of layers."""
    registry = scripted()
    cache = make.buildkit_cache("cache")
    registry.store("app", cache, "cache")
    assert told(registry, "other").undetermined == ()
    assert sorted(asked for asked in registry.asked if "sha256:" in asked) == sorted(
        f"GET {manifest('app', digest)}" for digest in (INDEX.digest, cache.digest)
    )


def unknown_entry(data: bytes) -> Content:
    digest = make.digest_of(data)
    entry = {"mediaType": "application/vnd.example+json", "digest": digest, "size": len(data)}
    document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": [entry]}
    return Content((Manifest(json.dumps(document).encode(), types.OCI_INDEX),), {digest: data})


def test_an_entry_whose_type_does_not_tell_what_it_is():
    """A manifest is followed, a blob is none, and what is neither is told."""
    registry = scripted()
    entry = unknown_entry(INDEX.root.data)
    registry.store("app", entry, "entry")
    assert broken(told(registry, "one")) == ["entry", "latest"]

    registry = scripted()
    data = b"a blob"
    registry.store("app", unknown_entry(data), "entry")
    for answer in (status(404, "MANIFEST_UNKNOWN"), status(500, "UNKNOWN")):
        end = registry.on("GET", manifest("app", make.digest_of(data)), answer)
        assert told(registry, "other").undetermined == ()
        end()
    registry.on("GET", manifest("app", make.digest_of(data)), status(500, "UNKNOWN"))
    registry.on("HEAD", blob("app", make.digest_of(data)), status(500))
    assert told(registry, "other").undetermined == (
        f"GET {manifest('app', make.digest_of(data))} answered 500 UNKNOWN",
    )


def test_a_tree_of_indexes_without_end_is_left():
    """Of each root only so much is followed, and that is told."""
    registry = scripted()
    children = [
        {"mediaType": types.OCI_MANIFEST, "digest": f"sha256:{number:064x}", "size": 1}
        for number in range(25_001)
    ]
    document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": children}
    endless = Manifest(json.dumps(document).encode(), types.OCI_INDEX)
    registry.store("app", Content((endless,), {}), "endless")
    whole = told(registry, "one")
    assert broken(whole) == ["latest"]
    assert whole.undetermined == (
        f"app@{endless.digest}: not followed: its tag leads to more than 25000 references",
    )


def test_a_registry_that_is_down_is_not_asked_for_ever():
    """After a few refusals the rest is told without asking."""
    registry = scripted()
    registry.tags["app"] |= {f"v{number}": ONE.digest for number in range(100)}
    for tag in registry.tags["app"]:
        registry.on("*", manifest("app", tag), fail(httpx.ConnectError))
    whole = told(registry, "one")
    assert len(whole.undetermined) == 103
    assert len(registry.asked) < 60


def test_no_more_at_once_than_allowed():
    """Sixteen by default; here four."""
    registry = scripted()
    registry.tags["app"] |= {f"v{number}": INDEX.digest for number in range(40)}
    told(registry, "one")
    assert registry.most_at_once == 4
