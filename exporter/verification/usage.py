"""What the command line may say of images: each value is read, or refused with what was expected."""

import re
from collections.abc import Iterable
from typing import Final

from exporter.oci import ImageName, InvalidValueError

_PLATFORM = re.compile(r"[a-z0-9._]+/[a-z0-9._]+(?:/[a-z0-9._]+)?")
_MOST_RETRIES: Final = 100


class UsageError(Exception):
    """The command line is wrong; `problems` has a line for each value that is."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read_images(texts: Iterable[str]) -> tuple[ImageName, ...]:
    """Read names of images.

    Raises:
        UsageError: one is none.
    """
    names: dict[ImageName, None] = {}
    problems = []
    for text in texts:
        try:
            names[ImageName.parse(text)] = None
        except InvalidValueError as error:
            expected = "expected host/repository:tag or host/repository@sha256:..."
            problems.append(f"image {text!a}: {expected}: {error}")
    if problems:
        raise UsageError(problems)
    return tuple(names)


def read_platforms(texts: Iterable[str]) -> tuple[str, ...]:
    """Read platforms.

    Raises:
        UsageError: one is none.
    """
    platforms = tuple(dict.fromkeys(texts))
    wrong = [text for text in platforms if not _PLATFORM.fullmatch(text)]
    if wrong:
        expected = "expected a platform such as linux/amd64 or linux/arm/v7"
        raise UsageError(f"--platform {text!a}: {expected}" for text in wrong)
    return platforms


def read_retries(text: str) -> int:
    """Read how often to verify again.

    Raises:
        UsageError: it is no such number.
    """
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) > _MOST_RETRIES:
        expected = f"expected a whole number from 0 to {_MOST_RETRIES}"
        raise UsageError([f"--retries {text!a}: {expected}"])
    return int(text)
