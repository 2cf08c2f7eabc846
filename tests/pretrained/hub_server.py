"""The Hub's protocol, as far as its client speaks it here, and plain files, on loopback.

Large files (`.h5`) go over Git LFS: a redirect to a file that is served with ranges. Xet is turned
off on the client's side. Faults are put on paths: a status, a cut connection, other bytes.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

WRITER, READER = "hf_writer", "hf_reader"  # tokens


@dataclasses.dataclass
class Fault:
    """What goes wrong with GETs whose path holds `part`, `times` times.

    `kind` is a status; "cut": half of the file, then the connection ends; "unsized": the same
    without a length, so that nobody can know; "other": as many bytes, but others.
    """

    part: str
    kind: int | str
    times: int = 1_000


@dataclasses.dataclass
class Repository:
    private: bool = False
    commits: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)
    references: dict[str, str] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)

    def commit(self, files: dict[str, bytes]) -> str:
        before = self.commits.get(self.references.get("main", ""), {})
        oid = hashlib.sha1(f"commit {len(self.commits)}".encode()).hexdigest()
        self.commits[oid] = {**before, **files}
        self.references["main"] = oid
        return oid

    def find(self, revision: str) -> str | None:
        oid = {**self.references, **self.tags}.get(revision, revision)
        return oid if oid in self.commits else None


class HubServer(ThreadingHTTPServer):
    """What the tests set up, and what they look at afterwards."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.write_status: int | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def storage(self) -> str:
        """Where large files are: another host to the client, as the Hub's storage is."""
        return self.url.replace("127.0.0.1", "localhost")

    def add(self, repo_id: str, folder, tag: str | None = None, private: bool = False) -> str:
        """Commit the files of a folder."""
        repository = self.repositories.setdefault(repo_id, Repository(private))
        oid = repository.commit({file.name: file.read_bytes() for file in folder.iterdir()})
        if tag:
            repository.tags[tag] = oid
        return oid

    def paths(self, method: str) -> list[str]:
        return [path for verb, path, _ in self.requests if verb == method]

    def fault(self, path: str) -> int | str | None:
        with self.lock:
            for fault in self.faults:
                if fault.part in path and fault.times > 0:
                    fault.times -= 1
                    return fault.kind
        return None

    def handle_error(self, request, client_address):
        """Clients that go away are what some tests are about."""


