"""The list of what is to be deleted: names a line, read whole or refused before anything is asked."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.deletion import read_file, read_list
from exporter.deletion.listing import LONGEST_LIST
from exporter.oci import ImageName
from exporter.verification import UsageError
from tests.oci.strategies import image_names

EXPECTED = "expected host/repository:tag or host/repository@sha256:..."

BOTH = "a tag and a digest are named, of which only the digest would go"


def refused(text: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as error:
        read_list(text, "old.txt")
    return error.value.problems


def test_blank_lines_and_comments_say_nothing():
    """Names keep their order, each once, whatever ends the lines and stands around them."""
    digest = f"sha256:{'0' * 64}"
    text = f"# old\n\n  h.io/b:1 \r\n\t#h.io/c:1\nh.io/a@{digest}\nh.io/b:1\napp:2"
    assert [str(name) for name in read_list(text, "old.txt")] == [
        "h.io/b:1",
        f"h.io/a@{digest}",
        "docker.io/library/app:2",
    ]
    assert read_list("", "old.txt") == ()


def test_every_wrong_line_is_told_with_its_number():
    """With the text and what was expected; `latest` does not go by default, nor a tag beside a digest."""
    digest = f"sha256:{'0' * 64}"
    assert refused(f"h.io/a:1\nh.io:5000/a\n\nh.io/a:1@{digest}\na:1 # why\nh.io/a@sha256:0\n") == (
        f"old.txt, line 2: 'h.io:5000/a': {EXPECTED}: neither a tag nor a digest is named",
        f"old.txt, line 4: 'h.io/a:1@{digest}': {EXPECTED}: {BOTH}",
        f"old.txt, line 5: 'a:1 # why': {EXPECTED}: '1 # why' is not a tag",
        f"old.txt, line 6: 'h.io/a@sha256:0': {EXPECTED}: 'sha256:0' has not the form of its algorithm",
    )


def test_lines_are_counted_as_editors_count_them():
    """Whatever else Python takes for the end of a line."""
    [problem] = refused("# a\x0cb\u2028c\r\nwrong")
    assert problem.startswith("old.txt, line 2: 'wrong': ")


def test_a_file_that_is_no_list_is_told_in_a_few_lines():
    """However long it and its lines are."""
    problems = refused("x" * 10_000 + "\n" + "wrong\n" * 5_000)
    assert len(problems) == 21
    assert problems[0].startswith(f"old.txt, line 1: '{'x' * 300}'...: expected ")
    assert problems[-1] == "old.txt: 4981 more lines are no such names"
    assert max(map(len, problems)) < 500


@given(image_names())
def test_what_is_written_is_read(name: ImageName):
    """Any name that has a tag or a digest alone; one that has both is refused."""
    if (name.tag is None) == (name.digest is None):
        assert refused(str(name))[0].endswith(BOTH)
    else:
        assert read_list(f"{name}\n{name}", "old.txt") == (name,)


@given(st.text())
def test_any_text_is_read_or_refused(text: str):
    """Never anything else, and no line of what is told holds anything that a terminal obeys."""
    problems: tuple[str, ...] = ()
    try:
        assert all((name.tag is None) != (name.digest is None) for name in read_list(text, "old.txt"))
    except UsageError as error:
        problems = error.problems
    assert all(problem.isascii() and problem.isprintable() for problem in problems)


def problem_of(file: Path | str) -> str:
    with pytest.raises(UsageError) as error:
        read_file(str(file))
    [problem] = error.value.problems
    return problem


def test_a_file_that_cannot_be_read(tmp_path: Path):
    """It is told, with why."""
    absent = tmp_path / "absent\x1b"
    assert problem_of(absent) == (
        f"{tmp_path}/absent\\x1b: expected a file that can be read: No such file or directory"
    )
    assert problem_of(tmp_path) == f"{tmp_path}: expected a file that can be read: Is a directory"
    long = tmp_path / "long"
    with long.open("wb") as file:
        file.truncate(LONGEST_LIST + 1)
    assert problem_of(long) == f"{long}: expected a list of at most {LONGEST_LIST} bytes"


def test_a_file_of_any_bytes(tmp_path: Path):
    """A byte order mark is none of the name; what is not UTF-8 is no name, but may stand in a comment."""
    file = tmp_path / "list"
    file.write_bytes(b"\xef\xbb\xbfh.io/a:1\n# \xff\n")
    assert [str(name) for name in read_file(str(file))] == ["h.io/a:1"]
    file.write_bytes(b"h.io/a:\xff")
    assert problem_of(file) == f"{file}, line 1: 'h.io/a:\\udcff': {EXPECTED}: '\\udcff' is not a tag"
