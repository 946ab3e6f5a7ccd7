#!/usr/bin/env python3
"""Fails when docs/ledger.md lacks an event or a field that the ledger has."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r'X\([A-Z_0-9]+,\s*"([a-z_0-9]+)"')


def main():
    names = ROW.findall((ROOT / "server/ledger/ledger.h").read_text())
    text = (ROOT / "docs/ledger.md").read_text()
    missing = [name for name in names if f"`{name}`" not in text]
    for name in missing:
        print(f"docs/ledger.md does not tell of {name}", file=sys.stderr)
    return 1 if missing or not names else 0


sys.exit(main())
