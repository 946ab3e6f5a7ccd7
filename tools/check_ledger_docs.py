#!/usr/bin/env python3
"""Fails when docs/ledger.md lacks an event, a field or a word that the ledger has; the names of triggers and
steps may be in docs/writing-modes.md."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r'#define LEDGER_(\w+)\(X\)((?:.*\\\n)+.*)')
ROW = re.compile(r'X\([A-Z_0-9]+,\s*"([a-z_0-9][a-z_0-9 -]*)"')


def main():
    tables = dict(TABLE.findall((ROOT / "server/ledger/rows.h").read_text()))
    tables.pop("MEMBERS")
    text = (ROOT / "docs/ledger.md").read_text()
    language = text + (ROOT / "docs/writing-modes.md").read_text()
    names = [name for rows in tables.values() for name in ROW.findall(rows)]
    missing = [name for table, rows in tables.items() for name in ROW.findall(rows)
               if f"`{name}`" not in (language if table in ("WORDS_TRIGGER", "WORDS_STEP") else text)]
    for name in missing:
        print(f"docs/ledger.md does not tell of {name}", file=sys.stderr)
    return 1 if missing or not names else 0


sys.exit(main())
