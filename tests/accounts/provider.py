"""A small OpenID Connect provider on a loopback port: discovery, authorisation code with PKCE, signed ID tokens."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "ward", "a secret of the provider"


class Provider:
    """Lets in whoever `person` describes, at once; `wrong` makes it answer as a broken or hostile one would."""

    def __init__(self):
        self.person = {}
        self.wrong = ""
        self.asked = []
        self._codes = {}
        self._tokens = {}
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def discovery(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def authorize(self, asked):
        """The address that a browser is sent back to."""
        self.asked.append(asked)
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert {"openid", "profile", "email"} <= set(asked["scope"].split())
        back = {"state": asked["state"]}
        if self.wrong == "cancelled":
            return f"{asked['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}"
        code = secrets.token_urlsafe(8)
        self._codes[code] = (asked["code_challenge"], asked["redirect_uri"], dict(self.person))
        return f"{asked['redirect_uri']}?{urlencode({**back, 'code': code})}"

    def token(self, asked):
        challenge, address, person = self._codes.pop(asked["code"], (None, None, None))
        verifier = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        fits = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() == challenge
        known = (asked.get("client_id"), asked.get("client_secret"), asked.get("redirect_uri"))
        if person is None or not fits or known != (CLIENT, SECRET, address) or self.wrong == "token":
            return 400, {"error": "invalid_grant"}
        access = secrets.token_urlsafe(8)
        self._tokens[access] = person
        audience = "somebody else" if self.wrong == "audience" else CLIENT
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 60, **person}
        signed = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "one"})
        return 200, {"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": signed}

    def userinfo(self, header):
        person = self._tokens.get(header.removeprefix("Bearer "))
        return (401, {}) if person is None else (200, person)

    def keys(self):
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def _handler(provider):  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                address = urlsplit(self.path)
                asked = {name: values[0] for name, values in parse_qs(address.query).items()}
                if address.path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(asked))
                    self.end_headers()
                    return
                answers = {
                    "/.well-known/openid-configuration": lambda: (200, provider.discovery()),
                    "/userinfo": lambda: provider.userinfo(self.headers.get("Authorization", "")),
                    "/keys": lambda: (200, provider.keys()),
                }
                self._answer(*answers[address.path]())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer(*provider.token({name: values[0] for name, values in parse_qs(body).items()}))

            def _answer(self, status, content):
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
