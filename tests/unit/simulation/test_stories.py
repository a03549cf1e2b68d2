from __future__ import annotations

import pytest

from unit.simulation.stories import ALL, Story


@pytest.mark.parametrize("story", ALL, ids=lambda story: story.__name__)
def test_it_ends_well(story: Story) -> None:
    story()