@contextlib.contextmanager
def hub_server():
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._route("HEAD")

    def do_GET(self):
        self._route("GET")

    def do_POST(self):
        self._route("POST")

    def do_PUT(self):
        self._route("PUT")

    def _route(self, method: str) -> None:
        self.path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((method, self.path, headers))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault(self.path) if method != "HEAD" else None
        if isinstance(fault, int):
            return self._answer(fault, {"error": "as the test wants it"})
        self.broken = fault
        for verbs, pattern, respond in ROUTES:
            found = re.fullmatch(pattern, self.path)
            if found and method in verbs:
                return respond(self, *found.groups())
        return self._answer(404, {"error": "no such path"})

    # Reading

    def info(self, repo_id: str, revision: str = "main") -> None:
        found = self._find(repo_id, revision)
        if found:
            files = [{"rfilename": name} for name in found[1]]
            self._answer(
                200, {"id": repo_id, "modelId": repo_id, "sha": found[0], "siblings": files}
            )

    def tree(self, repo_id: str, revision: str) -> None:
        found = self._find(repo_id, revision)
        if found:
            self._answer(200, [_entry(name, content) for name, content in found[1].items()])

    def resolve(self, repo_id: str, revision: str, name: str) -> None:
        found = self._find(repo_id, revision)
        if not found:
            return
        oid, files = found
        if name not in files:
            headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid}
            self._answer(404, {"error": "Entry not found"}, headers)
            return
        content, headers = files[name], {"X-Repo-Commit": oid}
        if name.endswith(".h5"):
            digest = _sha256(content)
            self.server.large[digest] = content
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            self._answer(302, {}, {**headers, "Location": f"{self.server.storage}/lfs/{digest}"})
        else:
            self._send(content, {**headers, "ETag": f'"{_git_oid(content)}"'})

    def large(self, digest: str) -> None:
        self._send(self.server.large[digest], {"ETag": f'"{digest}"'})

    def plain(self, name: str) -> None:
        if name in self.server.files:
            self._send(self.server.files[name], {})
        else:
            self._answer(404, {"error": "no such file"})

    def references(self, repo_id: str) -> None:
        if self._find(repo_id, None):
            repository = self.server.repositories[repo_id]
            lists = {"branches": repository.references, "tags": repository.tags, "converts": {}}
            self._answer(200, {kind: _references(kind, names) for kind, names in lists.items()})

    # Writing

    def create(self) -> None:
        wanted = json.loads(self.body)
        repo_id = f"{wanted['organization']}/{wanted['name']}"
        if not self._may_write():
            return
        if repo_id in self.server.repositories:
            exists = {"error": "You already created this model repo", "url": repo_id}
            self._answer(409, exists)
            return
        private = wanted.get("visibility") == "private"
        repository = self.server.repositories[repo_id] = Repository(private)
        repository.commit({".gitattributes": b"*.h5 filter=lfs"})
        self._answer(200, {"url": f"{self.server.url}/{repo_id}", "name": repo_id, "id": repo_id})

    def validate(self) -> None:
        text = json.loads(self.body)["content"]
        front = yaml.safe_load(text.split("---")[1])
        complete = {"library_name", "pipeline_tag", "license", "tags"} <= set(front)
        errors = [] if complete else [{"message": "incomplete front matter"}]
        self._answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def preupload(self, repo_id: str, revision: str) -> None:
        if self._may_write():
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".h5") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(self.body)["files"]
            ]
            self._answer(200, {"files": files})

    def batch(self, repo_id: str) -> None:
        if not self._may_write():
            return
        objects = json.loads(self.body)["objects"]
        for entry in objects:
            if entry["oid"] not in self.server.large:
                href = f"{self.server.storage}/lfs/{entry['oid']}"
                entry["actions"] = {"upload": {"href": href}}
        self._answer(200, {"transfer": "basic", "objects": objects})

    def upload(self, digest: str) -> None:
        right = _sha256(self.body) == digest
        if right:
            self.server.large[digest] = self.body
        self._answer(200 if right else 400, {})

    def commit(self, repo_id: str, revision: str) -> None:
        if not self._may_write():
            return
        files = {}
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        oid = self.server.repositories[repo_id].commit(files)
        url = f"{self.server.url}/{repo_id}/commit/{oid}"
        self._answer(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def tag(self, repo_id: str, revision: str) -> None:
        name = json.loads(self.body)["tag"]
        repository = self.server.repositories[repo_id]
        if self._may_write() and name not in repository.tags:
            repository.tags[name] = revision
            self._answer(200, {})

    # Answers

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _may_write(self) -> bool:
        status = self.server.write_status or {WRITER: 200, READER: 403}.get(self._token(), 401)
        if status != 200:
            self._answer(status, {"error": "not with this token"})
        return status == 200

    def _find(self, repo_id: str, revision: str | None) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files, or `None` after an answer like the Hub's."""
        repository = self.server.repositories.get(repo_id)
        known = self._token() in (WRITER, READER)
        if repository is None or (repository.private and not known):
            # Without a token the Hub does not tell what is missing from what is private.
            headers = {"X-Error-Code": "RepoNotFound"}
            self._answer(404 if known else 401, {"error": "Repository not found"}, headers)
            return None
        oid = repository.find(revision or "main")
        if oid is None:
            headers = {"X-Error-Code": "RevisionNotFound"}
            self._answer(404, {"error": f"Invalid rev id: {revision}"}, headers)
            return None
        return oid, repository.commits[oid]

    def _answer(self, status: int, values, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(values).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send(self, content: bytes, headers: dict[str, str]) -> None:
        if self.broken == "other":
            content = content[:-1] + bytes([content[-1] ^ 1])
        size = len(content)
        first = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0])[0])
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
            content = content[first:]
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        if self.broken == "unsized":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.broken in ("cut", "unsized"):
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)


ROUTES = (
    ("GET", "/api/models/([^/]+/[^/]+)", Handler.info),
    ("GET", "/api/models/([^/]+/[^/]+)/revision/(.+)", Handler.info),
    ("GET", "/api/models/([^/]+/[^/]+)/tree/([^/]+)/?", Handler.tree),
    ("GET", "/api/models/([^/]+/[^/]+)/refs", Handler.references),
    (("GET", "HEAD"), "/lfs/([0-9a-f]+)", Handler.large),
    (("GET", "HEAD"), "/files/(.+)", Handler.plain),
    (("GET", "HEAD"), "/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", Handler.resolve),
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("POST", "/api/models/([^/]+/[^/]+)/preupload/([^/]+)", Handler.preupload),
    ("POST", r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/lfs/([0-9a-f]+)", Handler.upload),
    ("POST", "/api/models/([^/]+/[^/]+)/commit/([^/]+)", Handler.commit),
    ("POST", "/api/models/([^/]+/[^/]+)/tag/([^/]+)", Handler.tag),
)


def _entry(name: str, content: bytes) -> dict:
    entry = {"type": "file", "path": name, "size": len(content), "oid": _git_oid(content)}
    if name.endswith(".h5"):
        entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 134}
    return entry


def _references(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
    place = "tags" if kind == "tags" else "heads"
    return [
        {"name": name, "ref": f"refs/{place}/{name}", "targetCommit": oid}
        for name, oid in names.items()
    ]


def _git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
