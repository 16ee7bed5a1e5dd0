"""How a comparison is told."""

import pytest

from bench.results import Goal, Row, compare, mebibytes, milliseconds, per_second, table


def test_a_ratio_is_the_median_of_the_runs():
    """Of each run's own ratio, since runs differ in what else the machine does; values are medians too."""
    row = compare(
        "speed", [90, 200, 30], "bare aiohttp", [100, 100, 60], written=per_second, goal=Goal(least=0.95)
    )
    assert row == Row("speed", "90/s", "bare aiohttp: 100/s", [0.9, 2.0, 0.5], Goal(least=0.95))
    assert (row.ratio, row.met) == (0.9, False)


@pytest.mark.parametrize(
    ("goal", "ratio", "met", "text"),
    [
        (Goal(least=0.45), 0.45, True, "at least 0.45"),
        (Goal(least=0.45), 0.449, False, "at least 0.45"),
        (Goal(most=2.2), 2.2, True, "at most 2.2"),
        (Goal(most=2.2), 2.21, False, "at most 2.2"),
        (Goal(1, 1), 1.0, True, "1"),
        (Goal(1, 1), 1.001, False, "1"),
    ],
)
def test_goals(goal: Goal, ratio: float, met: bool, text: str):
    """Bounds are inclusive."""
    assert (goal.met(ratio), str(goal)) == (met, text)


def test_the_table_names_both_sides():
    """And says of every ratio how far the runs were apart, and whether it is what it should be."""
    rows = [
        Row(
            "CPU time",
            milliseconds(0.00009),
            f"bare: {milliseconds(0.00005)}",
            [1.8, 1.7, 1.9],
            Goal(most=2.2),
        ),
        Row("memory", mebibytes(2**20 * 53), f"bare: {mebibytes(2**20 * 49)}", [1.08]),
    ]
    assert table(rows) == (
        "| what     | ours     | beside         | ratio | runs           | goal             |\n"
        "| -------- | -------- | -------------- | ----- | -------------- | ---------------- |\n"
        "| CPU time | 0.090 ms | bare: 0.050 ms | 1.800 | 1.700 to 1.900 | at most 2.2: met |\n"
        "| memory   | 53 MiB   | bare: 49 MiB   | 1.080 |                |                  |"
    )
