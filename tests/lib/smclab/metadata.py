# SPDX-License-Identifier: Apache-2.0
"""A cloud's metadata service for tests: well-behaved until told otherwise."""
import contextlib
import http.server
import json
import socket
import sys
import threading

ADDRESS = "100.100.100.200"
PREFIX = "/latest/meta-data/network/interfaces/macs/"
TOKEN_PATH = "/latest/api/token"
TOKEN_HEADER = "X-aliyun-ecs-metadata-token"


class Metadata:
    """Serves on a socket that listens already.

    values: {MAC: {"primary-ip-address": ..., ...}}.
    tokens: None: there are none: PUT gets `no_tokens`; "needed": a GET without the
    newest one gets 401.
    answer: None, or called with the handler for every request before anything
    else; what it returns true for it has answered.
    log: [(method, path, token or None)].
    """

    def __init__(self, listening):
        self.well_behaved({})
        self.socket = listening
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self):
                service.handle(self)

            do_PUT = do_GET

            def log_message(self, *_):
                pass

            def send(self, status, body=b"", **headers):
                body = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for key, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(key, str(value))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(
            listening.getsockname(), Handler, bind_and_activate=False)
        self.server.daemon_threads = True
        self.server.socket.close()
        self.server.socket = listening
        threading.Thread(target=self.server.serve_forever, args=(0.02,),
                         daemon=True).start()

    def well_behaved(self, values):
        """As at first, with these values."""
        self.values, self.log = values, []
        self.tokens, self.no_tokens = "needed", 404
        self.token = 0
        self.answer = None

    def handle(self, handler):
        token = handler.headers.get(TOKEN_HEADER)
        self.log.append((handler.command, handler.path, token))
        if self.answer and self.answer(handler):
            return
        if handler.path == TOKEN_PATH:
            self.give_token(handler)
        elif self.tokens and token != f"token-{self.token}":
            handler.send(401)
        else:
            mac, _, what = handler.path.removeprefix(PREFIX).partition("/")
            value = self.values.get(mac, {}).get(what)
            handler.send(404) if value is None else handler.send(200, value)

    def give_token(self, handler):
        if not self.tokens:
            handler.send(self.no_tokens)
        elif handler.command == "PUT":
            self.token += 1
            handler.send(200, f"token-{self.token}")
        else:
            handler.send(405)

    def instead(self, what, fn):
        """Questions whose path ends in @what are answered by @fn(handler)."""
        def answer(handler):
            if not handler.path.endswith("/" + what):
                return False
            fn(handler)
            return True
        self.answer = answer

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def served(netns):
    """In a namespace, at the address where clouds have it."""
    netns.run(f"ip addr add {ADDRESS}/32 dev lo")
    with netns.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((ADDRESS, 80))
        s.listen(16)
        service = Metadata(s)
        try:
            yield service
        finally:
            service.close()


def main():
    """{MAC: values} in JSON; in a VM, where `lo` has the address."""
    with socket.create_server((ADDRESS, 80)) as listening:
        Metadata(listening).values = json.loads(sys.argv[1])
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
