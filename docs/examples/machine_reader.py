"""A program that reads a study beside people: the darker the middle against the whole, the surer "synthetic". Where a
place is asked for it marks the middle, as it looks at nothing else. Run: TOKEN=... python machine_reader.py ADDRESS
The token is made under People, Programs that read; a coordinator then chooses the program among a study's raters.
"""

import datetime as dt
import gzip
import json
import os
import sys
import urllib.request
import uuid

import numpy as np


def ask(address: str, path: str, body: object = None) -> bytes:
    headers = {"Authorization": f"Token {os.environ['TOKEN']}", "Content-Type": "application/json"}
    content = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(f"{address}/api/reading/{path}", content, headers)) as answer:
        return gzip.decompress(answer.read()) if answer.headers["Content-Encoding"] == "gzip" else answer.read()


def pixels_hu(case: dict, content: bytes) -> np.ndarray:
    """A slice; each sample came as what it is less left + above - above left, its sign in the last bit."""
    low, high = np.frombuffer(content, np.uint8).reshape(2, case["rows"], case["columns"]).astype(np.uint16)
    folded = high << 8 | low
    return ((folded >> 1) ^ (0 - (folded & 1))).cumsum(0, np.uint16).cumsum(1, np.uint16).view(np.int16)


def read(address: str, session: str) -> str:
    standing = json.loads(ask(address, f"sessions/{session}/"))
    study, shown_at = standing["study"], dt.datetime.now(dt.UTC)
    if "synthetic" not in {answer["value"] for answer in study["answers"]}:
        return "asks for other answers than real and synthetic"
    if (study["mark"] or {}).get("each"):
        return "asks for any number of places"
    levels = len((study["confidence"] or {"levels": []})["levels"])
    while standing["next"]:
        case = json.loads(ask(address, path := f"presentations/{standing['next'][0]}/"))
        rows, columns, start = case["rows"], case["columns"], case["start_slice"]
        picture = pixels_hu(case, ask(address, f"{path}slices/{start}/"))
        found = float(picture[rows // 3 : -(rows // 3), columns // 3 : -(columns // 3)].mean() - picture.mean())
        sure = min(levels, 1 + int(abs(found) / 10)) or None
        place = {"slice": start, "row": rows // 2, "column": columns // 2} if study["mark"] else None
        answer = {"answer": "synthetic" if found < 0 else "real", "confidence": sure, "mark": place, "supersedes": None}
        now = dt.datetime.now(dt.UTC)
        spent = {"reading_ms": (now - shown_at) // dt.timedelta(milliseconds=1), "load_ms": 0, "hidden_ms": 0}
        when = {"shown_at": str(shown_at), "answered_at": str(now), "sent_at": str(now), **spent}
        about = {"client_event_id": str(uuid.uuid4()), "counter": standing["counter"] + 1}
        standing, shown_at = json.loads(ask(address, f"{path}events/", {**about, **answer, **when})), now
    return "is read"


def main(address: str) -> None:
    for own in json.loads(ask(address, "sessions/")):
        print(f"“{own['title']}” {read(address, own['token'])}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
