# SPDX-License-Identifier: Apache-2.0
"""An API server, asked directly: a kubectl for each question costs a second."""
import http.client
import json
import socket
import ssl


class ApiError(Exception):
    """The server's answer: .status 403, .message "nodes is forbidden: ..."."""

    def __init__(self, status, body, what):
        try:
            self.message = json.loads(body).get("message", "")
        except ValueError:
            self.message = body.decode(errors="replace")
        self.status = status
        super().__init__(f"{what}: {status}: {self.message}")


class Watch:
    """Iterate over its events; close(), from any thread, ends that."""

    def __init__(self, api, path):
        raw = api.make(api.host, api.port, None)
        self.sock = api.tls.wrap_socket(raw, server_hostname=api.host)
        self.conn = http.client.HTTPConnection(api.host, api.port)
        self.conn.sock = self.sock
        self.conn.request("GET", path, headers={
            "Authorization": "Bearer " + api.token, "Accept": "application/json"})
        self.answer = self.conn.getresponse()
        if self.answer.status != 200:
            raise ApiError(self.answer.status, self.answer.read(), "GET " + path)

    def __iter__(self):
        try:
            for line in self.answer:
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError):
            pass    # closed in the middle of something

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass    # the server was first


class Api:
    """connect: a function (host, port, timeout) -> connected socket."""

    def __init__(self, connect, host, port, ca, token):
        self.make, self.host, self.port, self.token = connect, host, port, token
        self.tls = ssl.create_default_context(cafile=ca)

    def as_user(self, token):
        """The same server, as someone else."""
        other = Api.__new__(Api)
        other.__dict__.update(self.__dict__, token=token)
        return other

    def answer(self, method, path, body=None, kind="application/json",
               timeout=60):
        """(the answer's object, or its text where it is not JSON; its headers)"""
        conn = http.client.HTTPConnection(self.host, self.port)
        raw = self.make(self.host, self.port, timeout)
        try:
            conn.sock = self.tls.wrap_socket(raw, server_hostname=self.host)
            data = None if body is None else \
                body if isinstance(body, bytes) else json.dumps(body).encode()
            conn.request(method, path, data, {
                "Authorization": "Bearer " + self.token,
                "Accept": "application/json", "Content-Type": kind})
            answer = conn.getresponse()
            text = answer.read()
        except http.client.HTTPException as e:
            raise ConnectionError(f"{method} {path}: {e!r}") from e
        finally:
            conn.close()
            raw.close()
        if answer.status >= 400:
            raise ApiError(answer.status, text, f"{method} {path}")
        if "json" in (answer.getheader("Content-Type") or ""):
            return json.loads(text), answer.headers
        return text.decode(errors="replace"), answer.headers

    def call(self, *args, **kw):
        """As answer(), without the headers."""
        return self.answer(*args, **kw)[0]

    def get(self, path):
        return self.call("GET", path)

    def watch(self, path):
        """The events of a watch that begins now with all there is."""
        return Watch(self, path + "&watch=true&allowWatchBookmarks=true")

    def find(self, path):
        """As get(); None where there is no such object."""
        try:
            return self.get(path)
        except ApiError as e:
            if e.status != 404:
                raise
            return None

    def items(self, path):
        return self.get(path)["items"]

    def create(self, path, body):
        return self.call("POST", path, body)

    def delete(self, path, grace=None):
        body = {} if grace is None else {"gracePeriodSeconds": grace}
        return self.call("DELETE", path, body)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")
