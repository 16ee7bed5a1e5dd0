"""Shares of the repositories: which shard walks which, and that all of them together walk everything."""

from collections import Counter
from collections.abc import Callable, Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.integrity import GlobFilter, ImageByDigest, Outcome, Report, Shard
from exporter.oci import Digest
from sample import content as make
from tests.integrity.cycles import Watcher, cycle_over, findings, seen
from tests.integrity.scripted import URL, ScriptedRegistry, fail, status, tag_list

SERVICES = [
    "api",
    "auth",
    "billing",
    "cart",
    "checkout",
    "cron",
    "gateway",
    "images",
    "mailer",
    "orders",
    "payments",
    "search",
    "stock",
    "tax",
    "web",
    "worker",
]
IMAGE = make.image("image", layers=2)
LOOSE = make.image("loose", layers=1)
INDEX = make.multi_platform("index", layers=1)


def one_team(number: int) -> str:
    return f"platform/service-{number}"


def many_teams(number: int) -> str:
    return f"team-{number % 37}/{SERVICES[number % 16]}/{SERVICES[number // 16 % 16]}-{number // 256}"


def projects_of_gitlab(number: int) -> str:
    return f"group/sub-{number % 7}/{SERVICES[number % 16]}-v{number}/cache"


def mirrored(number: int) -> str:
    return f"mirror/docker.io/library/{SERVICES[number % 16]}{number}"


def numbers(number: int) -> str:
    return f"{number:04}"


MANNERS = [one_team, many_teams, projects_of_gitlab, mirrored, numbers]

# Names as the specification has them, alike at their beginnings and ends as real ones are.
NAMES = st.from_regex(r"(?:[a-d]{1,3}/){0,3}[a-z0-9]{1,4}(?:[._-][a-z0-9]{1,3}){0,2}", fullmatch=True)
COUNTS = st.integers(1, 40)


def shares(names: Iterable[str], count: int) -> list[set[str]]:
    shards = [Shard(index, count) for index in range(count)]
    return [{name for name in names if shard.holds(name)} for shard in shards]


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("count", range(2, 9))
def test_shares_of_a_thousand_repositories_are_about_equal(manner: Callable[[int], str], count: int):
    """With up to eight shards the largest has at most a quarter more than the mean, and none is lost."""
    names = {manner(number) for number in range(1000)}
    found = shares(names, count)
    assert (len(names), sum(map(len, found)), set.union(*found)) == (1000, 1000, names)
    assert max(map(len, found)) <= 1.25 * 1000 / count


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("count", range(2, 16))
def test_one_shard_more_moves_about_its_share(manner: Callable[[int], str], count: int):
    """From eight shards to nine at most 15 % of the repositories move; what moves, moves to the new one."""
    names = [manner(number) for number in range(1000)]
    before, after = shares(names, count), shares(names, count + 1)
    moved = [
        name
        for name in names
        if sum(name in one and name in two for one, two in zip(before, after, strict=False)) == 0
    ]
    assert set(moved) == after[-1]
    assert len(moved) <= 1000 * min(0.5, 1.4 / (count + 1))
    if count == 8:
        assert len(moved) <= 150


@given(names=st.sets(NAMES), count=COUNTS)
def test_every_name_has_exactly_one_shard(names: set[str], count: int):
    """Whatever the names and however many shards."""
    assert Counter(name for share in shares(names, count) for name in share) == Counter(names)


@given(name=NAMES, count=COUNTS, more=COUNTS)
def test_more_shards_take_names_from_the_others_only(name: str, count: int, more: int):
    """A name stays where it was, or goes to a shard that was not there before."""
    (before,) = [index for index in range(count) if Shard(index, count).holds(name)]
    (after,) = [index for index in range(count + more) if Shard(index, count + more).holds(name)]
    assert after == before or after >= count


def test_all_exporters_agree_for_ever():
    """Two versions of the program may run beside one another, so which shard a name has never changes."""
    names = ("team/app", "library/alpine", "a", "group/sub/project/image", "team/app-2", "team/app-3")
    assert [[name for name in names if name in share] for share in shares(names, 4)] == AGREED


# What `openssl dgst -shake128 -xoflen 32` makes of each name, taken as four numbers of which one is greatest.
AGREED = [
    ["team/app-3"],
    ["team/app", "library/alpine"],
    ["a", "group/sub/project/image"],
    ["team/app-2"],
]


def test_a_name_that_is_no_text_has_its_shard_too():
    """A registry's JSON may hold half a surrogate pair."""
    assert sum(Shard(index, 8).holds("\udcff") for index in range(8)) == 1


def test_a_shard_is_written_as_it_is_given():
    """In logs and on the page."""
    assert str(Shard(3, 8)) == "3/8"


