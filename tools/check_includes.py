#!/usr/bin/env python3
"""Fails when an #include goes upwards or sideways, or headers form a circle:
check_includes.py [SOURCE_ROOT].

Each row of ALLOWED is a layer and the layers that it may include, itself aside. Includes of our own
headers are written "layer/file.h", so that each shows its direction. A layer with a row in STEPS is
divided further: its files may include those of their own step and of the ones before it.
"""
import re
import sys
from pathlib import Path

ALLOWED = {
    "base": set(),
    "ledger": {"base"},
    "verdict": {"ledger", "base"},
    "wire": {"ledger", "base"},
    "engine": {"ledger", "base"},
    "certs": {"base"},
    "endpoint": {"engine", "ledger", "base"},
    "mode": {"engine", "wire", "ledger", "base"},
    "run": {"mode", "endpoint", "engine", "wire", "certs", "ledger", "base"},
    "trial": {"verdict", "run", "mode", "endpoint", "engine", "wire", "certs", "ledger", "base"},
    "admin": {"trial", "verdict", "run", "mode", "endpoint", "engine", "wire", "certs", "ledger", "base"},
}
ALLOWED["server"] = set(ALLOWED) # server.c and server.h, in none of the folders
ALLOWED["cli"] = set(ALLOWED)

STEPS = {
    "run": [
        {"config", "acks", "asked", "attempts", "exchange", "respond", "places", "late", "witness"},
        {"session", "session_write", "fits", "patience", "plan", "wrong_port"},
        {"run", "run_parts", "doing", "runs", "ledger_file", "listening", "pauses", "room", "sweep", "syns"},
    ],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


def step_of(path):
    """Which step of its layer a file is in, from 0; None: it is in none of them."""
    for number, step in enumerate(STEPS.get(path.parts[-2], [])):
        if path.stem in step:
            return number
    return None


def fault(root, path, included):
    """What is wrong with this include in this file, or None."""
    layer = path.parts[-2]
    target = "server" if included == "server.h" else included.split("/")[0] if "/" in included else None
    if target not in ALLOWED:
        return f'write "LAYER/FILE.h", with one of {", ".join(sorted(ALLOWED))}'
    if target != layer and target not in ALLOWED[layer]:
        return f'{layer} may include {", ".join(sorted(ALLOWED[layer])) or "nothing"}'
    if not (root / "server" / included).is_file():
        return "no such file"
    if target == layer in STEPS and (step_of(Path(included)) or 0) > step_of(path):
        return "it is of a higher step"
    return None


def circle(includes, path, above=()):
    """The files of a circle that is reached from path, or None. What is clear of them leaves
    includes."""
    if path in above:
        return [*above[above.index(path):], path]
    for included in includes.get(path, ()):
        found = circle(includes, included, (*above, path))
        if found:
            return found
    includes.pop(path, None)
    return None


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    faults = files = 0
    includes = {}
    for path in sorted((root / "server").rglob("*.[ch]")):
        files += 1
        name = path.relative_to(root)
        layer = path.parts[-2]
        if layer not in ALLOWED:
            print(f"{name}: {layer} is no layer; they are {', '.join(ALLOWED)}")
            faults += 1
            continue
        if layer in STEPS and step_of(path) is None:
            print(f"{name}: is in no step of {layer} (STEPS in tools/check_includes.py)")
            faults += 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                includes.setdefault(f"{layer}/{path.name}", []).append(match[1])
            wrong = match and fault(root, path, match[1])
            if wrong:
                print(f'{name}:{number}: #include "{match[1]}": {wrong}')
                faults += 1
    for path in list(includes):
        found = circle(includes, path)
        if found:
            print(f"includes form a circle: {' -> '.join(found)}")
            faults += 1
            break
    if files == 0:
        print(f"{root}: no sources found")
    sys.exit(1 if faults or files == 0 else 0)


main()
