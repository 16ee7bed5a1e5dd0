"""What `probe` prints: the document, the table, the exit status."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from exporter.integrity import (
    Finding,
    Impact,
    Kind,
    Outcome,
    Reason,
    RegistryKind,
    Report,
    RepositoryReport,
    Verdict,
)
from exporter.oci import Digest
from exporter.output import exit_status, render_json, render_table
from exporter.registry import Purpose

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
CHILD = Finding(
    verdict=Verdict.BROKEN,
    reason=Reason.MISSING,
    impact=Impact.PULL,
    stale=False,
    repository="team/app",
    kind=Kind.CHILD,
    digest=DIGEST,
    media_type="application/vnd.oci.image.manifest.v1+json",
    size=1234,
    platform="linux/amd64",
    tags=("latest", "v7"),
    detail="answered 404 MANIFEST_UNKNOWN",
    first_seen=NOON.astimezone(timezone(timedelta(hours=2))),
)
TAG = Finding(
    verdict=Verdict.UNVERIFIED,
    reason=Reason.SERVER_ERROR,
    impact=Impact.METADATA,
    stale=True,
    repository="team/app",
    kind=Kind.TAG,
    digest=None,
    media_type=None,
    size=None,
    platform=None,
    tags=("v9",),
    detail="answered 500",
    first_seen=NOON,
)


IGNORED = replace(CHILD, verdict=Verdict.SKIPPED, digest=Digest("sha256:" + "f" * 64))


def report(*findings: Finding, **fields: Any) -> Report:
    """What a cycle of one repository with 10 tags and 45 references found."""
    repository = RepositoryReport(
        "team/app",
        walked=True,
        tags=10,
        checked={Kind.TAG: 10, Kind.CHILD: 5, Kind.CONFIG: 10, Kind.LAYER: 20},
        findings=findings,
    )
    cycle = Report(
        registry="private",
        url="https://registry.example.com",
        kind=RegistryKind.PRIVATE,
        outcome=Outcome.COMPLETE,
        catalog_accessible=True,
        started_at=NOON,
        finished_at=NOON + timedelta(seconds=8.1),
        duration_seconds=8.1004,
        requests=55,
        extra_requests={purpose: 0 for purpose in Purpose if purpose is not Purpose.WALK}
        | {Purpose.CONFIRMATION: 2},
        repositories={"team/app": repository},
    )
    return replace(cycle, **fields)


EMPTY = report(
    kind=RegistryKind.PULL_THROUGH,
    outcome=Outcome.FAILED,
    catalog_accessible=False,
    repositories={},
    trouble="GET /v2/_catalog answered 500",
)


def table(*reports: Report, width: int = 80, terminal: bool = False, **options: Any) -> str:
    """What is printed on a console."""
    file = StringIO()
    render_table(
        reports, Console(file=file, width=width, force_terminal=terminal, highlight=False, **options)
    )
    return file.getvalue()


def test_document():
    """The document has exactly the contract's keys, in its order, and says what the report says."""
    text = render_json([report(CHILD, TAG), EMPTY])
    assert text.endswith("\n}\n")
    first, second = json.loads(text, object_pairs_hook=list)[0][1]
    extra = [("confirmation", 2), ("retry", 0), ("redirect", 0), ("token", 0), ("refetch", 0)]
    assert first == [
        ("registry", "private"),
        ("url", "https://registry.example.com"),
        ("kind", "private"),
        ("outcome", "complete"),
        ("catalog_accessible", True),
        ("started_at", "2026-03-01T12:00:00.000Z"),
        ("finished_at", "2026-03-01T12:00:08.100Z"),
        ("duration_seconds", 8.1),
        ("requests", 55),
        ("extra_requests", extra),
        ("repositories", 1),
        ("tags", 10),
        ("broken_tags", 2),
        ("checked", [("tag", 10), ("child", 5), ("config", 10), ("layer", 20)]),
        (
            "findings",
            [
                [
                    ("verdict", "broken"),
                    ("reason", "missing"),
                    ("impact", "pull"),
                    ("stale", False),
                    ("repository", "team/app"),
                    ("kind", "child"),
                    ("digest", str(DIGEST)),
                    ("media_type", "application/vnd.oci.image.manifest.v1+json"),
                    ("size", 1234),
                    ("platform", "linux/amd64"),
                    ("tags", ["latest", "v7"]),
                    ("detail", "answered 404 MANIFEST_UNKNOWN"),
                    ("first_seen", "2026-03-01T12:00:00.000Z"),
                ],
                [
                    ("verdict", "unverified"),
                    ("reason", "server_error"),
                    ("impact", "metadata"),
                    ("stale", True),
                    ("repository", "team/app"),
                    ("kind", "tag"),
                    ("digest", None),
                    ("media_type", None),
                    ("size", None),
                    ("platform", None),
                    ("tags", ["v9"]),
                    ("detail", "answered 500"),
                    ("first_seen", "2026-03-01T12:00:00.000Z"),
                ],
            ],
        ),
    ]
    assert dict(second) == dict(first) | {
        "kind": "pull-through",
        "outcome": "failed",
        "catalog_accessible": False,
        "repositories": 0,
        "tags": 0,
        "broken_tags": 0,
        "checked": [("tag", 0), ("child", 0), ("config", 0), ("layer", 0)],
        "findings": [],
    }


