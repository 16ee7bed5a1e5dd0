"""Finding the real programs that tests run."""

from pathlib import Path

from tools import debian


class MissingProgram(Exception):  # noqa: N818 - says what is the matter
    """A program that a test needs is not here. That fails the test: a skipped proof proves nothing."""


def find_program(name: str) -> Path:
    """Find a program by the name its makers gave it, whatever Debian calls it and wherever it puts it.

    Raises:
        MissingProgram: naming the Debian package that has it.

    """
    program = debian.PROGRAMS[name]
    found = debian.find(program)
    if found is None:
        raise MissingProgram(
            f"{name} is not here: it is in the Debian package {program.package}; "
            f"`python3 tools/debian.py {program.package}` fetches it"
        )
    return found
