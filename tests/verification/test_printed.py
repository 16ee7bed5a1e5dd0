"""What `verify` prints: a document for machines, a screen for people, whatever a registry answers."""

import re
from collections import Counter
from dataclasses import replace
from io import StringIO
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from rich.console import Console

from exporter.integrity import IgnoreRule, Kind, Node, Reason, Verdict
from exporter.verification import Verified, VerifiedImage, render_junit, render_trees
from sample import content as make
from tests.integrity.scripted import ScriptedRegistry, blob, fail, manifest, status
from tests.integrity.virtual_time import run
from tests.parts.deeds import digest_of_target
from tests.verification.junit_schema import violations
from tests.verification.test_run import TAG, named, platforms, verification, verified

ESCAPE = re.compile(r"\x1b\[[\d;]*m")


def registry_with(*contents: tuple[str, make.Content]) -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name, content in contents:
        registry.store(name, content, TAG)
    return registry


def everything(**options: Any) -> Verified:
    """An image that is intact, one that is broken, one that could not be asked for, one that is not there."""
    broken = make.multi_platform("broken")
    registry = registry_with(
        ("intact", make.multi_platform("intact", attestations=True)),
        ("broken", broken),
        ("forbidden", broken),
    )
    del registry.blobs["broken", digest_of_target(broken, "layer")]
    registry.on("*", blob("broken", digest_of_target(broken, "config")), fail(httpx.ConnectError))
    registry.on("*", manifest("forbidden", TAG), status(403, "DENIED"))
    names = ("intact", "broken", "forbidden", "absent")
    return verified(registry, *map(named, names), **options)


def screen(*what: Verified, width: int = 80, terminal: bool = True) -> str:
    file = StringIO()
    render_trees(what, Console(file=file, width=width, force_terminal=terminal, highlight=False, _environ={}))
    return file.getvalue()


def plain(*what: Verified, width: int = 80) -> list[str]:
    return [line.rstrip() for line in ESCAPE.sub("", screen(*what, width=width)).splitlines()]


# JUnit


def test_junit_obeys_the_schema():
    """The strictest that there is."""
    document = ET.fromstring(render_junit([everything(**platforms("linux/amd64"))]))
    assert list(violations(document)) == []
    assert document.tag == "testsuites"


def test_junit_counts_what_it_holds():
    """A suite for each image, a case for each reference; its kind of failure says how bad it is."""
    suites = ET.fromstring(render_junit([everything(**platforms("linux/amd64"))])).findall("testsuite")
    assert [suite.get("name") for suite in suites] == [
        f"{name}:{TAG}" for name in ("intact", "broken", "forbidden", "absent")
    ]
    for suite in suites:
        cases = suite.findall("testcase")
        found = Counter(child.tag for case in cases for child in case)
        counts = {"failure": "failures", "error": "errors", "skipped": "skipped"}
        assert suite.get("tests") == str(len(cases))
        assert {tag: int(suite.get(name, "")) for tag, name in counts.items()} == {
            tag: found[tag] for tag in counts
        }
    assert [
        [(child.tag, child.get("type")) for child in suite.iter() if child.tag in {"failure", "error"}]
        for suite in suites
    ] == [
        [],
        [("error", "connection"), ("failure", "missing")],
        [("error", "forbidden")],
        [("failure", "missing")],
    ]
    assert suites[0].find("testcase/skipped") is not None
    [failure] = suites[3].iter("failure")
    assert failure.get("message") == (
        f"broken, missing: GET {manifest('absent', TAG)} answered 404 MANIFEST_UNKNOWN"
    )


def test_junit_can_be_read_whatever_a_registry_says():
    """Characters that XML does not know are written as escapes."""
    detail = "\x00\x1b<&\"' \ud800\uffff]]>"
    node = Node(Kind.TAG, Verdict.BROKEN, Reason.MALFORMED, detail, platform="\x07")
    one = everything()
    image = VerifiedImage("a\x08b", node, one.images[1].findings)
    document = ET.fromstring(render_junit([replace(one, images=(image,))]).encode())
    assert list(violations(document)) == []
    assert document.find("testsuite/testcase/failure") is not None


# The screen


