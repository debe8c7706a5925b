"""Logs in for schemathesis as the installation's admin, anew whenever the run itself has ended its session."""

import json
import os
import time
import urllib.error
import urllib.request

import schemathesis

API = os.environ["PULSEMON_API"]
# No example of the document knows the password, so no request changes it or deletes the account.
ADMIN = {"email": os.environ["ADMIN_EMAIL"], "password": os.environ["ADMIN_PASSWORD"]}


def log_in():
    request = urllib.request.Request(
        API + "/api/v1/auth/login",
        data=json.dumps(ADMIN).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"]


def wait_for_admin():
    """The account is made in the background once the database is there."""
    for _ in range(100):
        try:
            return log_in()
        except urllib.error.HTTPError:
            time.sleep(0.1)
    return log_in()


wait_for_admin()


@schemathesis.auth(refresh_interval=600, retry_on=[401])
class Login:
    def get(self, case, context):
        return log_in()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"
