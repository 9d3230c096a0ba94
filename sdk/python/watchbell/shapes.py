"""Types: their JSON Schema, their values as JSON and back, and the fingerprint of a state's layout."""
import collections
import dataclasses
import hashlib
import json
import types
import typing

from .times import Duration

_SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
_LISTS = (list, tuple, set, frozenset, collections.deque)


def param(description: str, *, default=dataclasses.MISSING, keeps_state=False, names_details=False, **schema):
    """A parameter of a rule. Further arguments are members of its JSON Schema, for example `minimum=1`.

    A parameter without a default is required. A list, dict or set as default is copied for each run. `keeps_state`: an
    edit does not change what the rule means, so its state stays. `names_details`: its values are names in `details`.
    """
    if keeps_state:
        schema["x-watchbell-meaning"] = False
    if names_details:
        schema["x-watchbell-details"] = True
    metadata = {"schema": {"description": description, **schema}}
    if isinstance(default, (list, dict, set)):
        return dataclasses.field(default_factory=lambda: default.copy(), metadata=metadata, kw_only=True)
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


def schema(kind) -> dict:
    """The JSON Schema of a type."""
    if kind is typing.Any:
        return {}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if kind is Duration:
        return dict(Duration.SCHEMA)
    if dataclasses.is_dataclass(kind):
        return _object(kind)
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        # None is how an optional parameter is left out.
        left = [schema(argument) for argument in arguments if argument is not type(None)]
        return left[0] if len(left) == 1 else {"anyOf": left}
    if origin in _LISTS:
        items = {"items": schema(arguments[0])} if arguments else {}
        return {"type": "array", **items, **({"uniqueItems": True} if origin in (set, frozenset) else {})}
    if origin is dict:
        values = {"additionalProperties": schema(arguments[1])} if arguments else {}
        return {"type": "object", **values}
    raise TypeError(f"a parameter cannot be a {kind}")


def _object(kind) -> dict:
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    properties = {field.name: {**schema(hints[field.name]), **field.metadata.get("schema", {})} for field in fields}
    for field in fields:
        if field.default not in (dataclasses.MISSING, None):
            properties[field.name]["default"] = plain(field.default)
    absent = (dataclasses.MISSING, dataclasses.MISSING)
    required = [field.name for field in fields if (field.default, field.default_factory) == absent]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def read(kind, value):
    """A value of the type, of JSON."""
    if kind is Duration or kind is float:
        return kind(value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: read(hints[name], member) for name, member in value.items()})
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        chosen = [argument for argument in arguments if argument is not type(None)]
        return read(chosen[0], value) if value is not None and len(chosen) == 1 else value
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return tuple(read(argument, member) for argument, member in zip(arguments, value, strict=True))
    if origin in _LISTS:
        return origin(read(arguments[0], member) for member in value) if arguments else origin(value)
    if isinstance(origin, type) and issubclass(origin, dict) and arguments:
        name, member = arguments[0], arguments[-1]
        return origin((name(key), read(member, found)) for key, found in value.items())
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if origin in _SCALARS and type(value) is not origin:
        raise TypeError(f"{value!r} is not {_SCALARS[origin]}")
    return value


def plain(value):
    """What JSON has no type for, as JSON."""
    if isinstance(value, Duration):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (collections.deque, tuple)):
        return list(value)
    if isinstance(value, (int, float, str, bool, list, dict)) or value is None:
        return value
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def written(state) -> bytes:
    """A state as bytes. Members are in the order of their names, so that equal states are equal bytes."""
    return json.dumps(state, default=plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def layout(kind) -> str:
    """The fingerprint of a state's type: it changes with names, types and order, not with comments or methods."""
    return "python-json:" + hashlib.sha256(_described(kind, ()).encode()).hexdigest()[:32]


def _described(kind, above) -> str:
    if kind in above:
        return f"recursive {above.index(kind)}"
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        inner = (*above, kind)
        members = (f"{field.name}:{_described(hints[field.name], inner)}" for field in dataclasses.fields(kind))
        return "{" + ",".join(members) + "}"
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    name = getattr(origin, "__name__", str(origin))
    inner = ",".join(_described(argument, above) for argument in arguments)
    return f"{name}[{inner}]" if inner else name
