"""Decode bytes into models, and models into plain data. The only module that imports cattrs.

A body is structured by a fast converter, which stops at the first fault. If that fails, a detailed converter structures
it again to name the first faults and their paths. Both create their hooks when a class is first used.
"""

import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Any, Generic, NoReturn, TypeVar, Union, cast, get_args, get_origin
from uuid import UUID

import attrs
from cattrs import Converter, IterableValidationError, IterableValidationNote, transform_error
from cattrs.cols import list_structure_factory
from cattrs.cols import mapping_structure_factory as dict_structure_factory  # pyright: ignore[reportUnknownVariableType]  # cattrs leaves two of its parameters untyped
from cattrs.gen import make_dict_structure_fn

from ..errors import MAX_FAULTS, DecodeError
from ..slug import OrgSlug, ProjectSlug
from ..untrusted_text import MAX_QUOTED, quoted
from . import json_parts
from .error_bodies import MAX_BODY

__all__ = ["to_dict", "to_json"]

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_fromisoformat = datetime.fromisoformat  # looked up once: decoding spends most of its time here


@attrs.frozen(kw_only=True)
class _Envelope(Generic[T]):
    """The response of every paged call."""

    items: tuple[T, ...]
    next_page_token: str | None = None


@attrs.frozen(kw_only=True)
class _OptionalEnvelope(Generic[T]):
    """The same, for calls whose specification does not require `items`."""

    items: tuple[T, ...] = ()
    next_page_token: str | None = None


def decode(kind: type[T], body: bytes, *, method: str = "", url: str = "", in_detail: bool = True) -> T:
    """Return the body as a `kind`: a model, a list of models such as `list[Collaboration]`, or `dict[str, Any]`.

    A DELETE succeeds with any body: an unexpected one is decoded as an empty `kind`.

    Raises `DecodeError`, which lists the faulty fields, unless not `in_detail`. `method` and `url` of the request are
    kept in the error.
    """
    data = loads(body, method=method, url=url)
    if data is None:
        if method == "DELETE" or _is_confirmation(kind):  # also without a body
            return kind()
        if _is_blank(body):
            raise DecodeError(("the body is empty",), method=method, url=url)
    if method == "DELETE":
        try:
            return structure(kind, data, in_detail=False)
        except DecodeError:
            return kind()
    return structure(kind, data, body=body, method=method, url=url, in_detail=in_detail)


def structure(
    kind: type[T], data: Any, *, body: bytes = b"", method: str = "", url: str = "", in_detail: bool = True
) -> T:
    """Return plain data, as `loads` returns it, as a `kind`.

    Raises `DecodeError` as `decode` does. `body` is the source of the data, whose text the error keeps.
    """
    try:
        model: T = _fast_structure(kind)(data, kind)  # type: ignore[arg-type]  # mypy does not see that a class is hashable
        return model
    except Exception:  # noqa: BLE001  # the fast converter raises various errors for a fault
        if not in_detail:
            raise DecodeError(("the response does not match the model",)) from None
        structure_in_detail = _converter(detailed=True).get_structure_hook(kind)
    try:
        return cast(T, structure_in_detail(data, kind))
    except Exception as error:  # noqa: BLE001  # any error here is a fault of the body
        faults = tuple(map(_fault_text, transform_error(error, "$", _reason_of)))
    raise DecodeError(faults, method=method, url=url, body=_text(body))


def decode_page(
    kind: type[T],
    body: bytes,
    *,
    items_optional: bool = False,
    method: str = "",
    url: str = "",
    in_detail: bool = True,
) -> tuple[tuple[T, ...], str | None]:
    """Return the items of one page, and the token of the next page (None on the last).

    `items_optional`: a response without `items` is an empty page. Raises `DecodeError` as `decode` does;
    its `page` has the items that are not faulty.
    """
    envelope: Any = _OptionalEnvelope[kind] if items_optional else _Envelope[kind]  # type: ignore[valid-type]  # `kind` is known at run time
    try:
        page: _Envelope[T] | _OptionalEnvelope[T] = decode(envelope, body, method=method, url=url, in_detail=in_detail)
    except DecodeError as error:
        if in_detail:
            error.page = _page_without_faults(kind, body)
        raise
    return page.items, page.next_page_token or None


