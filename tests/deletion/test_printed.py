"""What `check-deletion` prints: a document for machines, a screen for people."""

import json
import re
from io import StringIO

import pytest
from rich.console import Console

from exporter.deletion import (
    BrokenTag,
    CheckedRegistry,
    Deletion,
    RepositoryConsequences,
    deletion_status,
    render_consequences,
    render_json,
)
from exporter.oci import Digest

A, B, C = sorted(Digest.of(letter) for letter in (b"a", b"b", b"c"))
BROKEN = RepositoryConsequences(
    "team/app",
    kept_tags=4,
    broken_tags=(
        BrokenTag("latest", C, deleted=False, lost=(A, B)),
        BrokenTag("stable", A, deleted=True, lost=(A,)),
    ),
    deletions=(
        Deletion(A, ("1.0",), ("1.0", "stable"), (C,)),
        Deletion(B, (B,), (), (C,)),
        Deletion(Digest.of(b"free"), ("0.9",), ("0.9",), ()),
    ),
    not_found=("0.8",),
)
UNDETERMINED = RepositoryConsequences(
    "team/web",
    kept_tags=1,
    not_found=("7",),
    undetermined=("GET /v2/team/web/manifests/8 answered 500 UNKNOWN",),
)
HARMLESS = RepositoryConsequences("base", 1, deletions=(Deletion(A, ("1", A), ("1",), ()),))


def checked(*repositories: RepositoryConsequences) -> CheckedRegistry:
    names = {one.repository: f"h.io/{one.repository}" for one in repositories}
    return CheckedRegistry("private", "https://h.io", repositories, names)


def screen(*repositories: RepositoryConsequences, width: int = 80, terminal: bool = True) -> str:
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, highlight=False, _environ={})
    render_consequences([checked(*repositories)] if repositories else [], console)
    return file.getvalue()


def lines(*repositories: RepositoryConsequences, width: int = 80) -> list[str]:
    text = re.sub(r"\x1b\[[\d;]*m", "", screen(*repositories, width=width))
    return [line.rstrip() for line in text.splitlines()]


def test_the_whole_table():
    """Each repository with what would break, what is a child of a kept index, and what is not there."""
    assert lines(HARMLESS, BROKEN, UNDETERMINED) == [
        "h.io/base: no kept tag would break (1 kept tag)",
        "",
        "h.io/team/app: 2 of 4 kept tags would break",
        "  latest: would lose 2 manifests that it needs",
        f"    {A}",
        f"    {B}",
        "  stable: would be deleted with 1.0",
        f"    {A}",
        "  listed as 1.0, but a child of a kept index:",
        f"    {A}",
        f"    in {C}",
        "  listed, but a child of a kept index:",
        f"    {B}",
        f"    in {C}",
        "  not found: 0.8",
        "",
        "h.io/team/web: not everything could be determined (1 kept tag)",
        "  not found: 7",
        "  not determined: GET /v2/team/web/manifests/8 answered 500 UNKNOWN",
        "",
        "Would break: 2 kept tags. Do not delete h.io/team/app:1.0 (and 1 more of 7",
        "listed).",
    ]


def test_the_last_line_tells_what_to_do():
    """The worst counts."""
    assert lines(HARMLESS, UNDETERMINED, width=200)[-1] == (
        "Not determined: h.io/team/web: delete nothing of it before everything can be read."
    )
    assert lines(UNDETERMINED, UNDETERMINED, HARMLESS, width=200)[-1] == (
        "Not determined: h.io/team/web (and 1 more of 3 repositories):"
        " delete nothing of it before everything can be read."
    )
    assert lines(HARMLESS)[-1] == "Nothing would break: 2 listed, 1 kept tag. They can be deleted."
    assert lines() == ["Nothing is listed."]


