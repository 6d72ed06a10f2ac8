"""A local HTTP server in place of Telegram's Bot API: records requests, answers as told."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BotApi:
    """`answers` are (status, body) to give first; after them every message is taken."""

    def __init__(self):
        self.calls = []
        self.answers = []
        self.taken = []

    def respond(self, path, body):
        self.calls.append((path, body))
        if self.answers:
            return self.answers.pop(0)
        self.taken.append(body)
        return 200, {"ok": True, "result": {"message_id": len(self.taken), "username": "bot"}}


@contextmanager
def telegram_server():
    """Yield (BotApi, base address)."""
    api = BotApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            status, answer = api.respond(self.path, body)
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
