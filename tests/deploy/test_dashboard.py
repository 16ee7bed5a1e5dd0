"""The dashboard's file: what Grafana takes, one thing in each place, and metrics that exist."""

import copy
import re
from collections.abc import Callable
from itertools import combinations

import jsonschema
import pytest

from tests.deploy.dashboards import ROOT, SCHEMA, Json, load, panels, queries, variables

DASHBOARD = load()
IDENTIFIER = re.compile(r"\b(?:registry_integrity|process|python)_[a-z0-9_]+\b|\bALERTS\w*")
OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
}


def documented() -> set[str]:
    """The metrics of docs/metrics.md."""
    text = (ROOT / "docs/metrics.md").read_text("utf-8")
    return set(re.findall(r"^### `(registry_integrity_\w+)`$", text, re.MULTILINE))


def used() -> set[str]:
    """The metrics that some query asks for; of a histogram its own name."""
    asked = [query.expression for query in queries(DASHBOARD)]
    asked += [selector for _, selector, _ in variables(DASHBOARD)]
    return {name.removesuffix("_bucket") for text in asked for name in IDENTIFIER.findall(text)}


def test_it_has_the_form():
    """Nothing is missing, and nothing is there that nobody knows."""
    jsonschema.Draft202012Validator(SCHEMA).validate(DASHBOARD)


BREAKAGES: dict[str, Callable[[Json], object]] = {
    "no unit": lambda found: found["fieldConfig"]["defaults"].pop("unit"),
    "an unknown unit": lambda found: found["fieldConfig"]["defaults"].update(unit="parsecs"),
    "no target": lambda found: found["targets"].clear(),
    "no refId": lambda found: found["targets"][0].pop("refId"),
    "a data source of its own": lambda found: found["targets"][0].update(
        datasource={"type": "prometheus", "uid": "mine"}
    ),
    "no description": lambda found: found.pop("description"),
    "a key that nobody knows": lambda found: found.update(surprise=1),
    "beyond the edge": lambda found: found["gridPos"].update(x=24),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_another_form_is_noticed(breakage: str):
    """What is wrong with one panel is wrong with the file."""
    broken = copy.deepcopy(DASHBOARD)
    BREAKAGES[breakage](panels(broken)[0])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(broken)


def test_nothing_is_there_twice():
    """Panels have ids and titles of their own, their targets letters of their own."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels(DASHBOARD)]
    assert len(set(titles)) == len(titles)
    for panel in panels(DASHBOARD):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]


def test_no_panel_lies_upon_another():
    """Each field of the grid is one panel's, and none is beyond the edge."""
    fields = {
        panel["id"]: {
            (x, y)
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        for panel in DASHBOARD["panels"]
    }
    assert max(x for taken in fields.values() for x, _ in taken) == 23
    assert [pair for pair in combinations(fields, 2) if fields[pair[0]] & fields[pair[1]]] == []


def test_it_begins_with_health_at_a_glance():
    """A row of numbers stands above everything else."""
    titles = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert titles == [
        "Health at a glance",
        "What is broken",
        "Repositories",
        "Cycles and freshness",
        "Requests to the registries",
        "The exporter",
    ]
    assert {panel["type"] for panel in DASHBOARD["panels"][1:13]} == {"stat"}


def test_it_shows_every_metric_and_no_other():
    """A misspelled metric would be a panel that is empty for ever."""
    assert used() == documented() | OF_THE_PROCESS | {"ALERTS"}


def test_every_query_is_kept_to_what_was_chosen():
    """Of the metrics that have a registry or a repository only those of the variables are asked for."""
    for query in queries(DASHBOARD):
        for name, selector in re.findall(r"(registry_integrity_\w+)(\{[^}]*\})?", query.expression):
            if "config_" in name or "build_info" in name:
                continue
            assert 'registry=~"$registry"' in selector, query


def test_colors_of_the_table_s_columns_are_those_of_columns_that_it_has():
    """An override of a column that was renamed would do nothing."""
    for panel in panels(DASHBOARD):
        if panel["type"] == "table":
            (organize,) = [one for one in panel["transformations"] if one["id"] == "organize"]
            columns = set(organize["options"]["renameByName"].values())
            overridden = {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]}
            assert overridden <= columns, panel["title"]
