#!/usr/bin/env python3
"""checksums.py: a program that a job runs: one SHA-256 for a whole folder. Its job type is checksums.json.

  payload  {"folder": "2026-01"}, a folder in DOCUMENTS, which the job type names
  result   {"files": 12, "sha256": "..."}, of the names and the SHA-256 of all its files
"""
import hashlib
import json
import os
import re
import sys


def say(**members):
    print(json.dumps(members), flush=True)  # at once: a pipe is not written line by line by itself


def refuse(code, message):
    """It will not go better another time."""
    say(error={"code": code, "message": message, "retryable": False})
    sys.exit(1)


def checksum(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


folder = json.loads(sys.stdin.readline())["payload"].get("folder")
if not isinstance(folder, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", folder):
    refuse("bad_folder", "The folder must be a plain name.")
path = os.path.join(os.environ["DOCUMENTS"], folder)
if not os.path.isdir(path):
    refuse("no_such_folder", "There is no such folder.")

names = sorted(entry.name for entry in os.scandir(path) if entry.is_file(follow_symlinks=False))
whole = hashlib.sha256()
for done, name in enumerate(names):
    say(progress=100 * done // len(names), message=f"file {done + 1} of {len(names)}")
    whole.update(f"{checksum(os.path.join(path, name))}  ".encode() + os.fsencode(name) + b"\n")
say(result={"files": len(names), "sha256": whole.hexdigest()})
