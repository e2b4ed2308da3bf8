"""The verdicts of `make bench-check`, on figures that are given."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
import pytest
from benches.suite.__main__ import FIGURES, main
from benches.suite.figure import AnyFigure, Counted, Gain, Taken, Timed
from benches.suite.gates import FLOORS, Floor, fallen, read_floors, unmatched

FLOOR = {"some.figure": Floor(floor=2.0, measured=4.0, why="because")}
HIGH, LOW = Taken((1.0,), (3.0,)), Taken((1.0,), (1.5,))


async def nothing(_: object) -> float:
    return 0.0


def figure(kind: type[Counted[object] | Timed[object]]) -> AnyFigure:
    return kind(
        name="some.figure",
        what="something",
        unit="us",
        against="the brief's",
        gain=Gain.TIMES,
        ours=nothing,
        baseline=nothing,
    )


def complaints(kind: type[Counted[object] | Timed[object]], *looks: Taken) -> tuple[list[str], int]:
    """Return the complaints if these looks come out in turn, and how many were made."""
    first, *others = looks
    left = list(others)

    def again(names: Collection[str]) -> Mapping[str, Taken]:
        assert set(names) == {"some.figure"}
        return {"some.figure": left.pop(0)}

    found = list(fallen([figure(kind)], {"some.figure": first}, FLOOR, again))
    return found, len(looks) - len(left)


def test_two_of_three_looks_decide_about_times() -> None:
    assert complaints(Timed, HIGH) == ([], 1)
    assert complaints(Timed, LOW, HIGH, HIGH) == ([], 3)
    for looks in ((LOW, LOW, HIGH), (LOW, HIGH, LOW), (LOW, LOW, LOW)):
        found, made = complaints(Timed, *looks)
        assert made == 3
        assert found == ["some.figure: 1.5 x, the floor is 2 (something, against the brief's)"]


def test_one_look_decides_about_counts() -> None:
    found, made = complaints(Counted, LOW)
    assert (len(found), made) == (1, 1)


def test_more_is_better_always() -> None:
    assert Gain.TIMES.of(ours=2.0, baseline=6.0) == 3.0
    assert Gain.LESS.of(ours=2.0, baseline=8.0) == 75.0
    assert Gain.SHARE.of(ours=95.0, baseline=40.0) == 95.0


def test_the_median_round_counts() -> None:
    taken = Taken(ours=(1.0, 1.0, 9.0), baseline=(3.0, 4.0, 9.0))
    assert figure(Timed).gained(taken) == 3.0


def test_floors_and_figures_have_the_same_names() -> None:
    names = [figure.name for figure in FIGURES]
    assert len(names) == len(set(names))
    assert list(unmatched(names, read_floors(FLOORS))) == []


def test_floors_are_below_what_was_measured_and_not_below_the_goals() -> None:
    for name, floor in read_floors(FLOORS).items():
        assert floor.floor <= floor.measured, name
        assert floor.goal is None or floor.goal <= floor.floor, name


@pytest.mark.parametrize(
    ("pattern", "put", "complaint"),
    [
        (r"pool\.trips", "pool.leaps", "pool.leaps: a floor in floors.toml, but nothing measures"),
        (r"pool\.trips", "pool.leaps", "pool.trips: no floor in floors.toml"),
        (r'\["pool\.trips"\]\n([^\n]+\n)+', "", "pool.trips: no floor in floors.toml"),
    ],
)
def test_a_gate_that_is_unknown_or_missing_fails(
    pattern: str, put: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floors, results = tmp_path / "floors.toml", tmp_path / "latest.json"
    changed, count = re.subn(pattern, put, FLOORS.read_text())
    assert count == 1
    floors.write_text(changed)
    arguments = ["--check", "--only", "listing.queries", "--floors", str(floors)]
    assert main([*arguments, "--json", str(results)]) == 1
    assert f"FAILED {complaint}" in capsys.readouterr().out
    assert not results.exists()


@pytest.mark.parametrize("line", ["flor = 3", 'floor = "three"', ""])
def test_a_floor_that_cannot_be_read_is_refused(line: str, tmp_path: Path) -> None:
    floors = tmp_path / "floors.toml"
    floors.write_text(f'["pool.trips"]\n{line}\nmeasured = 4\nwhy = "because"\n')
    with pytest.raises(msgspec.ValidationError):
        read_floors(floors)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--only", "pool.nothing"])
    assert stopped.value.code == 2
    assert "no such figure or part: pool.nothing" in capsys.readouterr().err