def test_table_of_findings():
    """A line that sums up, then each finding with its words, its image, its digest whole and its evidence."""
    metadata = replace(
        CHILD, impact=Impact.METADATA, tags=(), platform="unknown/unknown", reason=Reason.SIZE_MISMATCH
    )
    assert table(report(CHILD, metadata, TAG), width=100) == (
        "private: 2 broken references, 2 tags cannot be pulled; 1 unverified reference"
        " (1 repository, 10 tags, 45 references in 8.1 s)\n"
        "  VERDICT     REASON           IMPACT    KIND    PLATFORM\n"
        "  broken      missing          pull      child   linux/amd64\n"
        "    team/app:latest, v7\n"
        f"    {DIGEST}\n"
        "    answered 404 MANIFEST_UNKNOWN\n"
        "  broken      size_mismatch    metadata  child   unknown/unknown\n"
        "    team/app\n"
        f"    {DIGEST}\n"
        "    answered 404 MANIFEST_UNKNOWN\n"
        "  unverified  server_error     metadata  tag     -  (stale)\n"
        "    team/app:v9\n"
        "    answered 500\n"
    )


COUNTED = "(1 repository, 10 tags, 45 references in 8.1 s)\n"
NOTHING = "(0 repositories, 0 tags, 0 references in 8.1 s)\n"
NOT_ALL = "nothing broken was found, but not everything could be verified"


@pytest.mark.parametrize(
    ("cycle", "said"),
    [
        (report(), f"private: all intact {COUNTED}"),
        (report(repositories={}), f"private: all intact {NOTHING}"),
        (EMPTY, f"private: the catalog could not be read {NOTHING}  GET /v2/_catalog answered 500\n"),
        (
            report(outcome=Outcome.INCOMPLETE, trouble="2 repositories were not walked, the first: a"),
            f"private: {NOT_ALL} {COUNTED}  2 repositories were not walked, the first: a\n",
        ),
        (report(replace(CHILD, impact=Impact.METADATA)), f"private: 1 broken reference {COUNTED}"),
        (
            report(replace(CHILD, tags=("v1",))),
            f"private: 1 broken reference, 1 tag cannot be pulled {COUNTED}",
        ),
        (report(TAG), f"private: {NOT_ALL}; 1 unverified reference {COUNTED}"),
        (report(IGNORED), f"private: all intact; 1 ignored reference {COUNTED}"),
        (
            report(CHILD, IGNORED, IGNORED),
            f"private: 1 broken reference, 2 tags cannot be pulled; 2 ignored references {COUNTED}",
        ),
    ],
)
def test_summary(cycle: Report, said: str):
    """Each outcome is one clear line, and why it is not complete another."""
    assert table(cycle).startswith(said)


def test_several_registries():
    """One below the other, in the order given."""
    assert table(report(), report(registry="other")) == (
        "private: all intact (1 repository, 10 tags, 45 references in 8.1 s)\n"
        "\n"
        "other: all intact (1 repository, 10 tags, 45 references in 8.1 s)\n"
    )


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "team/app:v0"),
        (3, "team/app:v0, v1, v2"),
        (4, "team/app:v0, v1, v2 and 1 more tag"),
        (900, "team/app:v0, v1, v2 and 897 more tags"),
    ],
)
def test_many_tags_are_folded(count: int, said: str):
    """A few tags are named, the others counted."""
    tags = tuple(f"v{number}" for number in range(count))
    assert f"\n    {said}\n" in table(report(replace(CHILD, tags=tags)))


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ((f"@{DIGEST}",), f"team/app@{DIGEST}"),
        ((f"@{DIGEST}", "latest", "v1", "v2"), f"team/app@{DIGEST}, latest, v1 and 1 more tag"),
        (("1.0", f"@{DIGEST}"), f"team/app:1.0, @{DIGEST}"),
    ],
)
def test_images_by_digest_are_named_as_such(tags: tuple[str, ...], said: str):
    """An image by digest is written with its digest, in the table and in the document."""
    cycle = report(replace(CHILD, tags=tags))
    assert f"\n    {said}\n" in table(cycle)
    assert json.loads(render_json([cycle]))["registries"][0]["findings"][0]["tags"] == list(tags)


