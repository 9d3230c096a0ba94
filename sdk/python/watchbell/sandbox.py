"""Prepares the interpreter inside a component. It has no clock, no files, no network and no randomness: there, Python
would end without a word. Here each of them gets an answer or an exception with a sentence.
"""
import _strptime  # noqa: F401 (`strptime` would import it while the rule runs)
import builtins
import datetime
import importlib.abc
import io
import linecache
import logging
import os
import random
import sys
import time

# The clock, in milliseconds; 1970 outside of a run.
_now = 0
_is_entered = False


def set_now(millis: int):
    """What the clock says: the end of the window that is evaluated."""
    global _now
    _now = millis


def prepare():
    """What must be in place before a rule's modules are loaded, since they may import names."""
    _route_clock()
    _refuse_randomness()


def enter(write):
    """Called when the component is. While it was built, there were files, and a standard output.

    `write(level, message)` writes a line to the host's log; the level is one of logging's.
    """
    global _is_entered
    if not _is_entered:
        _is_entered = True
        _route_texts(write)
        _refuse_files()
        sys.meta_path.insert(0, _NoImports())


class _Lines(io.TextIOBase):
    """A stream whose lines go to the log."""

    def __init__(self, write, level):
        self._write = write
        self._level = level
        self._begun = ""

    def writable(self):
        return True

    def write(self, text):
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._write(self._level, line)
        return len(text)

    def flush(self):
        if self._begun:
            self._write(self._level, self._begun)
            self._begun = ""


class _Log(logging.Handler):
    def __init__(self, write):
        super().__init__()
        self._write = write

    def emit(self, record):
        try:
            self._write(record.levelno, self.format(record))
        except Exception as error:
            self._write(logging.ERROR, f"a line cannot be logged: {error}")


def _route_texts(write):
    sys.stdin = io.StringIO()
    sys.stdout = sys.__stdout__ = _Lines(write, logging.INFO)
    sys.stderr = sys.__stderr__ = _Lines(write, logging.WARNING)
    logging.root.handlers = [_Log(write)]
    # The host knows which levels it wants.
    logging.root.setLevel(1)
    # Tracebacks without the lines of the source: files cannot be read.
    linecache.getlines = lambda filename, module_globals=None: []
    linecache.checkcache = lambda filename=None: None
    linecache.lazycache = lambda filename, module_globals: False


def _seconds():
    return _now / 1_000


def _of_now(function):
    return lambda seconds=None: function(_seconds() if seconds is None else seconds)


def _route_clock():
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, _seconds)
        setattr(time, f"{name}_ns", lambda: int(_seconds() * 1_000) * 1_000_000)
    time.sleep = _refused("a rule cannot sleep")
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, _of_now(getattr(time, name)))
    strftime = time.strftime
    time.strftime = lambda format, of=None: strftime(format, time.gmtime() if of is None else of)
    real_date, real_datetime = datetime.date, datetime.datetime

    class _IsReal(type):
        """Instants that C code makes are instances of the original class."""

        def __instancecheck__(cls, instance):
            return isinstance(instance, real_datetime)

    class _IsRealDate(type):
        def __instancecheck__(cls, instance):
            return isinstance(instance, real_date)

    class Date(real_date, metaclass=_IsRealDate):
        @classmethod
        def today(cls):
            return cls.fromtimestamp(_seconds())

    class DateTime(real_datetime, metaclass=_IsReal):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(_seconds(), tz)

        @classmethod
        def utcnow(cls):
            return cls.fromtimestamp(_seconds(), datetime.timezone.utc).replace(tzinfo=None)

        today = classmethod(lambda cls: cls.now())

    for made, real in ((Date, real_date), (DateTime, real_datetime)):
        made.__name__ = made.__qualname__ = real.__name__
        made.__module__ = "datetime"
        setattr(datetime, real.__name__, made)


def _refuse_randomness():
    chance = _refused(
        "a rule has no randomness, so that the same rows give the same finding: use `random.Random(seed)` with a seed "
        "from the row"
    )
    os.urandom = random._urandom = chance
    for name in random.__all__:
        if not isinstance(getattr(random, name), type):
            setattr(random, name, chance)

    class Random(random.Random):
        def __init__(self, seed=None):
            if seed is None:
                chance()
            super().__init__(seed)

    random.Random = Random


def _refuse_files():
    sentence = "a rule has no files: put what it needs into a module, or read it there while it is imported"
    files = _refused(sentence, OSError)
    builtins.open = io.open = files
    for name in ("open", "listdir", "scandir", "stat", "lstat", "mkdir", "remove", "rename", "access", "getcwd"):
        if hasattr(os, name):
            setattr(os, name, files)
    os._exit = os.abort = _refused("a rule cannot end the process: raise an exception")
    network = _refused("a rule has no network", OSError)
    for module in ("_socket", "socket"):
        if module in sys.modules:
            sys.modules[module].socket = network
            sys.modules[module].getaddrinfo = network


def _refused(sentence, kind=RuntimeError):
    def refuse(*_arguments, **_named):
        raise kind(sentence)

    return refuse


class _NoImports(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        raise ImportError(f"import `{fullname}` at the top of a module: files cannot be read while a rule runs")
