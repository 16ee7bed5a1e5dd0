"""The JSON Schema of the configuration file: it takes what the program takes, and refuses mistakes."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.settings import file_schema
from exporter.settings.given import DEFAULT_PATHS, KeyPath
from tests.program.test_settings import WRITTEN, WRONG_IN_THE_FILE, as_yaml
from tests.program.test_wiring import EVERYTHING

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = jsonschema.Draft202012Validator(file_schema())

# What only the program itself can tell: which keys go together, which files are there, what a year is.
LEFT_TO_THE_PROGRAM = {
    "username: u",
    "password: p",
    "password_file: none",
    "repositories: []",
    "interval: 400d",
    "listen_address: ':99999'",
    "listen_address: '::1:80'",
    "metrics: {image_host: x/Y}",
    'password: "a\\nb"',
}


def parsed(text: str) -> Any:
    """What an editor or a checker makes of YAML: JSON, in which a date is a text and every key is one."""

    def as_json(value: Any) -> Any:
        match value:
            case dict():
                return {str(key): as_json(item) for key, item in value.items()}
            case list():
                return [as_json(item) for item in value]
            case date():
                return value.isoformat()
            case _:
                return value

    return as_json(yaml.safe_load(text)) or {}


def refused(text: str) -> bool:
    return not VALIDATOR.is_valid(parsed(text))


@pytest.mark.parametrize("path", DEFAULT_PATHS, ids=".".join)
def test_every_key_is_taken_at_the_top_and_in_a_registry(path: KeyPath):
    """As the program takes it; in both forms of the list of registries."""
    for value in WRITTEN[path]:
        assert not refused(as_yaml(path, value))
        assert not refused(f"registries:\n  - url: http://a\n{as_yaml(path, value, '    ')}")
        assert not refused(f"registries:\n  one:\n    url: http://a\n{as_yaml(path, value, '    ')}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registries: []",
        "registries: {}",
        "metrics:",
        "username: null\nrepositories: null\ntags: {include: null}\nignore: null\nplatforms: null",
        "concurrency: '5'\nrequests_per_second: '2.5'\ninsecure_skip_verify: 'true'",
        "images: [a@sha256:0, 'b/c@sha512:1']\nrepositories: []",
        "listen_address: '[::1]:0'\nlog_level: debug\nlog_format: json",
        "registries: [{url: 'HTTPS://Registry.Example.com/path', name: 'a[1]'}]",
        EVERYTHING,
        *re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "configuration.md").read_text("utf-8"), re.DOTALL),
    ],
)
def test_good_files_are_taken(text: str):
    """Defaults taken back, numbers as templates write them, all examples of the documentation."""
    VALIDATOR.validate(parsed(text))


@pytest.mark.parametrize("text", [text for text, *_ in WRONG_IN_THE_FILE if "!!" not in text])
def test_wrong_values_are_refused(text: str):
    """What the program refuses for the value itself, at the top level or of a registry."""
    expected = text not in LEFT_TO_THE_PROGRAM
    assert refused(text) == expected
    if (text.partition(":")[0],) in DEFAULT_PATHS:
        assert refused(f"registries: [{{url: 'http://a', {text}}}]") == expected


@pytest.mark.parametrize(
    "text",
    [
        "registries: x",
        "registries: [http://a]",
        "registries: [{}]",
        "registries: {a: {}}",
        "registries: {a: {url: http://a, name: b}}",
        "registries: [{url: ftp://a}]",
        "registries: [{url: 'http://u:p@a'}]",
        "registries: [{url: http://a, name: 'a b'}]",
        "registries: [{url: http://a, log_level: debug}]",
        "name: a",
        "overrides: [{repository: a}]",
        "overrides: [{kind: private}]",
        "ignore: [{comment: x}]",
        "ignore: [{tag: x, until: soon}]",
        "ignore: [{tag: x, reason: bad_luck}]",
        "platforms: {a/*: [linux]}",
        "images: [team/app:latest]",
        "tags: [a]",
        "repositories: {names: [a]}",
    ],
)
def test_bad_files_are_refused(text: str):
    """What stands in the wrong place, is not known, or lacks its other half."""
    assert refused(text)
