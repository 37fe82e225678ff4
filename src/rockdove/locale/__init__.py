"""What people read in their own language."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

LANGUAGES: Final = {"en": "en", "zh": "zh_cn"}  # what --lang takes, and the module with its texts
PARTS: Final = ("", "bench")

Texts = Mapping[str, str]


def choose_language(environment: Mapping[str, str]) -> str:
    """The language that LC_ALL, LC_MESSAGES or LANG asks for; English for those that we don't have."""
    wanted = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "zh" if wanted.lower().startswith("zh") else "en"


def load_texts(language: str, part: str = "") -> Texts:
    """The texts in one of LANGUAGES, by key: those of the chat, or of `part`, which is one of PARTS."""
    texts: Texts = import_module(f"rockdove.locale.{part and f'{part}_'}{LANGUAGES[language]}").TEXTS
    return texts
