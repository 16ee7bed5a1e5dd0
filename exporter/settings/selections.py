"""The settings that say what is walked, and what of it is not told."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    InstanceOf,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from exporter.integrity.finding import Reason
from exporter.integrity.options import BlobCheck, ImageByDigest, RepositoryOverride
from exporter.integrity.report import RegistryKind
from exporter.integrity.rules import GlobFilter, IgnoreRule, PlatformRule
from exporter.oci import Digest, InvalidValueError
from exporter.settings.lists import Glob, Globs, Repositories, items_of, list_schema, read_json
from exporter.settings.values import Comment, Day, DigestText, WrongValueError, either, is_repository, one_of

# An error shows its value only after `given` has masked it, so pydantic's own texts show none.
SECTION: Final = ConfigDict(
    frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
)

_FIELDS_OF_A_RULE: Final = ("repository", "tag", "digest", "reason")


def _with_one_of(*names: str) -> ConfigDict:
    """Tell the JSON Schema that one of some fields is needed, as the models' own checks have it."""
    return SECTION | ConfigDict(json_schema_extra={"anyOf": [{"required": [name]} for name in names]})


_PLATFORM = re.compile(r"[a-z0-9._]+/[a-z0-9._]+(?:/[a-z0-9._]+)?")


class TagsSettings(BaseModel):
    """Which tags are walked."""

    model_config = SECTION

    include: Globs = ()
    """Globs: only tags that one of them matches are walked."""

    exclude: Globs = ()
    """Globs: tags that one of them matches are not walked, as if they were not there."""

    @property
    def filter(self) -> GlobFilter:
        """What the walk goes by."""
        return GlobFilter(self.include, self.exclude)


class RepositoriesSettings(BaseModel):
    """Which repositories are walked: those that are named, or what globs take of the catalog."""

    model_config = SECTION

    names: Repositories | None = None
    """The repositories by name: what the section is when it is a list."""

    include: Globs = ()
    """Globs: only repositories of the catalog that one of them matches are walked."""

    exclude: Globs = ()
    """Globs: repositories of the catalog that one of them matches are not walked."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.names is not None and (self.include or self.exclude):
            raise WrongValueError("expected names or globs, not both", "repositories")
        return self

    @property
    def filter(self) -> GlobFilter:
        """What the walk takes of the catalog."""
        return GlobFilter(self.include, self.exclude)


class OverrideSettings(BaseModel):
    """What is different about some repositories."""

    model_config = _with_one_of("kind", "blob_check")

    repository: Glob
    """A glob of repositories."""

    kind: Annotated[RegistryKind, one_of(RegistryKind)] | None = None
    """What they are, where that is not the registry's `kind`."""

    blob_check: Annotated[BlobCheck, one_of(BlobCheck)] | None = None
    """How their blobs are asked for, where that is not the registry's `blob_check`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind is None and self.blob_check is None:
            raise WrongValueError("expected a kind or a blob_check beside the repository")
        return self

    @property
    def override(self) -> RepositoryOverride:
        """What the walk goes by."""
        return RepositoryOverride(self.repository, self.kind, self.blob_check)


class IgnoreSettings(BaseModel):
    """Known breakage."""

    model_config = _with_one_of(*_FIELDS_OF_A_RULE)

    repository: Glob | None = None
    """A glob of repositories; any, where there is none."""

    tag: Glob | None = None
    """A glob of tags; any, where there is none."""

    digest: DigestText | None = None
    """What is broken."""

    reason: Annotated[Reason, one_of(Reason)] | None = None
    """Why it is broken or unverified."""

    until: Day | None = None
    """The last day, in UTC, on which it is ignored."""

    comment: Comment | None = None
    """For people, in one line."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if all(getattr(self, name) is None for name in _FIELDS_OF_A_RULE):
            raise WrongValueError("expected at least one of repository, tag, digest and reason")
        return self

    @property
    def rule(self) -> IgnoreRule:
        """What the findings are held against."""
        return IgnoreRule(self.repository or "*", self.tag or "*", self.digest, self.reason, self.until)


def _structures(value: object) -> object:
    """Read a list of mappings, from a variable as JSON."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = read_json(value)
    if not isinstance(value, list | tuple):
        raise WrongValueError("expected a list of mappings")
    return tuple(value)


def _images(value: object) -> tuple[ImageByDigest, ...]:
    if value is None:
        return ()
    return tuple(dict.fromkeys(map(_image, items_of(value, "image"))))


def _image(value: object) -> ImageByDigest:
    if isinstance(value, ImageByDigest):
        return value
    repository, _, digest = value.partition("@") if isinstance(value, str) else ("", "", "")
    try:
        if is_repository(repository):
            return ImageByDigest(repository, Digest(digest))
    except InvalidValueError:
        pass
    raise WrongValueError("expected images such as team/app@sha256:..., without a host", value=str(value))


def _platforms(value: object) -> tuple[PlatformRule, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = read_json(value)
    if isinstance(value, tuple):
        return value
    if not isinstance(value, Mapping) or not value:
        raise WrongValueError("expected a mapping of globs to lists of platforms")
    return tuple(_platform_rule(glob, platforms) for glob, platforms in value.items())


def _platform_rule(glob: object, platforms: object) -> PlatformRule:
    if not isinstance(glob, str) or not glob:
        raise WrongValueError("expected globs of repositories, such as team/*", value=str(glob))
    listed = items_of(platforms, "platform")
    for platform in listed:
        if not isinstance(platform, str) or not _PLATFORM.fullmatch(platform):
            expected = "expected platforms such as linux/amd64 or linux/arm/v7"
            raise WrongValueError(expected, value=str(platform))
    return PlatformRule(glob, frozenset(map(str, listed)))


def _written_images(images: tuple[ImageByDigest, ...]) -> list[str]:
    return [f"{image.repository}@{image.digest}" for image in images]


def _written_platforms(rules: tuple[PlatformRule, ...]) -> dict[str, list[str]]:
    return {rule.repository: sorted(rule.platforms) for rule in rules}


_PLATFORM_LISTS: Final = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": either(
        {"type": "array", "items": {"type": "string", "pattern": f"^{_PLATFORM.pattern}$"}, "minItems": 1},
        {"type": "string", "minLength": 1},
    ),
}

Overrides = Annotated[
    tuple[OverrideSettings, ...],
    BeforeValidator(_structures, json_schema_input_type=tuple[OverrideSettings, ...] | None),
]
IgnoreRules = Annotated[
    tuple[IgnoreSettings, ...],
    BeforeValidator(_structures, json_schema_input_type=tuple[IgnoreSettings, ...] | None),
]
Images = Annotated[
    tuple[InstanceOf[ImageByDigest], ...],
    BeforeValidator(_images),
    PlainSerializer(_written_images),
    list_schema({"pattern": "^[a-z0-9][a-z0-9._/-]*@[a-z0-9+._-]+:[!-~]+$"}),
]
Platforms = Annotated[
    tuple[InstanceOf[PlatformRule], ...],
    BeforeValidator(_platforms),
    PlainSerializer(_written_platforms),
    WithJsonSchema(either(_PLATFORM_LISTS, {"type": "null"})),
]
