#!/usr/bin/env python3
"""Fails when an #include goes upwards or sideways: check_includes.py [SOURCE_ROOT].

Each row below is a layer and the layers that it may include, itself aside. Includes of our own
headers are written "layer/file.h", so that each shows its direction.
"""
import re
import sys
from pathlib import Path

ALLOWED = {
    "base": set(),
    "ledger": {"base"},
    "wire": {"ledger", "base"},
    "engine": {"ledger", "base"},
    "certs": {"base"},
    "endpoint": {"engine", "ledger", "base"},
    "mode": {"engine", "wire", "ledger", "base"},
    "run": {"mode", "endpoint", "engine", "wire", "certs", "ledger", "base"},
    "admin": {"run", "mode", "endpoint", "engine", "wire", "certs", "ledger", "base"},
}
ALLOWED["cli"] = set(ALLOWED)

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def fault(root, layer, included):
    """What is wrong with this include in a file of this layer, or None."""
    target = included.split("/")[0] if "/" in included else None
    if target not in ALLOWED:
        return f'write "LAYER/FILE.h", with one of {", ".join(sorted(ALLOWED))}'
    if target != layer and target not in ALLOWED[layer]:
        return f'{layer} may include {", ".join(sorted(ALLOWED[layer])) or "nothing"}'
    if not (root / "server" / included).is_file():
        return "no such file"
    return None


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    faults = files = 0
    for path in sorted((root / "server").rglob("*.[ch]")):
        files += 1
        name = path.relative_to(root)
        layer = name.parts[1]
        if layer not in ALLOWED:
            print(f"{name}: {layer} is no layer; they are {', '.join(ALLOWED)}")
            faults += 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            wrong = match and fault(root, layer, match[1])
            if wrong:
                print(f'{name}:{number}: #include "{match[1]}": {wrong}')
                faults += 1
    if files == 0:
        print(f"{root}: no sources found")
    sys.exit(1 if faults or files == 0 else 0)


main()
