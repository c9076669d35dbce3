"""The directory store told to behave as an object store, every request that it would make there counted."""

import math
import threading
from collections import defaultdict
from functools import wraps

from earmark.planning.requests import Requests, get, local, put
from earmark.store.directory import Directory

TRANSFERS = 4


class Counted:
    """Requests of each step since ``step`` was set; a step's pod has fetched nothing before it begins."""

    def __init__(self, monkeypatch):
        self.step = ""
        self.found = defaultdict(Requests)
        self._inside = threading.local()
        self._lock = threading.Lock()
        self._cached = set()
        monkeypatch.setattr(Directory, "transfers", TRANSFERS)
        for name in ("put", "put_new", "get", "local", "part", "head", "list"):
            monkeypatch.setattr(Directory, name, self._counting(name, getattr(Directory, name)))

    def _counting(self, name, method):
        @wraps(method)
        def counted(store, *arguments):
            if getattr(self._inside, "busy", False):
                return method(store, *arguments)
            self._inside.busy = True
            try:
                value = method(store, *arguments)
                if name == "list":
                    value = list(value)
            except Exception:
                self._add(Requests(reads=1))  # the answer that there is none
                raise
            finally:
                self._inside.busy = False
            self._add(self._asked(name, store, arguments, value))
            return iter(value) if name == "list" else value

        return counted

    def _asked(self, name, store, arguments, value):
        if name == "put":
            return put(len(arguments[1]))
        if name == "put_new":
            return Requests(writes=1)
        if name == "get":
            return get(len(value))
        if name == "list":
            return Requests(writes=max(1, math.ceil(len(value) / 1000)))
        if name == "local":
            known = (self.step, store.uri, arguments[0])
            with self._lock:
                again = known in self._cached
                self._cached.add(known)
            return Requests(reads=1) if again else local(value.stat().st_size)
        return Requests(reads=1)

    def _add(self, requests):
        with self._lock:
            self.found[self.step] = self.found[self.step] + requests
