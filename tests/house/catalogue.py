"""The French catalogue: find the texts, keep the translations, compile them.

python tests/house/catalogue.py      updates boucle.po and boucle.mo, lists what is not translated yet
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).parents[2] / "src" / "boucle"
PO = SOURCE / "locale" / "fr" / "LC_MESSAGES" / "boucle.po"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # the same texts give the same bytes
OPTIONS = {"**/templates/**.html": {"extensions": "jinja2.ext.i18n", "trimmed": "true"}}


def texts() -> Catalog:
    """Return every text that people read, as the sources have it now."""
    found = Catalog(project="boucle", charset="utf-8")
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
    walk = extract_from_dir(SOURCE, METHODS, OPTIONS, keywords=keywords)
    for name, _line, message, _comments, context in walk:
        found.add(message, locations=[(name, 0)], context=context)
    return found


def translations() -> Catalog:
    """Return the French catalogue as it is kept."""
    if not PO.exists():
        return Catalog(locale="fr", project="boucle", charset="utf-8")
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def updated() -> Catalog:
    """Return the kept translations of the texts of now, without those that no source has any more."""
    kept, now = translations(), texts()
    fresh = Catalog(
        locale="fr",
        project="boucle",
        charset="utf-8",
        header_comment="# The French of boucle.",
        creation_date=EPOCH,
        revision_date=EPOCH,
    )
    for message in sorted((m for m in now if m.id), key=lambda m: str(m.id)):
        known = kept.get(message.id, message.context)
        french = known.string if known is not None and not known.fuzzy else None
        fresh.add(message.id, french, locations=message.locations, context=message.context)
    return fresh


def missing(catalogue: Catalog) -> list[str]:
    """Return the texts without a translation (each form of a plural counts)."""
    out = []
    for message in catalogue:
        forms = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        if message.id and not all(forms):
            out.append(str(message.id))
    return out


def compiled(catalogue: Catalog) -> bytes:
    """Return the binary catalogue."""
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main() -> None:
    """Update both files and list what waits for a translator."""
    catalogue = updated()
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, catalogue, width=0, no_location=True)
    PO.with_suffix(".mo").write_bytes(compiled(catalogue))
    print("\n".join(missing(catalogue)) or "Everything is translated.")


if __name__ == "__main__":
    main()