@pytest.mark.parametrize("width", [80, 104, 200])
def test_a_digest_is_never_cut(width: int):
    """Each stands whole in one line, down to the layers of a platform of an index."""
    one = everything()
    lines = plain(one, width=width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for image in one.images:
        for node in image.tree.all():
            assert node.digest is None or re.search(rf"(?m)(^|\s){node.digest}(\s|$)", text)


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_narrow_terminal_gets_everything_too(width: int):
    """Folded, but nothing is left out and no line is too long."""
    one = everything()
    lines = plain(one, width=width)
    assert max(map(len, lines)) <= width
    letters = re.sub(r"[\s│├└─]", "", "".join(lines))
    for image in one.images:
        for node in image.tree.all():
            assert (node.digest or "") in letters


def test_what_is_broken_is_red_and_what_could_not_be_asked_yellow():
    """With its reason, and its evidence below it."""
    text = screen(everything())
    assert re.search(r"\x1b\[1;31mlayer, 64 bytes: broken, missing", text)
    assert re.search(r"\x1b\[33mconfig, \d+ bytes: unverified, connection", text)
    assert re.search(r"\x1b\[1;31mGET", text)


def test_control_characters_do_not_reach_the_terminal():
    """Whatever a registry or a user writes."""
    one = everything()
    node = Node(Kind.TAG, Verdict.BROKEN, Reason.MALFORMED, "a\x1b[2Jb\u202e", platform="\x9b")
    image = VerifiedImage("x\x1b]0;y\x07", node, one.images[1].findings)
    text = ESCAPE.sub("", screen(replace(one, images=(image,))))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def advice(*what: Verified) -> str:
    return plain(*what, width=1000)[-1]


def test_the_last_line_tells_what_to_do():
    """Of the worst that there is, the first; what is only unverified waits for that."""
    one = everything()
    intact, broken, forbidden, absent = one.images
    runbook = "docs/runbooks/RegistryManifestIntegrityFailure.md"

    def of(*images: VerifiedImage, **changes: Any) -> str:
        return advice(replace(one, images=images, **changes))

    assert re.fullmatch(r"Intact: 1 image, \d+ references in [\d.]+ s\. It can be pulled\.", of(intact))
    assert re.fullmatch(
        r"Intact: 2 images, \d+ references, 1\.5 kB read and hashed in [\d.]+ s\. They can be pulled\.",
        of(intact, intact, bytes_read=1500),
    )
    assert of(intact, broken) == (
        f"Broken: broken:{TAG}: do not deploy it. Push it again; where that changes nothing, see {runbook}."
    )
    assert of(forbidden, intact) == (
        f"Unverified: forbidden:{TAG}: no permission (forbidden): log in to registry as somebody who may"
        " pull it."
    )
    assert of(forbidden, absent, broken) == (
        f"Broken: absent:{TAG} (and 1 more of 3 images): it is not in the registry: push it, or correct its"
        " name."
    )
    cut = replace(broken, findings=tuple(replace(each, reason=Reason.TRUNCATED) for each in broken.findings))
    lost = replace(cut, findings=tuple(replace(each, verdict=Verdict.BROKEN) for each in cut.findings))
    assert of(lost) == (
        f"Broken: broken:{TAG}: do not deploy it. Pushing it again does not replace damaged data: see"
        f" {runbook}."
    )


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            Reason.UNAUTHORIZED,
            "no permission (unauthorized): log in to registry as somebody who may pull it.",
        ),
        (
            Reason.TIMEOUT,
            "http://registry.invalid did not answer (timeout): see that it runs, or try again later.",
        ),
        (Reason.RATE_LIMITED, "the registry limits requests: log in, or try again later."),
        (
            Reason.SERVER_ERROR,
            "the registry answers wrongly (server_error): try again; --retries waits for one that settles.",
        ),
    ],
)
def test_the_last_line_of_what_could_not_be_verified(reason: Reason, said: str):
    """Each reason has something that can be done about it."""
    one = everything()
    forbidden = one.images[2]
    image = replace(forbidden, findings=tuple(replace(each, reason=reason) for each in forbidden.findings))
    assert advice(replace(one, images=(image,))) == f"Unverified: forbidden:{TAG}: {said}"


# Trees


def test_an_ignored_finding_is_shown_as_skipped():
    """And does not make its image broken."""
    one = everything(ignore=(IgnoreRule(repository="broken", reason=Reason.MISSING),))
    skipped = [node for node in one.images[1].tree.all() if node.verdict is Verdict.SKIPPED]
    assert [node.kind for node in skipped] == [Kind.LAYER]
    assert skipped[0].detail.startswith("ignored: GET ")
    assert one.images[1].verdict is Verdict.UNVERIFIED


def test_a_manifest_that_is_listed_twice_is_shown_once():
    """The second time with a word about where its content stands."""
    inner = make.image("inner", layers=1)
    outer = make.index([inner, inner])
    one = verified(registry_with(("twice", outer)), named("twice"))
    first, second = one.images[0].tree.children
    assert (len(first.children), first.elsewhere) == (2, False)
    assert (len(second.children), second.elsewhere) == (0, True)
    assert sum("(its content: see above)" in line for line in plain(one)) == 1


def test_deep_nesting_comes_to_an_end_and_hides_nothing():
    """What is broken too deep for the tree stands at its end."""
    content = make.nested_index("deep", depth=60)
    registry = registry_with(("deep", content))
    lost = digest_of_target(content, "layer")
    del registry.blobs["deep", lost]
    one = run(verification(registry, [named("deep")]).run())
    [finding] = one.images[0].findings
    assert finding.digest == lost
    assert one.images[0].tree.children[-1].digest == lost
    assert any(lost in line.replace(" ", "") for line in plain(one, width=300))


def test_foreign_layers_are_skipped():
    """They are not expected to be there."""
    content = make.foreign_layer_image("foreign")
    one = verified(registry_with(("foreign", content)), named("foreign"))
    skipped = [node for node in one.images[0].tree.all() if node.verdict is Verdict.SKIPPED]
    assert [node.detail for node in skipped] == ["foreign layer"]
    assert one.images[0].verdict is Verdict.INTACT
