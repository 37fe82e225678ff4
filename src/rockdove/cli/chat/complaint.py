"""Why a command cannot be done, in a line that says what to do."""


class Complaint(Exception):
    """`key` of a text, and what stands in its places."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values
