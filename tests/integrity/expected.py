"""Short ways to write findings down."""

from tests.integrity.model import ExpectedFinding


def broken(
    repository: str,
    kind: str,
    digest: str | None,
    *tags: str,
    reason: str = "missing",
    impact: str = "pull",
    stale: bool = False,
) -> ExpectedFinding:
    """A broken reference."""
    return ExpectedFinding(repository, kind, tags, digest, "broken", reason, impact, stale)


def unverified(
    repository: str,
    kind: str,
    digest: str | None,
    *tags: str,
    reason: str = "server_error",
    impact: str = "pull",
    stale: bool = False,
) -> ExpectedFinding:
    """An unverified reference."""
    return ExpectedFinding(repository, kind, tags, digest, "unverified", reason, impact, stale)
