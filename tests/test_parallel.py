"""Answers come in the order of the items."""

import pytest

from pipeline.parallel import each


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_items(workers: int) -> None:
    assert each(lambda item: item * item, range(50), workers=workers) == [item * item for item in range(50)]
