"""The dict that all share who have nothing."""

import pytest

from rockdove.core.empty import EMPTY


def test_nobody_can_put_something_into_what_others_have_too() -> None:
    with pytest.raises(TypeError, match="shared"):
        EMPTY[1] = 2
    assert not EMPTY
