"""One Cython module of functions that call each other, from their own source.

Theory of operation. Each function becomes a C function with the body that it has in its module;
only these things are written another way:

- a call of a function that is fused too is a C call. A call of a method of that name asks for the
  exact class of its receiver first, and calls as anyone would where it is another;
- reading and writing a field, calling a method and making a Struct go through `fields.h`, and what
  dictionaries, lists and tuples hold is asked for by `holders.h`;
- what a module defines or imports otherwise is looked up once, when this module is loaded;
- whole numbers are compared and computed by `numbers.h`, several at once by `shapes.py`;
- an f-string is joined by `texts.h`, which hashes a text by the function behind hashlib's sha256.

So nothing of what is decided is written twice. What cannot be written this way is refused.
"""

from typing import Final

from compiled.shapes import c_function
from compiled.whole import Fused, Whole, whole_of
from compiled.writer import written

_DIRECTIVES: Final = "# cython: language_level=3, infer_types=False, annotation_typing=False"
_DECLARED: Final = '''cimport cython

cdef extern from *:
    """
    #include "fields.h"
    {joins}
    """
    ctypedef struct Place:
        pass
    ctypedef struct Sender:
        pass
    ctypedef struct Member:
        pass
    ctypedef struct Maker:
        pass
    object x_field "field"(Place *, object, object)
    object x_field2 "field2"(Place *, Place *, object, object, object)
    int x_field_set "field_set"(Place *, object, object, object) except -1
    object x_member_value "member_value"(Member *, object)
    object x_method0 "method0"(Sender *, object, object)
    object x_method1 "method1"(Sender *, object, object, object)
    object x_method2 "method2"(Sender *, object, object, object, object)
    object x_method3 "method3"(Sender *, object, object, object, object, object)
    object x_get1 "get1"(Sender *, object, object, object)
    object x_get2 "get2"(Sender *, object, object, object, object)
    bint x_within "within"(object, object) except -1
    object x_item "item"(object, object)
    object x_as_tuple "as_tuple"(object)
    int x_item_set "item_set"(object, object, object) except -1
    object x_first "first"(object)
    Py_ssize_t x_length "length"(object) except -1
    bint x_holds "holds"(object) except -1
    bint x_less "less"(object, object) except -1
    bint x_at_most "at_most"(object, object) except -1
    bint x_more "more"(object, object) except -1
    bint x_at_least "at_least"(object, object) except -1
    bint x_equal "equal"(object, object) except -1
    bint x_unequal "unequal"(object, object) except -1
    bint x_length_less "length_less"(Py_ssize_t, object) except -1
    bint x_length_at_most "length_at_most"(Py_ssize_t, object) except -1
    bint x_length_more "length_more"(Py_ssize_t, object) except -1
    bint x_length_at_least "length_at_least"(Py_ssize_t, object) except -1
    bint x_length_equal "length_equal"(Py_ssize_t, object) except -1
    bint x_length_unequal "length_unequal"(Py_ssize_t, object) except -1
    object x_plus "plus"(object, object)
    object x_minus "minus"(object, object)
    object x_times "times"(object, object)
    object x_quotient "quotient"(object, object)
    object x_remainder "remainder_of"(object, object)
    bint x_has_rest "has_rest"(object, object) except -1
    object x_part "part"(object, Py_ssize_t, Py_ssize_t)
    void x_sha256_find "sha256_find"()
    object x_sha256_hex "sha256_hex"(object, object, object)
'''


def fused(asked: list[Fused]) -> str:
    """The Cython source of these functions. Raises `Refused`."""
    whole = whole_of(asked)
    bodies = [written(whole, at) for at in asked]
    sends = [_send(whole, name, count) for name, count in whole.sends]
    return "\n\n".join([_DIRECTIVES, _declared(whole), _known(whole), *sends, *bodies]) + "\n"


def _send(whole: Whole, name: str, count: int) -> str:
    """The C function that calls a method of this name, by its receiver's class."""
    letters = [f"a{number}" for number in range(count)]
    typed = ", ".join(f"object {letter}" for letter in ("of", *letters))
    lines = [f"cdef inline object send{count}_{name}({typed}):"]
    for at in whole.meant(name, count):
        kind = whole.known_name(at.module.__name__, at.kind)
        lines.append(f"    if type(of) is {kind}:")
        lines.append(f"        return {at.c_name}({', '.join(('of', *letters))})")
    return "\n".join([*lines, f"    return of.{name}({', '.join(letters)})"])


def _declared(whole: Whole) -> str:
    """The helpers, what joins the parts of each kind of f-string, and what computes each shape."""
    joins, declared = [], []
    for pieces, name in whole.joins.items():
        count = len(pieces)
        letters = [f"a{number}" for number in range(count)]
        typed = ", ".join(f"PyObject *{letter}" for letter in letters)
        meant = ", ".join(f"{{{start}, {end}}}" for start, end in pieces)
        joins.append(
            f"static inline PyObject *{name}({typed}) {{\n"
            f"      PyObject *parts[] = {{{', '.join(letters)}}};\n"
            f"      static const Piece pieces[] = {{{meant}}};\n"
            f"      return joined_parts(parts, pieces, {count});\n    }}"
        )
        declared.append(f"    object {name}({', '.join(['object'] * count)})")
    for count, name in whole.makers.items():
        letters = [f"a{number}" for number in range(count)]
        typed = ", ".join(f"PyObject *{letter}" for letter in letters)
        joins.append(
            f"static inline PyObject *{name}(Maker *place, PyObject *kind, {typed}) {{\n"
            f"      PyObject *args[] = {{{', '.join(letters)}}};\n"
            f"      return made_of(place, kind, args, {count});\n    }}"
        )
        declared.append(f"    object {name}(Maker *, {', '.join(['object'] * (count + 1))})")
    for shape, name in whole.shapes.items():
        made, seen = c_function(name, shape)
        joins.append(made)
        declared.append(seen)
    return _DECLARED.format(joins="\n    ".join(joins)) + "\n".join(declared)


def _known(whole: Whole) -> str:
    """What is looked up when the module is loaded, and the places that remember classes."""
    modules = dict.fromkeys(module for module, _ in whole.known)
    lines = ["import sys as _sys", *(f"import {module}" for module in modules)]
    lines += [
        f"cdef object {name} = _sys.modules[{module!r}].{wanted}"
        for (module, wanted), name in whole.known.items()
    ]
    lines += [f"cdef {kind} p{number}" for number, kind in enumerate(whole.places)]
    return "\n".join([*lines, "x_sha256_find()"])
