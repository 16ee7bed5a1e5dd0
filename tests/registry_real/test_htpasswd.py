"""docker-registry behind an htpasswd file, whose passwords `htpasswd -B` made."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from exporter.registry import Credentials, CredentialSource, DockerConfig, FixedCredentials, PasswordFile
from sample.registry import DockerRegistry
from tests.parts.fixtures import StartRegistry
from tests.parts.programs import find_program
from tests.registry_real.walking import open_cycle, outcome, put, walk

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
REFUSED = "GET /v2/_catalog answered 401 UNAUTHORIZED"


class Htpasswd:
    """A file of users."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    def set(self, user: str, password: str) -> None:
        """Add a user, or change one's password."""
        program = find_program("htpasswd")
        line = subprocess.run(
            # Cheap to compute, since every request computes it anew.
            [program, "-n", "-i", "-B", "-C", "4", user],
            input=password.encode(),
            capture_output=True,
            check=True,
        ).stdout.strip()
        others = [
            one for one in self.file.read_bytes().splitlines() if not one.startswith(user.encode() + b":")
        ]
        self.file.write_bytes(b"\n".join([*others, line, b""]))

    @property
    def options(self) -> dict[str, dict[str, dict[str, str]]]:
        return {"auth": {"htpasswd": {"realm": "Registry Realm", "path": str(self.file)}}}


@pytest.fixture
def users(tmp_path: Path) -> Htpasswd:
    return Htpasswd(tmp_path / "htpasswd")


@pytest.fixture
def registry(users: Htpasswd, start_registry: StartRegistry) -> DockerRegistry:
    return start_registry(more=users.options)


# No more than 72 bytes of a password count with bcrypt.
PASSWORDS = {
    "printable, first half": PRINTABLE[:48],
    "printable, second half": PRINTABLE[48:],
    "quotes": "'\"`\\'\" $(id) ${HOME} %s {} # ; & |",
    "spaces around": "  in the middle of it  ",
    "non-ascii": "pässwörd пароль 密码 \U0001f40b",
    "colons": "a:b::c:",
}


@pytest.mark.parametrize("way", ["fixed", "password file", "config.json", "config.json with fields"])
@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
async def test_any_password_lets_us_in(
    password: str, way: str, users: Htpasswd, registry: DockerRegistry, tmp_path: Path
):
    """From wherever it comes; the file that holds it ends with a newline."""
    user = "änn o'hara"
    users.set(user, password)
    references = put(registry)
    report = await walk(registry.url, credentials=source(way, user, password, registry.host, tmp_path))
    assert outcome(report) == ("complete", None, references, {})
    assert {access.status for access in registry.requests()} <= {200, 206, 401}
    assert not [one for one in registry.requests() if one.status == 401 and "exporter" in one.agent]


def source(way: str, user: str, password: str, host: str, tmp_path: Path) -> CredentialSource:
    """Make one of the ways in which a password can be given."""
    if way == "fixed":
        return FixedCredentials(Credentials(user, password))
    if way == "password file":
        file = tmp_path / "password"
        file.write_bytes(password.encode() + b"\n")
        return PasswordFile(user, file)
    entry = {"username": user, "password": password}
    if way == "config.json":
        entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {host: entry}}))
    return DockerConfig.for_registry(file, f"http://{host}")


@pytest.mark.parametrize("credentials", [None, Credentials("ann", "wrong"), Credentials("eve", "pw")])
async def test_whoever_is_not_let_in_has_a_failed_cycle(
    credentials: Credentials | None, users: Htpasswd, registry: DockerRegistry
):
    """Nothing is missing; the catalog could not be read, and was asked for once."""
    users.set("ann", "pw")
    put(registry)
    mark = registry.mark()
    assert outcome(await walk(registry.url, credentials=credentials)) == ("failed", REFUSED, 0, {})
    assert len(registry.requests(mark)) == 1


async def test_rotated_password_is_picked_up_in_the_next_cycle(
    users: Htpasswd, registry: DockerRegistry, tmp_path: Path
):
    """Without a restart of either."""
    file = tmp_path / "password"
    references = put(registry)
    async with open_cycle(registry.url, credentials=PasswordFile("ann", file)) as cycle:
        for password in ("first", "second", "third"):
            users.set("ann", password)
            file.write_text(f"{password}\n")
            assert outcome(await cycle.run(None)) == ("complete", None, references, {})
