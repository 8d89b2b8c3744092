# SPDX-License-Identifier: Apache-2.0
"""An API server of lists and watches that misbehaves when it is told to. It is a
program of its own, so that it can be stopped and killed; fakeapi.py starts it.

    python3 -m smclab.fakeserver '{"store": FILE, "host": ..., "port": 0, ...}'

It takes orders as lines of JSON, {"do": NAME, ...}, and answers each by a line.
Objects are in FILE: {plural: {"namespace/name": object}}. One version counts for
all kinds. A watch from a version yet to come is taken without a word, as a real
server does.
"""
import asyncio
import json
import os
import ssl
import sys
import time
import urllib.parse

GROUPS = {
    "pods": ("/api/v1/", "Pod"),
    "namespaces": ("/api/v1/", "Namespace"),
    "services": ("/api/v1/", "Service"),
    "nodes": ("/api/v1/", "Node"),
    "endpointslices": ("/apis/discovery.k8s.io/v1/", "EndpointSlice"),
    "smcmeshes": ("/apis/smcmesh.io/v1alpha1/", "SmcMesh"),
    "smcnodes": ("/apis/smcmesh.io/v1alpha1/", "SmcNode"),
    "asmmeshconfigs": ("/apis/istio.alibabacloud.com/v1beta1/", "ASMMeshConfig"),
}
LONGEST = 1 << 20    # bytes of a line of a request
BOOKMARK_S = 40      # a real server sends one a minute


def compact(obj):
    return json.dumps(obj, separators=(",", ":"))


def event(kind, text):
    return f'{{"type":"{kind}","object":{text}}}\n'.encode()


def failure(code, message):
    return compact({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                    "code": code, "message": message})


class Kind:
    """The objects at one path, and who watches them."""

    def __init__(self, plural, version):
        prefix, self.name = GROUPS[plural]
        self.path, self.api = prefix + plural, prefix.strip("/").split("/", 1)[1]
        self.objects = {}     # key: object
        self.events = []      # (version, line), since `floor`
        self.floor = version  # what came before that is forgotten
        self.watches = set()
        self.answer = None    # how requests are refused: see order_refuse()
        self.well = asyncio.Event()    # set by order_serve()

    def since(self, version):
        """The events after it; the newest are looked at first."""
        at = len(self.events)
        while at and self.events[at - 1][0] > version:
            at -= 1
        return self.events[at:]

    def bookmark(self, version, last=False):
        notes = {"annotations": {"k8s.io/initial-events-end": "true"}} if last \
            else {}
        return event("BOOKMARK", compact({
            "kind": self.name, "apiVersion": self.api,
            "metadata": {"resourceVersion": str(version), **notes}}))


class Store:
    def __init__(self, options):
        self.file, self.version = options["store"], options["first"]
        self.kinds = {}
        with open(self.file, encoding="utf-8") as f:
            stored = json.load(f)
        for plural in GROUPS:
            self.kinds[plural] = Kind(plural, 0)
            for key, obj in stored.get(plural, {}).items():
                self.put(plural, key, obj)
        self.forget()

    def forget(self):
        """Whoever watches from before now is answered 410."""
        for kind in self.kinds.values():
            kind.floor, kind.events = self.version, []

    def put(self, plural, key, obj):
        kind = self.kinds[plural]
        what = "MODIFIED" if key in kind.objects else "ADDED"
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        kind.objects[key] = obj
        self.tell(kind, event(what, compact(obj)))

    def delete(self, plural, key):
        kind = self.kinds[plural]
        obj = kind.objects.pop(key)
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.tell(kind, event("DELETED", compact(obj)))

    def tell(self, kind, line):
        kind.events.append((self.version, line))
        for watch in kind.watches:
            watch.wake.set()

    def save(self):
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            json.dump({p: k.objects for p, k in self.kinds.items()}, f)
        os.rename(self.file + ".new", self.file)


# ---- a watch ---------------------------------------------------------------------

