"""What every refusal has in common."""

from collections.abc import Callable

import pytest


def refused(call: Callable[[], object], *words: str, kind: type[Exception] = ValueError) -> str:
    """The message with which `call` is refused: one sentence that holds the words and names a next move."""
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert message.endswith(".")
    assert ";" in message, "the next move is missing"
    assert len(message) < 300
    return message