def _page_without_faults(kind: type[T], body: bytes) -> tuple[tuple[T, ...], str | None] | None:
    try:
        page = decode(_Envelope[Any], body)
    except DecodeError:
        return None
    items: list[T] = []
    for item in page.items:
        with suppress(Exception):
            items.append(_converter(detailed=False).structure(item, kind))
    return tuple(items), page.next_page_token or None


def loads(body: bytes, *, method: str = "", url: str = "", in_detail: bool = True) -> Any:
    """Return the body as plain data; None for an empty one. Raises `DecodeError` if it is not JSON.

    Also returns None for a response to a DELETE that is not JSON.
    """
    if _is_blank(body):
        return None
    try:
        if len(body) > json_parts.MAX_AT_ONCE:
            return json_parts.loads(_JSON, body.decode())
        return _JSON.decode(body.decode())
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except ValueError as error:  # NaN or Infinity, or more digits than Python parses
        reason = str(error)
    except RecursionError:
        reason = "nested too deeply"
    if method == "DELETE":
        return None
    text = _text(body)
    raise DecodeError((f"not JSON: {quoted(text)} ({reason})",), method=method, url=url, body=text)


def to_dict(value: Any) -> Any:
    """Return a model, a list of models or a plain value as JSON types.

    A model becomes a dict with a key for each field. Dates become ISO 8601 strings (with `Z` for UTC); enums, ids,
    slugs, paths and exceptions become strings; tuples and sets become lists.
    """
    return _unconverter().unstructure(value)


def to_json(value: Any) -> str:
    """Return `to_dict(value)` as JSON: one line, ASCII."""
    return json.dumps(to_dict(value))


def _is_confirmation(kind: Any) -> bool:
    return getattr(kind, "_IS_CONFIRMATION", False) is True


def _is_blank(body: bytes) -> bool:
    return not body or body.isspace()


def _text(body: bytes) -> str:
    return body[:MAX_BODY].decode(errors="replace")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def _structure_str(value: Any, _: Any) -> str:
    if type(value) is str:
        return value
    raise Fault("a string", value)


def _structure_int(value: Any, _: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():  # JSON has one number type: 3.0 equals 3
        return int(value)
    raise Fault("an integer", value)


def _structure_float(value: Any, _: Any) -> float:
    if type(value) is float or type(value) is int:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise Fault("a number", value)


def _structure_bool(value: Any, _: Any) -> bool:
    if type(value) is bool:
        return value
    raise Fault("true or false", value)


def _structure_datetime(value: Any, _: Any) -> datetime:
    try:
        moment = _fromisoformat(value)
        if moment.tzinfo is UTC:  # the usual case
            return moment
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)  # fails if the date cannot be converted
        return moment
    except (TypeError, ValueError, OverflowError):
        raise Fault("a date and time", value) from None


def _structure_enum(value: Any, kind: Any) -> Any:
    if type(value) is str:
        return kind._value2member_map_.get(value) or kind(value)  # equals kind(value), but faster
    raise Fault("a string", value)


def _structure_map(value: Any, _: Any) -> dict[str, Any]:
    if type(value) is dict:
        return cast(dict[str, Any], value)
    raise Fault("an object", value)


def _optional_factory(kind: Any, converter: Converter) -> Hook:
    (inner,) = (part for part in get_args(kind) if part is not NoneType)
    structure = converter.get_structure_hook(inner)

    def structure_optional(value: Any, _: Any) -> Any:
        if value is None:
            return None
        return structure(value, inner)

    return structure_optional