class Watch:
    """One answer that goes on. Its doings are what order_tell() says."""

    def __init__(self, server, kind, writer):
        self.server, self.kind, self.writer = server, kind, writer
        self.at = 0
        self.wake = asyncio.Event()
        self.orders = []
        self.drip_us = 0          # so long between two bytes
        self.withholds = False    # of a change only the version is sent
        self.hangs = False

    async def send(self, data):
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def drip(self, data):
        for i in range(len(data)):
            self.writer.write(b"1\r\n%s\r\n" % data[i:i + 1])
            time.sleep(self.drip_us / 1e6)
        await self.writer.drain()

    async def news(self):
        for version, line in self.kind.since(self.at):
            if self.withholds:
                line = self.kind.bookmark(version)
            await (self.drip if self.drip_us else self.send)(line)
            self.at = version

    async def begin(self, query):
        """Return: does it go on?"""
        if query.get("sendInitialEvents") == "true":
            self.at = self.server.store.version
            for text in [compact(o) for o in self.kind.objects.values()]:
                await self.send(event("ADDED", text))
            await self.send(self.kind.bookmark(self.at, last=True))
            return True
        self.at = int(query["resourceVersion"])
        if self.at >= self.kind.floor:
            return True
        await self.send(event("ERROR", failure(
            410, f"too old resource version: {self.at} ({self.kind.floor})")))
        return False

    async def run(self, query):
        """Until the client has it end, or something else does."""
        hurry = self.server.hurry
        loop = asyncio.get_running_loop()
        ends = loop.time() + int(query["timeoutSeconds"]) / hurry
        said = loop.time()
        goes_on = await self.begin(query)
        while goes_on and loop.time() < ends:
            while self.orders and goes_on:
                name, given = self.orders.pop(0)
                goes_on = await DOINGS[name](self, **given) is not False
            while self.hangs and not self.writer.is_closing():
                await asyncio.sleep(0.1)
            if goes_on:
                await self.news()
                if loop.time() > said + BOOKMARK_S / hurry:
                    said = loop.time()
                    await self.send(self.kind.bookmark(self.at))
                await self.pause(min(ends, said + BOOKMARK_S / hurry))

    async def pause(self, until):
        left = until - asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self.wake.wait(), max(left, 0) + 0.001)
        except asyncio.TimeoutError:
            pass
        self.wake.clear()

    def some(self):
        """One of the objects, as text."""
        return compact(next(iter(self.kind.objects.values())))

    def modified(self, obj):
        """The next event, as if it had changed just now."""
        store = self.server.store
        store.version += 1
        obj["metadata"]["resourceVersion"] = str(store.version)
        store.tell(self.kind, event("MODIFIED", compact(obj)))


# ---- what a watch is told to do: False ends it -----------------------------------

async def do_error(watch, code, message):
    await watch.send(event("ERROR", failure(code, message)))
    return False


