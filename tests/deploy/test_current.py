"""What `make chart` writes is as it would write it now."""

import json
import re
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml
from helm_python import chart as helm

from tests.deploy.rendering import NAME, chart, values_of
from tools.chart import CHART, ROOT, copies, described_values, outdated_copies, readme, schema, written


@pytest.mark.parametrize("path", written(), ids=lambda path: str(path.relative_to(ROOT)))
def test_it_is_current(path: Path):
    """Each file is what `make chart` writes."""
    assert path.exists(), "make chart writes it"
    assert path.read_text("utf-8") == written()[path], "make chart writes it anew"


def test_the_chart_has_the_alerts_and_dashboards():
    """Its copies are those of all alerts and dashboards that there are, and of nothing else."""
    names = {path.relative_to(CHART).as_posix() for path in copies()}
    assert names == {
        *(f"files/alerts/{path.name}" for path in ROOT.glob("alerts/*.yml")),
        *(f"files/dashboards/{path.name}" for path in ROOT.glob("deploy/grafana/*.json")),
    }
    assert "files/alerts/registry-integrity.rules.yml" in names
    assert outdated_copies() == []


def test_the_chart_s_version_is_the_program_s():
    """One version for both."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert (chart().metadata["version"], chart().metadata["appVersion"]) == (version, version)


def test_packaged(tmp_path: Path):
    """The archive that Helm makes of it renders the same, and has nothing that only this repository needs."""
    archive = helm.package(CHART, destination=tmp_path)
    values = values_of("deployment", {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}})
    with helm.Chart.load(archive) as packaged:
        assert packaged.render(values, name=NAME) == chart().render(values, name=NAME)
    with tarfile.open(archive) as files:
        tops = {name.split("/")[1] for name in files.getnames()}
    assert tops == {
        ".helmignore",
        "Chart.yaml",
        "README.md",
        "files",
        "templates",
        "values.schema.json",
        "values.yaml",
    }


def test_the_user_is_the_image_s():
    """The pod runs as the user that the Dockerfile names."""
    user, group = re.findall(r"(?m)^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text("utf-8"))[0]
    context = chart().values["podSecurityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user), int(group))


def test_every_value_has_a_type():
    """The schema knows exactly the values that there are."""
    properties = json.loads((CHART / "values.schema.json").read_text("utf-8"))["properties"]
    assert set(properties) == {*yaml.safe_load((CHART / "values.yaml").read_text("utf-8")), "global"}
    objects = [part for part in properties.values() if "properties" in part]
    assert objects != []
    assert [part for part in objects if part["additionalProperties"] is not False] == []


def test_the_schema_knows_every_setting():
    """Of the program's settings it leaves out those that the chart sets, and passwords."""
    program = json.loads((ROOT / "docs/configuration.schema.json").read_text("utf-8"))
    config = json.loads((CHART / "values.schema.json").read_text("utf-8"))["properties"]["config"]
    left_out = {"password", "listen_address", "shard", "deadline"}
    assert set(config["properties"]) == set(program["properties"]) - left_out


def test_a_schema_that_is_written_again_is_the_same():
    """Nothing is lost or added by writing it twice, and no lookahead is left, which Go does not have."""
    text = schema((CHART / "values.schema.json").read_text("utf-8"))
    assert schema(text) == text
    assert "(?=" not in text


def test_values_are_described():
    """A comment describes the value below it, whatever stands between the two marks of a comment."""
    text = "# About both.\n\n# About a.\n# -- First,\n# and second.\na: 1\nb:\n  # -- Third.\n  c: {d: [x]}\n"
    assert described_values(text) == [("a", "1", "First, and second."), ("b.c", '{"d": ["x"]}', "Third.")]


@pytest.mark.parametrize("text", ["a: 1\n", "# A comment.\na: 1\n", "a:\n  b: 1\n", "a: {}\n"])
def test_a_value_without_a_description_is_refused(text: str):
    """Else it would be missing from README.md."""
    with pytest.raises(ValueError, match=r"^a(\.b)? has no description$"):
        described_values(text)


def test_a_page_without_a_place_is_refused():
    """Rather than left as it is."""
    with pytest.raises(SystemExit, match="expected one place for the values"):
        readme("# A page\n")