def _list_factory(kind: Any, converter: Converter) -> Hook:
    structure: Hook = list_structure_factory(kind, converter)
    inner = get_args(kind)[0]
    structure_item = converter.get_structure_hook(inner)
    frozen = get_origin(kind) is tuple

    def structure_list(value: Any, _: Any) -> list[Any] | tuple[Any, ...]:
        if type(value) is not list:
            raise Fault("a list", value)
        items: list[Any]
        if converter.detailed_validation:
            numbered = enumerate(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # any JSON
            items = _structure_each(numbered, structure_item, inner)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
        else:
            items = structure(value, kind)
        return tuple(items) if frozen else items

    return structure_list


def _mapping_factory(kind: Any, converter: Converter) -> Hook:
    structure = cast(Callable[[Any, Any], dict[str, Any]], dict_structure_factory(kind, converter))
    inner = get_args(kind)[1]
    structure_value = converter.get_structure_hook(inner)

    def structure_mapping(value: Any, _: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Fault("an object", value)
        given = cast(dict[str, Any], value)
        if converter.detailed_validation:
            return dict(zip(given, _structure_each(given.items(), structure_value, inner), strict=True))
        return structure(given, kind)

    return structure_mapping


def _model_factory(kind: Any, converter: Converter) -> Hook:
    fields = attrs.fields(get_origin(kind) or kind)
    structure = make_dict_structure_fn(kind, converter, _cattrs_use_linecache=False)
    optional = {field.name for field in fields if field.default is not attrs.NOTHING}
    if not converter.detailed_validation and len(optional) < len(fields) and "_" not in "".join(optional):
        # Fast path without checks: another type, or a required key spelled with a hyphen, fails for the missing key,
        # and the detailed converter handles it.
        return structure
    all_known = frozenset(field.name for field in fields).issuperset

    def structure_model(value: Any, _: Any) -> Any:
        given: dict[str, Any] = value
        if type(value) is not dict:
            raise Fault("an object", value)
        if not all_known(given) and "-" in "".join(given):
            given = {key.replace("-", "_"): item for key, item in given.items()} | given
        return structure(given, kind)

    return structure_model


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and len(get_args(kind)) == 2 and NoneType in get_args(kind)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list or (get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis)


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _is_free_map(kind: Any) -> bool:
    return _is_mapping(kind) and get_args(kind) == (str, Any)


@functools.cache
def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _structure_str)
    converter.register_structure_hook(int, _structure_int)
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook(bool, _structure_bool)
    converter.register_structure_hook(datetime, _structure_datetime)
    converter.register_structure_hook(StrEnum, _structure_enum)
    converter.register_structure_hook_factory(_is_mapping, _mapping_factory)
    converter.register_structure_hook_func(_is_free_map, _structure_map)
    converter.register_structure_hook_factory(_is_optional, _optional_factory)
    converter.register_structure_hook_factory(_is_list, _list_factory)
    converter.register_structure_hook_factory(attrs.has, _model_factory)
    return converter


@functools.cache
def _fast_structure(kind: Any) -> Hook:
    return _converter(detailed=False).get_structure_hook(kind)


def _structure_each(values: Iterable[tuple[int | str, Any]], structure: Hook, kind: Any) -> list[Any]:
    """Return the structured values of a list or map. Stops when there are more faults than an error shows."""
    structured: list[Any] = []
    errors: list[Exception] = []
    for place, value in values:
        try:
            structured.append(structure(value, kind))
        except Exception as error:  # noqa: BLE001  # any error here is a fault of the value
            error.add_note(IterableValidationNote("", place, kind))
            errors.append(error)
            if len(errors) > MAX_FAULTS:
                break
    if errors:
        raise IterableValidationError("", errors, kind)  # pyright: ignore[reportCallIssue]  # it finds the __init__ of ExceptionGroup
    return structured


class Fault(ValueError):
    """A value does not match the model. Its message is shown to the user."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, got {_describe(value)}")


def _describe(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    number = json.dumps(value)
    return number if len(number) <= MAX_QUOTED else f"{number[:MAX_QUOTED]}…"


def _reason_of(error: BaseException, _: Any) -> str:
    if isinstance(error, Fault):
        return str(error)
    return "required, but absent" if isinstance(error, KeyError) else f"invalid ({type(error).__name__})"


def _fault_text(fault: str) -> str:
    """Return the text of `transform_error`, "reason @ $.path", with the path first."""
    reason, _, path = fault.rpartition(" @ $")
    return f"${path}: {reason}"


def _unstructure_datetime(moment: datetime) -> str:
    digits = "seconds" if not moment.microsecond else "microseconds" if moment.microsecond % 1000 else "milliseconds"
    text = moment.isoformat(timespec=digits)
    return text.removesuffix("+00:00") + "Z" if moment.utcoffset() == timedelta(0) else text


@functools.cache
def _unconverter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list, Set: list})
    converter.register_unstructure_hook(datetime, _unstructure_datetime)
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_unstructure_hook(StrEnum, lambda word: word.value)
    for kind in (PurePath, UUID, OrgSlug, ProjectSlug):
        converter.register_unstructure_hook(kind, str)
    converter.register_unstructure_hook(BaseException, str)
    return converter
