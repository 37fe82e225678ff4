"""Which rockdove this is."""

from importlib.machinery import ExtensionFileLoader
from importlib.metadata import version
from importlib.util import find_spec

_HOT_MODULE = "rockdove.core.session"


def build() -> str:
    """The version, and whether the hot modules are compiled: "0.1.0 (compiled)"."""
    found = find_spec(_HOT_MODULE)
    compiled = found is not None and isinstance(found.loader, ExtensionFileLoader)
    return version("rockdove") + (" (compiled)" if compiled else "")
