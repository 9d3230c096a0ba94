"""A Matrix homeserver: Synapse with one user and one room.

Prints one line of JSON once it answers. Ends with its standard input.
"""
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

PASSWORD = "a-long-password"


def call(method, path, body, token=None):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    config = folder / "homeserver.yaml"
    homeserver = [sys.executable, "-m", "synapse.app.homeserver", "--config-path", str(config)]
    generate = ["--server-name", "localhost", "--generate-config", "--report-stats=no", "--data-directory", str(folder)]
    subprocess.run(homeserver + generate, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = yaml.safe_load(config.read_text())
    listener = settings["listeners"][0]
    listener.update({"port": port, "bind_addresses": ["127.0.0.1"], "tls": False})
    # Nothing leaves this machine.
    settings["trusted_key_servers"] = []
    config.write_text(yaml.safe_dump(settings))
    log = open(folder / "out.log", "wb")
    server = subprocess.Popen(homeserver, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        for attempt in range(600):
            try:
                call("POST", "/_matrix/client/v3/login", {})
            except urllib.error.HTTPError:
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit((folder / "out.log").read_text())
                time.sleep(0.1)
        register = [str(Path(sys.executable).parent / "register_new_matrix_user")]
        register += ["-u", "watchbell", "-p", PASSWORD, "--no-admin", "-c", str(config), url]
        subprocess.run(register, check=True, stdout=subprocess.DEVNULL)
        user = {"type": "m.id.user", "user": "watchbell"}
        login = {"type": "m.login.password", "identifier": user, "password": PASSWORD}
        token = call("POST", "/_matrix/client/v3/login", login)["access_token"]
        room = call("POST", "/_matrix/client/v3/createRoom", {"name": "ops"}, token)["room_id"]
        print(json.dumps({"url": url, "token": token, "room": room}), flush=True)
        sys.stdin.read()
    finally:
        server.terminate()
        server.wait()
