"""Our service answers recorded conversations as upstream's registry does, or better on purpose."""

from pathlib import Path

import pytest
from tests.conformance.replay import Scenario, differences, load, run
from tests.service import Service


@pytest.mark.parametrize("scenario", load(), ids=lambda scenario: scenario.id)
def test_answers_as_recorded(scenario: Scenario, server: Service, tmp_path: Path) -> None:
    """Every answer of a scenario is the recorded one, or the one expected of ours instead."""
    with server.open(tmp_path / "registry.db"):
        problems = differences(scenario, run(scenario, server.url))
    assert not problems, "\n".join(problems)
