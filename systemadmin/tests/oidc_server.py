"""An identity provider over real HTTP that answers as a test says: rightly, wrongly, slowly.

What a certified provider does is tested in config/tests/test_staff_provider_in_browser.py.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
CLIENT, SECRET = "atalaya", "a-secret-of-the-client"


def public(key, kid):
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


class Provider:
    """`claims` go into every ID token; the other attributes make it misbehave."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.provider = self
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.reset()

    def reset(self):
        self.claims = {"sub": "ana-at-the-provider"}
        self.userinfo = {"sub": "ana-at-the-provider"}
        self.codes, self.calls = {}, []
        self.key, self.kid, self.algorithm = KEY, "one", "RS256"
        self.keys = [public(KEY, "one")]
        self.description = {}
        self.delay = 0.0
        self.token_answer = None
        self.remove = ()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def describe(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end",
            "code_challenge_methods_supported": ["S256"],
            **self.description,
        }

    def authorize(self, url):
        """Sign the person in at the address that the browser was sent to; return the answer."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert url.startswith(f"{self.issuer}/authorize?")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def id_token(self, nonce):
        now = int(time.time())
        usual = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
        }  # fmt: skip
        claims = {**usual, **self.claims}
        for name in self.remove:
            claims.pop(name, None)
        return jwt.encode(claims, self.key, self.algorithm, {"kid": self.kid})


def challenge(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Handler(BaseHTTPRequestHandler):
    """The endpoints."""

    def log_message(self, *args):
        pass

    @property
    def provider(self):
        return self.server.provider

    def _send(self, found, status=200):
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the caller did not wait

    def do_GET(self):
        provider, path = self.provider, urlsplit(self.path).path
        provider.calls.append(path)
        time.sleep(provider.delay)
        if path == "/.well-known/openid-configuration":
            self._send(provider.describe())
        elif path == "/jwks":
            self._send({"keys": provider.keys})
        elif path == "/userinfo":
            right = self.headers["Authorization"] == "Bearer the-access-token"
            self._send(provider.userinfo if right else {}, 200 if right else 401)
        else:
            self._send({}, 404)

    def do_POST(self):
        provider = self.provider
        provider.calls.append(self.path)
        time.sleep(provider.delay)
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        form = {name: values[0] for name, values in sent.items()}
        if provider.token_answer is not None:
            return self._send(*provider.token_answer)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = provider.codes.pop(form.get("code"), None)  # each code works once
        if (
            self.headers["Authorization"] != f"Basic {basic}"
            or asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge(form["code_verifier"]) != asked["code_challenge"]
        ):
            return self._send({"error": "invalid_grant", "error_description": "<b>no</b>"}, 400)
        return self._send(
            {
                "access_token": "the-access-token",
                "token_type": "Bearer",
                "id_token": provider.id_token(asked["nonce"]),
            }
        )