def test_what_is_ignored_is_listed():
    """A finding that a rule hides is in the table and in the document, as skipped, and counts as nothing."""
    assert table(report(IGNORED), width=100) == (
        "private: all intact; 1 ignored reference (1 repository, 10 tags, 45 references in 8.1 s)\n"
        "  VERDICT     REASON           IMPACT    KIND    PLATFORM\n"
        "  skipped     missing          pull      child   linux/amd64\n"
        "    team/app:latest, v7\n"
        f"    {IGNORED.digest}\n"
        "    answered 404 MANIFEST_UNKNOWN\n"
    )
    (document,) = json.loads(render_json([report(IGNORED)]))["registries"]
    assert [(one["verdict"], one["digest"]) for one in document["findings"]] == [("skipped", IGNORED.digest)]
    assert document["broken_tags"] == 0


def test_digests_are_whole_on_a_narrow_terminal():
    """At 80 columns a digest is on one line; where it does not fit, it is folded, not cut."""
    finding = replace(CHILD, detail=f"GET /v2/team/app/manifests/{DIGEST} answered 404 MANIFEST_UNKNOWN")
    for width in (20, 40, 79, 80, 200):
        lines = table(
            report(finding), width=width, terminal=True, no_color=True, color_system=None
        ).splitlines()
        assert max(map(len, lines)) <= width
        assert DIGEST in "".join(line.strip() for line in lines)
        assert (f"    {DIGEST}" in lines) is (width >= 79)
        assert "…" not in "".join(lines)


def test_lines_are_whole_without_a_terminal():
    """What goes to a pipe or a file is not wrapped, so that grep finds what it looks for."""
    finding = replace(CHILD, detail="x" * 500)
    assert f"    {'x' * 500}\n" in table(report(finding))


def test_colors_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch):
    """Escape codes are for terminals, and for those whose owner wants them."""
    cycles = (report(CHILD), EMPTY, report())
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;31m1 broken reference, 2 tags cannot be pulled\x1b[0m" in table(*cycles, terminal=True)
    assert "\x1b" not in table(*cycles)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3\dm", table(*cycles, terminal=True))


foreign = st.text(max_size=40) | st.sampled_from(
    ["[bold red]x[/]", "[/]", "\x1b[2J", ":smile:", "a\nb", "\u202eevil"]
)


@given(foreign, foreign, foreign, st.booleans())
def test_foreign_text_is_shown_not_obeyed(text: str, tag: str, platform: str, terminal: bool):
    """Neither markup, nor escape codes, nor line ends of a registry's have an effect."""
    finding = replace(CHILD, detail=text, repository=text, tags=(tag,), platform=platform)
    cycle = report(finding, registry=text or "x", trouble=text)
    printed = table(cycle, width=10_000, terminal=terminal, color_system=None)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", printed)
    assert printed.count("\n") == 7
    for shown in ("[bold red]x[/]", ":smile:"):
        if text == shown:
            assert f"    {shown}\n" in printed
    assert json.loads(render_json([cycle]))["registries"][0]["findings"][0]["detail"] == text


@pytest.mark.parametrize(
    ("status", "cycles"),
    [
        (0, [report()]),
        (0, [report(), report(repositories={})]),
        (0, [report(IGNORED)]),
        (1, [report(IGNORED, CHILD)]),
        (3, [report(IGNORED, TAG)]),
        (1, [report(CHILD)]),
        (1, [report(replace(CHILD, impact=Impact.METADATA))]),
        (1, [report(replace(CHILD, stale=True))]),
        (1, [report(TAG), report(CHILD), EMPTY]),
        (1, [report(TAG, CHILD)]),
        (1, [report(CHILD, outcome=Outcome.INCOMPLETE)]),
        (3, [report(TAG)]),
        (3, [report(), report(TAG)]),
        (3, [report(outcome=Outcome.INCOMPLETE)]),
        (3, [report(outcome=Outcome.FAILED, catalog_accessible=False)]),
        (3, [report(catalog_accessible=False), report()]),
    ],
)
def test_exit_status(status: int, cycles: list[Report]):
    """What is broken counts more than what could not be verified."""
    assert exit_status(cycles) == status
