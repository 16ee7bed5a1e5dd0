"""What an operator has decided of names: which are meant, and what not to be told about."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Final

from exporter.integrity.finding import Finding, Reason, Verdict
from exporter.oci import Descriptor, Platform

# What a platform without a variant means (containerd, `platforms.Normalize`).
_USUAL_VARIANTS: Final = {"amd64": "v1", "arm": "v7", "arm64": "v8"}


@dataclass(frozen=True, slots=True)
class GlobFilter:
    """The names that are meant: where there are `include` globs, what one of them matches; never an excluded.

    A `*` matches a slash as well.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def accepts(self, name: str) -> bool:
        """Whether a name is meant."""
        included = not self.include or any(fnmatchcase(name, glob) for glob in self.include)
        return included and not any(fnmatchcase(name, glob) for glob in self.exclude)


ALL_NAMES: Final = GlobFilter()


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Known breakage: what it matches is `skipped` through the end of the day `until`, in UTC.

    `repository` and `tag` are globs, whose `*` matches a slash as well. `digest` and `reason` match anything
    where they are None; a rule without `until` does not expire.
    """

    repository: str = "*"
    tag: str = "*"
    digest: str | None = None
    reason: Reason | None = None
    until: date | None = None

    def expired(self, now: datetime) -> bool:
        """Whether it hides nothing any more."""
        return self.until is not None and now.astimezone(UTC).date() > self.until

    def concerns(self, finding: Finding) -> bool:
        """Whether it is about this finding, tags apart."""
        return (
            fnmatchcase(finding.repository, self.repository)
            and self.digest in {None, finding.digest}
            and self.reason in {None, finding.reason}
        )

    def __str__(self) -> str:
        words = [f"{self.repository}:{self.tag}"]
        words += [str(word) for word in (self.digest, self.reason) if word is not None]
        return " ".join((*words, f"until {self.until}" if self.until is not None else "for ever"))


@dataclass(frozen=True, slots=True)
class PlatformRule:
    """The platforms that the repositories matching a glob mean to have: `os/architecture[/variant]`.

    A platform without a variant stands for all its variants.
    """

    repository: str
    platforms: frozenset[str]

    def mirrors(self, child: Descriptor) -> bool:
        """Whether an index's child is meant to be there; one without a platform always is."""
        return child.platform is None or matches_platform(child.platform, self.platforms)


def matches_platform(platform: Platform, wanted: Collection[str]) -> bool:
    """Whether a platform is among the wanted ones, of which one without a variant stands for all variants."""
    words = f"{platform.os}/{platform.architecture}"
    variant = platform.variant or _USUAL_VARIANTS.get(platform.architecture)
    return words in wanted or f"{words}/{variant}" in wanted


def platform_rule_for(repository: str, rules: Iterable[PlatformRule]) -> PlatformRule | None:
    """Find the first rule whose glob matches a repository."""
    return next((rule for rule in rules if fnmatchcase(repository, rule.repository)), None)


def hide(findings: Iterable[Finding], rules: Iterable[IgnoreRule], now: datetime) -> list[Finding]:
    """Mark as skipped what the rules ignore, and nothing else.

    A finding of which some tags are ignored keeps the others; one that earlier rules hid is shown again.
    """
    active = [rule for rule in rules if not rule.expired(now)]
    return [_hidden(shown(finding), active) for finding in findings]


def shown(finding: Finding) -> Finding:
    """Give a finding the verdict that it has where no rule hides it."""
    if finding.verdict is not Verdict.SKIPPED:
        return finding
    return replace(finding, verdict=finding.reason.verdict)


def _hidden(finding: Finding, rules: Iterable[IgnoreRule]) -> Finding:
    globs = [rule.tag for rule in rules if rule.concerns(finding)]
    if not globs:
        return finding
    left = tuple(tag for tag in finding.tags if not any(fnmatchcase(tag, glob) for glob in globs))
    if left:
        return replace(finding, tags=left)
    if finding.tags or "*" in globs:  # what has no tag is all of the repository
        return replace(finding, verdict=Verdict.SKIPPED)
    return finding
