"""A reader study from the first click to the archive, by the API.

TOKEN=... python run_study.py https://ct.example DATASET_ID RATER_LOGIN [RATER_LOGIN ...]

The token is made on the page *API*. The dataset holds scans with lesions and accepted edits of them.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

DRAFT = {"template": "inserted_lesions", "title": "A study by the API", "cases_planned": 12}
PROTOCOL = {"display_mode": "patch", "diameter_min_mm": 5, "diameter_max_mm": 40, "confidence_levels": 3}


class Platform:
    def __init__(self, address: str, token: str) -> None:
        self.address, self.token = address.rstrip("/"), token

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        request = urllib.request.Request(f"{self.address}/api/{path}", method=method)
        request.add_header("Authorization", f"Token {self.token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, None if body is None else json.dumps(body).encode()) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")

    def tell(self, method: str, path: str, body: object = None) -> dict:
        return json.loads(self.ask(method, path, body))

    def work(self, path: str) -> None:
        """Order long work and wait until it has ended."""
        job = self.tell("POST", path)
        while job["status"] in ("queued", "running"):
            time.sleep(1)
            job = self.tell("GET", f"jobs/{job['id']}/")
        if job["status"] != "succeeded":
            sys.exit(f"{path}: {job['status']}. {job.get('error', '')}")


def main(address: str, dataset: str, *raters: str) -> None:
    platform = Platform(address, os.environ["TOKEN"])
    study = f"studies/{platform.tell('POST', 'studies/', DRAFT)['id']}/"
    platform.tell("PATCH", study, {"datasets": [dataset], **PROTOCOL})
    platform.tell("PUT", f"{study}raters/", {"usernames": raters})
    platform.work(f"{study}draw/")
    for check in platform.tell("GET", f"{study}readiness/"):
        print("ok  " if check["met"] else "    ", check["message"])
    platform.work(f"{study}lock/")
    platform.work(f"{study}open/")
    print(f"{address}/{study} is open. Raters find it on their first page.")


if __name__ == "__main__":
    main(*sys.argv[1:])
