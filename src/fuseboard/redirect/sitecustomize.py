"""Runs inside a strategy's own interpreter: its Alpaca clients talk to Fuseboard, unchanged.

`fuseboard run -- COMMAND` puts this file's directory first on PYTHONPATH, so every Python that the
strategy starts imports it before anything else. Once a client library has been imported, the
constructors of its clients are wrapped: whatever URL and key the strategy has hard-wired, the
client ends with the gateway's address and the key that the gateway made for this strategy. The
strategy's own key is never sent anywhere.

It fails closed. Without the gateway's address in the environment, or with a library whose clients
no longer look as expected, the interpreter stops rather than let a strategy trade past the gate.

What it cannot reach: an interpreter started with -I, -E or -S (it ignores PYTHONPATH or this file),
and clients that are not Python; those follow the APCA_* variables where they honour them.

It imports nothing of Fuseboard, because the strategy's Python (3.8 or newer) may not have it.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Mapping, NoReturn

EXIT_NOT_REDIRECTED = 78  # EX_CONFIG of sysexits.h


def _stop(why: str) -> NoReturn:
    """End this interpreter: `site` would print an error, go on, and let the strategy trade."""
    sys.stderr.write(f"fuseboard: this strategy was stopped before it could trade: {why}\n")
    sys.stderr.flush()
    os._exit(EXIT_NOT_REDIRECTED)


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        _stop(f"{name} is missing from its environment; start it with `fuseboard run -- ...`")
    return value


URL = _setting("FUSEBOARD_URL").rstrip("/")
KEY_ID = _setting("FUSEBOARD_KEY_ID")
SECRET = _setting("FUSEBOARD_SECRET")
STREAM_URL = "ws" + URL[len("http") :]


def _path_of(endpoint: object) -> str:
    """The path of a WebSocket URL: a data stream's feed is in it."""
    _, _, rest = str(getattr(endpoint, "value", endpoint)).partition("://")
    _, slash, path = rest.partition("/")
    return slash + path


def _unknown(owner: Any, what: str) -> NoReturn:
    _stop(f"{owner.__module__}.{owner.__qualname__} {what}; this release is not known")


def _set_after(owner: Any, values: Callable[[Any], Mapping[str, object]]) -> None:
    """Wrap a constructor: what `values` gives is set on the object once it is built."""
    original = owner.__init__

    @functools.wraps(original)
    def construct(self: Any, *positional: Any, **named: Any) -> None:
        original(self, *positional, **named)
        for attribute, value in values(self).items():
            if not hasattr(self, attribute):
                _unknown(owner, f"has no {attribute}")
            setattr(self, attribute, value)

    owner.__init__ = construct


def _set_arguments(owner: Any, arguments: Mapping[str, object]) -> None:
    """Wrap a constructor: it is called with these arguments, whatever its caller gave."""
    original = owner.__init__
    signature = inspect.signature(original)
    missing = [name for name in arguments if name not in signature.parameters]
    if missing:
        _unknown(owner, f"takes no {missing[0]}")

    @functools.wraps(original)
    def construct(self: Any, *positional: Any, **named: Any) -> None:
        bound = signature.bind(self, *positional, **named)
        bound.arguments.update(arguments)
        original(*bound.args, **bound.kwargs)

    owner.__init__ = construct


# --- alpaca-py ---------------------------------------------------------------------------------


def _rest(module: Any) -> None:
    values = {
        "_base_url": URL,
        "_api_key": KEY_ID,
        "_secret_key": SECRET,
        "_oauth_token": None,
    }
    _set_after(module.RESTClient, lambda _client: values)


def _trading_stream(module: Any) -> None:
    values = {"_endpoint": STREAM_URL + "/stream", "_api_key": KEY_ID, "_secret_key": SECRET}
    _set_after(module.TradingStream, lambda _stream: values)


def _data_stream(module: Any) -> None:
    def values(stream: Any) -> dict[str, object]:
        endpoint = STREAM_URL + _path_of(stream._endpoint)
        return {"_endpoint": endpoint, "_api_key": KEY_ID, "_secret_key": SECRET}

    _set_after(module.DataStream, values)


# --- alpaca-trade-api, the library before it ---------------------------------------------------


def _legacy_rest(module: Any) -> None:
    address = module.URL(URL)
    arguments = {"key_id": KEY_ID, "secret_key": SECRET, "base_url": address, "oauth": None}
    _set_arguments(module.REST, arguments)


def _legacy_async_rest(module: Any) -> None:
    arguments = {"key_id": KEY_ID, "secret_key": SECRET, "data_url": module.URL(URL)}
    _set_arguments(module.AsyncRest, arguments)


def _legacy_stream(module: Any) -> None:
    arguments = {
        "key_id": KEY_ID,
        "secret_key": SECRET,
        "base_url": module.URL(URL),
        "data_stream_url": module.URL(STREAM_URL),
    }
    _set_arguments(module.Stream, arguments)


REDIRECTS: dict[str, Callable[[Any], None]] = {
    "alpaca.common.rest": _rest,
    "alpaca.trading.stream": _trading_stream,
    "alpaca.data.live.websocket": _data_stream,
    "alpaca_trade_api.rest": _legacy_rest,
    "alpaca_trade_api.rest_async": _legacy_async_rest,
    "alpaca_trade_api.stream": _legacy_stream,
}


# --- how it gets there -------------------------------------------------------------------------


def _redirect(name: str, module: ModuleType) -> None:
    try:
        REDIRECTS[name](module)
    except AttributeError as error:
        _stop(f"{name} does not look as expected ({error}); this release is not known")


class AfterImport(importlib.abc.MetaPathFinder):
    """Finds the modules of REDIRECTS where they really are, and redirects them once executed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The real spec of a module to redirect, None for every other module."""
        if name not in REDIRECTS:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            spec: ModuleSpec | None = find_spec(name, path, target)
            if spec is not None:
                return _watched(name, spec)
        return None


def _watched(name: str, spec: ModuleSpec) -> ModuleSpec:
    """The spec, with a loader that redirects the module right after executing it."""
    loader: Any = spec.loader
    execute = loader.exec_module

    def execute_and_redirect(module: ModuleType) -> None:
        execute(module)
        _redirect(name, module)

    loader.exec_module = execute_and_redirect
    return spec


def _load_the_next_sitecustomize() -> None:
    """Python imports only one sitecustomize; run the one that this file stands before."""
    here = os.path.realpath(os.path.join(__file__, os.pardir))
    others = [place for place in sys.path if os.path.realpath(place or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, AfterImport())
for _loaded in REDIRECTS:
    if _loaded in sys.modules:
        _redirect(_loaded, sys.modules[_loaded])
_load_the_next_sitecustomize()
