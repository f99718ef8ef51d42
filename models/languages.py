"""How languages are named."""


def language_of(locale: str) -> str:
    """The ISO 639-1 code of a locale or an espeak-ng voice: `en-us`, `es_MX` → `en`, `es`."""
    return locale.replace("_", "-").split("-")[0].lower()
