"""The page and the JSON Schema of the settings say what the settings are."""

import re

import jsonschema

from exporter.settings import file_schema
from exporter.settings.given import REGISTRY_PATHS, TOP_PATHS
from tools import configuration


def test_the_schema_is_current():
    """`make settings` writes it anew."""
    assert configuration.SCHEMA.read_text("utf-8") == configuration.schema()


def test_the_page_is_current():
    """`make settings` writes its tables anew, and nothing else of it."""
    text = configuration.PAGE.read_text("utf-8")
    assert configuration.page(text) == text
    tables = "".join(configuration.tables().values())
    assert all(table in text for table in configuration.tables().values())
    paths = {*TOP_PATHS, *REGISTRY_PATHS}
    for path in paths:
        key = re.escape(".".join(path))
        assert len(re.findall(rf"(?m)^\| `(?:registries\[\]\.)?{key}` \| `REGISTRY_", tables)) == 1


def test_the_page_tells_all_of_a_key():
    """Where it stands, its variable, its flag, its default and its meaning."""
    rows = configuration.tables()["registry-defaults"].splitlines()
    interval = "How often a cycle begins. One that failed is followed by another within a minute."
    assert f"| `interval` | `REGISTRY_INTEGRITY_INTERVAL` | `--interval` | `15m` | {interval} |" in rows
    (listed,) = [row for row in rows if "`metrics.max_broken_info`" in row]
    assert listed.split(" | ")[1:4] == ["`REGISTRY_INTEGRITY_METRICS__MAX_BROKEN_INFO`", "", "`200`"]
    (url,) = [row for row in configuration.tables()["registry"].splitlines() if "`registries[].url`" in row]
    assert url.split(" | ")[1:4] == ["`REGISTRY_INTEGRITY_REGISTRIES__<NAME>__URL`", "`--registry`", ""]


def test_the_schema_is_one():
    """It is a schema of its dialect, and each of its keys says what it means."""
    schema = file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, found in schema["properties"].items():
        sections = [form.get("$ref", "") for form in found.get("anyOf", ())]
        assert "description" in found or any(sections), name