async def do_cut(watch):
    line = event("MODIFIED", watch.some())
    await watch.send(line[:len(line) // 2])
    watch.writer.transport.abort()
    return False


async def do_end(watch):
    return False


async def do_garbage(watch):
    await watch.send(b"\x00\xff{{{ no JSON\n")


async def do_big(watch, size):
    """An object of that many bytes."""
    obj = json.loads(watch.some())
    obj["metadata"]["annotations"] = {"pad": "x" * size}
    watch.modified(obj)


async def do_fields(watch, count):
    """As many fields that nobody knows, each with something in it."""
    obj = json.loads(watch.some())
    obj["status"].update({f"unknown{i}": {"a": [i]} for i in range(count)})
    watch.modified(obj)


async def do_again(watch, count):
    """The same event, again and again."""
    line = event("MODIFIED", watch.some())
    for _ in range(count):
        await watch.send(line)


async def do_endless(watch, size):
    """A line that does not end."""
    await watch.send(b'{"type":"MODIFIED","object":{"pad":"')
    for _ in range(size >> 16):
        await watch.send(b"x" * (1 << 16))


async def do_older(watch, obj):
    """What was true before, as it was sent then, and what came since."""
    version = obj["metadata"]["resourceVersion"]
    await watch.send(event("MODIFIED", compact(obj)))
    watch.at = int(version)


async def do_hang(watch):
    watch.hangs = True


async def do_drip(watch, us):
    watch.drip_us = us


async def do_withhold(watch):
    watch.withholds = True


DOINGS = {name[3:]: f for name, f in globals().items()
          if name.startswith("do_")}


# ---- the server ------------------------------------------------------------------

class Server:
    def __init__(self, options):
        self.store = Store(options)
        self.hurry = options["hurry"]
        self.node_uid = "uid-of-node"
        self.events = []    # that the agent made

    def kind_of(self, path):
        """(kind, plural, the rest of the path)"""
        for plural, kind in self.store.kinds.items():
            if path == kind.path or path.startswith(kind.path + "/"):
                return kind, plural, path[len(kind.path) + 1:]
        return None, None, None

    async def connection(self, reader, writer):
        try:
            while await self.request(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass    # the client has gone
        finally:
            writer.close()

    async def request(self, reader, writer):
        """Answer one. Return: may another one follow?"""
        line = await reader.readline()
        if not line:
            return False
        method, target, _ = line.decode().split(" ")
        length = 0
        while (header := (await reader.readline()).strip()):
            name, value = header.decode().split(":", 1)
            if name.lower() == "content-length":
                length = int(value)
        body = await reader.readexactly(length)
        path, _, query = target.partition("?")
        kind, plural, name = self.kind_of(path)
        if kind and kind.answer and not kind.answer["status"]:
            await kind.well.wait()
        if method == "POST" and path.endswith("/events"):
            self.events.append({**json.loads(body), "at": time.monotonic()})
            await reply(writer, 201, body.decode())
        elif not kind:
            await reply(writer, *((201, "{}") if body else
                                  (404, failure(404, path))))
        elif kind.answer and kind.answer["status"]:
            await self.refuse(kind, writer)
        elif name:
            await reply(writer, *self.one(method, kind, plural, name, body))
        else:
            await self.collection(kind, writer,
                                  dict(urllib.parse.parse_qsl(query)))
        return not writer.is_closing()

    async def refuse(self, kind, writer):
        how = kind.answer
        wait = how.get("retry_after")
        await reply(writer, how["status"],
                    failure(how["status"], "refused by order"),
                    f"Retry-After: {wait}\r\n" if wait else "")

    def one(self, method, kind, plural, name, body):
        """GET of an object, and what an agent writes: PATCH of its SmcNode."""
        name, _, part = name.partition("/")
        obj = kind.objects.get("/" + name)
        if plural == "nodes":
            obj = {"kind": "Node", "metadata": {"name": name,
                                                "uid": self.node_uid}}
        if method == "GET" or (part and not obj):
            return (200, compact(obj)) if obj else (404, failure(404, name))
        given = json.loads(body)
        new = dict(obj) if obj else {
            "apiVersion": given["apiVersion"], "kind": given["kind"],
            "metadata": {"name": name, "uid": "uid-" + name}}
        if part == "status":
            new["status"] = given["status"]
        if new != obj:
            self.store.put(plural, "/" + name, new)
        return 200 if obj else 201, compact(kind.objects["/" + name])

    async def collection(self, kind, writer, query):
        if query.get("watch") != "true":
            items = ",".join(map(compact, kind.objects.values()))
            await reply(writer, 200,
                        f'{{"kind":"{kind.name}List","apiVersion":"{kind.api}",'
                        f'"metadata":{{"resourceVersion":"{self.store.version}"'
                        f'}},"items":[{items}]}}')
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        watch = Watch(self, kind, writer)
        kind.watches.add(watch)
        try:
            await watch.run(query)
        finally:
            kind.watches.discard(watch)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def reply(writer, status, text, headers=""):
    data = text.encode()
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                 f"{headers}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    await writer.drain()


# ---- orders ----------------------------------------------------------------------

def chosen(server, kinds):
    return [k for p, k in server.store.kinds.items() if not kinds or p in kinds]


def order_put(server, kind, key, object):
    server.store.put(kind, key, object)
    return server.store.version


def order_delete(server, kind, key):
    server.store.delete(kind, key)
    return server.store.version


def order_get(server, kind, key):
    return server.store.kinds[kind].objects[key]


def order_tell(server, what, kinds=None, **given):
    """Have the open watches do something. Return: how many those are."""
    told = [w for k in chosen(server, kinds) for w in k.watches if not w.hangs]
    for watch in told:
        watch.orders.append((what, given))
        watch.wake.set()
    return len(told)


def order_refuse(server, status, kinds=None, retry_after=None):
    """From now on requests are answered so; 0: not before all is well again."""
    for kind in chosen(server, kinds):
        kind.well.clear()
        kind.answer = {"status": status, "retry_after": retry_after}


def order_serve(server):
    """All is well again."""
    for kind in chosen(server, None):
        kind.answer = None
        kind.well.set()


def order_forget(server):
    server.store.forget()


def order_events(server):
    """Those that were made since it began, and when."""
    return server.events


def order_save(server):
    server.store.save()
    return server.store.version


ORDERS = {name[6:]: f for name, f in globals().items()
          if name.startswith("order_")}


async def main(options):
    server = Server(options)
    tls = None
    if options.get("cert"):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options["cert"], options["key"])
    listening = await asyncio.start_server(
        server.connection, options["host"], options["port"], ssl=tls,
        limit=LONGEST)
    print(json.dumps(listening.sockets[0].getsockname()[1]), flush=True)
    orders = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while (line := await orders.readline()):
        given = json.loads(line)
        print(json.dumps(ORDERS[given.pop("do")](server, **given)), flush=True)
    os._exit(0)    # the driver has gone


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