@pytest.fixture
def registry() -> ScriptedRegistry:
    """Sixty repositories, most of them intact, and some names that are none."""
    registry = ScriptedRegistry()
    for number in range(60):
        registry.store(many_teams(number), INDEX if number % 3 else IMAGE, "latest", f"v{number}")
    for number in (3, 12, 21, 44):
        del registry.blobs[
            many_teams(number),
            IMAGE.root.layers[0].digest if number % 3 == 0 else INDEX.manifests[0].layers[0].digest,
        ]
    registry.on("*", tag_list(many_teams(7)), status(403))
    registry.catalog = [*sorted(registry.tags), "No/Repository", "another one"]
    return registry


async def reports(registry: ScriptedRegistry, count: int, **options: object) -> list[Report]:
    """One report for each shard."""
    return [
        await cycle_over(URL, registry, shard=Shard(index, count), **options).run(None)
        for index in range(count)
    ]


WALKS = {
    "catalog": {},
    "globs": {"repository_filter": GlobFilter(("team-*",), ("*/web/*",))},
    "list": {"repositories": tuple(many_teams(number) for number in range(0, 60, 2))},
    "images": {
        "repositories": tuple(many_teams(number) for number in range(10)),
        "images": tuple(
            ImageByDigest(many_teams(number), Digest(IMAGE.digest)) for number in range(0, 30, 3)
        ),
    },
    "images alone": {
        "repositories": (),
        "images": tuple(
            ImageByDigest(many_teams(number), Digest(IMAGE.digest)) for number in range(0, 60, 3)
        ),
    },
}


@pytest.mark.parametrize("options", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("count", [1, 2, 8, 30])
async def test_shards_together_report_what_one_exporter_does(
    registry: ScriptedRegistry, options: dict[str, object], count: int
):
    """The union of their reports is the whole, no repository is in two of them, and their numbers add up."""
    whole = await cycle_over(URL, registry, **options).run(None)
    assert len(whole.repositories) > 9
    parts = await reports(registry, count, **options)
    names = Counter(name for part in parts for name in part.repositories)
    assert names == Counter(dict.fromkeys(whole.repositories, 1))
    assert {name: one for part in parts for name, one in seen(part).items()} == seen(whole)
    assert sorted((one for part in parts for one in findings(part)), key=repr) == sorted(
        findings(whole), key=repr
    )
    assert sum(part.tags for part in parts) == whole.tags
    # Each asks once what all need: the catalog, or whether the registry lets it in.
    assert sum(part.requests - 1 for part in parts) == whole.requests - 1


async def test_a_shard_asks_for_nothing_of_another(registry: ScriptedRegistry):
    """But for the catalog, which each reads."""
    shard = Shard(1, 4)
    await cycle_over(URL, registry, shard=shard).run(None)
    asked = {line.partition("/v2/")[2].partition("/tags/")[0] for line in registry.asked if "/tags/" in line}
    assert asked == {name for name in registry.tags if shard.holds(name)}
    assert registry.asked.count("GET /v2/_catalog") == 1


async def test_a_shard_without_a_repository_is_complete():
    """More shards than repositories are no fault, of the catalog or of the registry."""
    registry = ScriptedRegistry()
    registry.store("only", IMAGE, "latest")
    found = await reports(registry, 3)
    assert [report.outcome for report in found] == [Outcome.COMPLETE] * 3
    assert sorted(report.repositories_at_success or 0 for report in found) == [0, 0, 1]


@pytest.mark.parametrize("lost", ["half of its own", "half of all others"])
async def test_a_shard_suspects_what_becomes_of_its_own_share(lost: str):
    """A storage outage halves the shares of all; what becomes of another's is not this one's to judge."""
    registry, shard = ScriptedRegistry(), Shard(0, 2)
    for number in range(40):
        registry.store(many_teams(number), IMAGE, "latest")
    watcher = Watcher(registry, shard=shard, suspect_delay=60.0)
    await watcher.walk()
    concerned = [name for name in registry.tags if shard.holds(name) is (lost == "half of its own")]
    for name in concerned[: (len(concerned) + 1) // 2]:
        registry.remove(name)
    mark = len(registry.asked)
    await watcher.walk()
    assert registry.asked[mark:].count("GET /v2/_catalog") == (2 if lost == "half of its own" else 1)


async def test_a_shard_keeps_what_it_knows_of_its_own_while_the_registry_is_down():
    """And learns nothing of what is not its own."""
    registry, shard = ScriptedRegistry(), Shard(1, 2)
    for number in range(20):
        registry.store(many_teams(number), IMAGE, "latest")
        del registry.blobs[many_teams(number), IMAGE.root.layers[0].digest]
    watcher = Watcher(registry, shard=shard)
    before = await watcher.findings()
    assert {one.repository for one in before} == {name for name in registry.tags if shard.holds(name)}
    registry.on("*", "/v2/_catalog", fail(httpx.ConnectError))
    after = await watcher.findings()
    assert [(one.repository, one.stale) for one in after] == [(one.repository, True) for one in before]
