"""Where messages and accounts are kept: in a data directory, or in a database on the network that several nodes share."""


class StoreError(Exception):
    """The store cannot be opened; the text is one line for people that says what to do."""