def test_colors():
    """What would break is red, what could not be determined yellow, the rest green."""
    text = screen(HARMLESS, BROKEN, UNDETERMINED)
    assert re.search(r"\x1b\[1;31mlatest: would lose", text)
    assert re.search(r"\x1b\[33mnot determined: GET", text)
    assert re.search(r"\x1b\[32mno kept tag would break", text)


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_narrow_terminal_gets_everything_too(width: int):
    """Folded, but nothing is left out and no line is too long."""
    folded = lines(HARMLESS, BROKEN, UNDETERMINED, width=width)
    assert max(map(len, folded)) <= width
    wide = lines(HARMLESS, BROKEN, UNDETERMINED, width=1000)
    assert re.sub(r"\s", "", "".join(folded)) == re.sub(r"\s", "", "".join(wide))


def test_a_pipe_gets_whole_lines():
    """Without escape codes."""
    text = screen(BROKEN, UNDETERMINED, width=10, terminal=False)
    assert "\x1b" not in text
    assert "Would break: 2 kept tags. Do not delete h.io/team/app:1.0 (and 1 more of 5 listed)." in text


def test_control_characters_do_not_reach_the_terminal():
    """Whatever a registry answers."""
    evil = RepositoryConsequences("a", 0, undetermined=("x\x1b[2J\u202e\x9b",))
    text = re.sub(r"\x1b\[[\d;]*m", "", screen(evil))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_what_is_much_is_told_in_a_few_lines():
    """Of manifests and errors the first, and how many there are."""
    many = tuple(sorted(Digest.of(bytes([number])) for number in range(30)))
    whole = RepositoryConsequences(
        "a",
        1,
        (BrokenTag("latest", C, deleted=False, lost=many),),
        (Deletion(many[0], tuple(f"v{number}" for number in range(30)), (), many),),
        not_found=tuple(f"w{number}" for number in range(30)),
        undetermined=tuple(f"error {number}" for number in range(30)),
    )
    told = lines(whole)
    assert len(told) < 50
    for line in (
        "    and 20 more manifests",
        "    and 20 more indexes",
        "  and 20 more that could not be determined",
        "  listed as v0, v1, v2, v3, v4 and 25 more, but a child of a kept index:",
        "  not found: w0, w1, w2, w3, w4 and 25 more",
    ):
        assert line in told


def test_the_whole_document():
    """Everything that the table tells, and what else would be deleted."""
    assert json.loads(render_json([checked(BROKEN, UNDETERMINED)])) == {
        "registries": [
            {
                "registry": "private",
                "url": "https://h.io",
                "repositories": [
                    {
                        "repository": "team/app",
                        "kept_tags": 4,
                        "would_break": [
                            {"tag": "latest", "digest": C, "deleted": False, "lost": [A, B]},
                            {"tag": "stable", "digest": A, "deleted": True, "lost": [A]},
                        ],
                        "would_be_deleted": [
                            {
                                "digest": A,
                                "listed": ["1.0"],
                                "tags": ["1.0", "stable"],
                                "kept_indexes": [C],
                            },
                            {"digest": B, "listed": [B], "tags": [], "kept_indexes": [C]},
                            {
                                "digest": Digest.of(b"free"),
                                "listed": ["0.9"],
                                "tags": ["0.9"],
                                "kept_indexes": [],
                            },
                        ],
                        "not_found": ["0.8"],
                        "undetermined": [],
                    },
                    {
                        "repository": "team/web",
                        "kept_tags": 1,
                        "would_break": [],
                        "would_be_deleted": [],
                        "not_found": ["7"],
                        "undetermined": ["GET /v2/team/web/manifests/8 answered 500 UNKNOWN"],
                    },
                ],
            }
        ]
    }
    assert json.loads(render_json([])) == {"registries": []}


def test_the_exit_status():
    """What would break outweighs what could not be determined, in any repository of any registry."""
    for status, repositories in (
        (0, []),
        (0, [HARMLESS]),
        (3, [HARMLESS, UNDETERMINED]),
        (1, [UNDETERMINED, BROKEN, HARMLESS]),
    ):
        assert deletion_status([checked(one) for one in repositories]) == status
        assert deletion_status([checked(*repositories)]) == status
