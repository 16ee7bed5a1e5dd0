"""Every scenario, as small as can be: whether it works, not how fast it is."""

import json
from pathlib import Path

import pytest

from bench.command_line import main
from bench.machine import describe
from bench.options import Options
from bench.scenarios import SCENARIOS
from bench.shape import Shape
from bench.walks import EXACTLY

TINY = Options(
    shape=Shape(2, 2, 2),
    connections=4,
    runs=1,
    delay=0.002,
    hey_requests=20,
    curl_requests=5,
    scrape_repositories=3,
    scale_references=100,
    scale_factors=(1, 2),
    layer_mebibytes=1,
)
BESIDE = {
    "registry": ["floor", "bare aiohttp", "limit by hey", "one curl a request, 5 of them"],
    "ceiling": ["floor", "bare aiohttp", "limit by hey"],
    "latency": ["55 x 2 ms / 4", "limit by hey"],
    "scrape": ["allowed", "plain scrape"],
    "whole": ["curl and sha256sum", "most"],
    "scale": ["120 references"],
}


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_scenario_measures_what_it_says(name: str):
    """Both sides of every ratio are named, requests are the floor's, and all of it can be written as JSON."""
    result = SCENARIOS[name](TINY)
    assert list(dict.fromkeys(row.other.partition(":")[0] for row in result.rows)) == BESIDE[name]
    assert all(row.met for row in result.rows if row.goal == EXACTLY)
    # A loop that is never held up has no lag.
    assert all(row.ratio > 0 for row in result.rows if "lag" not in row.what)
    json.dumps(result.measured)


def test_what_was_measured_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With the machine that it was measured on."""
    file = tmp_path / "result.json"
    shape = ["--repositories=1", "--tags=1", "--platforms=1"]
    size = ["--references=20", "--factors=1,2", "--scale-runs=2"]
    assert main(["scale", *shape, *size, f"--json={file}"]) == 0
    printed = capsys.readouterr().out
    written = json.loads(file.read_text("utf-8"))
    assert written["machine"].keys() == describe().keys()
    for name, value in written["machine"].items():
        assert f"- {name}: {value}\n" in printed
    assert list(written["scenarios"]) == ["scale"]
    assert f"## scale: {written['scenarios']['scale']['title']}\n" in printed
    assert written["options"]["scale_factors"] == [1, 2]
    assert [len(row["ratios"]) for row in written["scenarios"]["scale"]["rows"]] == [2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["walk"], "walk is none of registry, ceiling, latency, scrape, whole, scale"),
        (["--runs=0"], "0 is not a number from 1 on"),
        (["--factors=1,x"], "--factors"),
        (["--factors=1"], "--factors"),
        (["--factors=10,1"], "--factors"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    """Before anything is measured."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err
