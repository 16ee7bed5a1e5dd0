"""Passwords and the files that hold them."""

import base64
import os
import string
import traceback
from pathlib import Path

import pytest

from exporter.registry import Credentials, CredentialSource, FixedCredentials, NoCredentials, PasswordFile
from exporter.registry.credentials import CredentialsError, IdentityToken, RegistryToken

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
SECRET = "s3cr3t"


async def trouble(source: CredentialSource) -> str:
    """The message of what went wrong; it and all its causes are clean of the secret."""
    with pytest.raises(CredentialsError) as caught:
        await source.find("app")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


async def test_no_credentials_are_none():
    """Everything is asked anonymously."""
    assert await NoCredentials().find("app") is None


async def test_fixed_credentials_are_those_of_every_repository():
    """And of the registry as a whole."""
    source = FixedCredentials(RegistryToken(SECRET))
    assert [await source.find(""), await source.find("team/app")] == [RegistryToken(SECRET)] * 2


@pytest.mark.parametrize(
    "password",
    [
        PRINTABLE,
        "'\"\\`$(){}[]<>|&;#!*?~",
        " leading and trailing ",
        "pässwörd",
        "пароль",
        "\U0001f40b\u202e",
        "x" * 10_000,
        "a:b:c",
    ],
    ids=["printable", "quotes", "spaces", "latin", "cyrillic", "astral", "long", "colons"],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["bare", "newline", "crlf"])
async def test_password_is_the_files_one_line(password: str, end: str, tmp_path: Path):
    """To the letter, less one newline at its end."""
    file = tmp_path / "password"
    file.write_bytes(f"{password}{end}".encode())
    assert await PasswordFile("ann", file).find("app") == Credentials("ann", password)


def test_all_printable_characters_are_tested():
    """The constant of this file holds them."""
    assert set(PRINTABLE) == set(string.printable) - set("\t\n\r\x0b\x0c")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\r\n", b"s3cr3t\n\n", b"s3cr3t\nmore", b"s3cr3t\x00", b"\x1bs3cr3t", b"s3cr3t\r\r\n"],
)
async def test_file_without_one_line_is_no_password(content: bytes, tmp_path: Path):
    """A control character is in no password (RFC 7617, 2); an empty file is being written just now."""
    file = tmp_path / "password"
    file.write_bytes(content)
    assert await trouble(PasswordFile("ann", file)) == f"{file} is not one line of text"


async def test_file_that_cannot_be_read_says_why(tmp_path: Path):
    """Missing, a folder, not UTF-8, endless."""
    missing, folder, latin = tmp_path / "missing", tmp_path, tmp_path / "latin"
    latin.write_bytes("s3cr3t ä".encode("latin-1"))
    assert await trouble(PasswordFile("ann", missing)) == (
        f"{missing} could not be read: No such file or directory"
    )
    assert await trouble(PasswordFile("ann", folder)) == f"{folder} could not be read: Is a directory"
    assert await trouble(PasswordFile("ann", latin)) == f"{latin} is not UTF-8"
    assert await trouble(PasswordFile("ann", Path("/dev/zero"))) == "/dev/zero is longer than 4194304 bytes"


async def test_rotated_file_is_read_again(tmp_path: Path):
    """Written anew, and replaced by way of a link, as Kubernetes does."""
    first, second, link = tmp_path / "1", tmp_path / "2", tmp_path / "password"
    first.write_text("one\n")
    second.write_text("two\n")
    link.symlink_to(first)
    source = PasswordFile("ann", link)
    assert await source.find("app") == Credentials("ann", "one")
    first.write_text("three\n")
    assert await source.find("app") == Credentials("ann", "three")
    (tmp_path / "next").symlink_to(second)
    os.replace(tmp_path / "next", link)  # noqa: PTH105 - over a link
    assert await source.find("app") == Credentials("ann", "two")


def test_secrets_are_in_no_repr():
    """So that they are in no log line and no traceback."""
    shown = [
        repr(secret)
        for secret in (
            Credentials("ann", SECRET),
            IdentityToken(SECRET),
            RegistryToken(SECRET),
            FixedCredentials(Credentials("ann", SECRET)),
        )
    ]
    assert [SECRET in text or base64.b64encode(SECRET.encode()).decode() in text for text in shown] == [
        False
    ] * 4
