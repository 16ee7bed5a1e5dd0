"""The list of what is to be deleted: the name of an image a line."""

import sys
from pathlib import Path
from typing import Final

from exporter.logs import printable
from exporter.oci import ImageName, InvalidValueError
from exporter.verification import UsageError

STANDARD_INPUT: Final = "-"
LONGEST_LIST: Final = 8 * 1024 * 1024  # bytes
_MOST_PROBLEMS: Final = 20
_LONGEST_SHOWN: Final = 300  # characters of a line
_EXPECTED: Final = "expected host/repository:tag or host/repository@sha256:..."


def read_file(file: str) -> tuple[ImageName, ...]:
    """Read the list in a file, or on standard input.

    Raises:
        UsageError: it cannot be read, or a line is not what it should be.
    """
    name = "standard input" if file == STANDARD_INPUT else printable(file)
    try:
        content = _content(file)
    except OSError as error:
        raise UsageError([f"{name}: expected a file that can be read: {error.strerror}"]) from error
    if len(content) > LONGEST_LIST:
        raise UsageError([f"{name}: expected a list of at most {LONGEST_LIST} bytes"])
    # What is not UTF-8 is no name either, and is told with its line.
    return read_list(content.decode("utf-8-sig", "surrogateescape"), name)


def read_list(text: str, file: str) -> tuple[ImageName, ...]:
    """Read names of images, each once; blank lines and those that begin with # say nothing.

    Raises:
        UsageError: a line is no such name; those that are not are told with their numbers.
    """
    names: dict[ImageName, None] = {}
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        value = line.strip()
        if not value or value.startswith("#"):
            continue
        try:
            names[_read(value)] = None
        except InvalidValueError as error:
            problems.append(f"{file}, line {number}: {_shown(value)}: {_EXPECTED}: {error}")
    if len(problems) > _MOST_PROBLEMS:
        more = len(problems) - _MOST_PROBLEMS
        problems[_MOST_PROBLEMS:] = [f"{file}: {more} more lines are no such names"]
    if problems:
        raise UsageError(problems)
    return tuple(names)


def _content(file: str) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read(LONGEST_LIST + 1)
    with Path(file).open("rb") as opened:
        return opened.read(LONGEST_LIST + 1)


def _shown(value: str) -> str:
    return ascii(value) if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]!a}..."


def _read(value: str) -> ImageName:
    # What is not said does not go: neither `latest` by default, nor a tag beside the digest that counts.
    name, at, _ = value.partition("@")
    tagged = ":" in name.rpartition("/")[2]
    if not at and not tagged:
        raise InvalidValueError("neither a tag nor a digest is named")
    if at and tagged:
        raise InvalidValueError("a tag and a digest are named, of which only the digest would go")
    return ImageName.parse(value)
