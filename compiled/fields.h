/* What generated code calls in the place of the interpreter's own look-ups.

   A field of a slotted class or of a msgspec Struct stands at a fixed offset, which the class's
   member descriptor names. Each place in the code remembers the class that it saw last, the class's
   version and the offset: what the interpreter does for its own bytecode since 3.11. A class that
   is changed gets another version, and anything else than a plain field is asked for as anyone
   would: so what is read, written or raised is the same. */

#include <Python.h>
#include <structmember.h>

#ifndef Py_TPFLAGS_MANAGED_DICT
#define Py_TPFLAGS_MANAGED_DICT 0
#endif
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define INLINE static inline __attribute__((always_inline, unused))
#define SELDOM static __attribute__((noinline, unused))

typedef struct {
  unsigned int version; /* of the class; 0 before the first: no two classes ever have the same */
  unsigned int offset;
  unsigned int without; /* of a class that has no such field: its objects are asked */
} Place;

typedef struct {
  unsigned int version;
  PyObject *method; /* borrowed: alive as long as the class has this version */
} Sender;

INLINE int place_known(unsigned int version, PyTypeObject *type) {
  return LIKELY(version == type->tp_version_tag && version != 0);
}

static int is_versioned(PyTypeObject *type) {
  return PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG) && type->tp_version_tag != 0;
}

SELDOM void place_learn(Place *place, PyTypeObject *type, Py_ssize_t offset) {
  if (!is_versioned(type)) return;
  if (offset == 0) {
    place->without = type->tp_version_tag;
    return;
  }
  place->version = type->tp_version_tag;
  place->offset = (unsigned int)offset;
}

/* The offset of a plain field of object type; 0 where it is anything else. */
static Py_ssize_t field_offset(PyTypeObject *type, PyObject *name, int writes) {
  PyObject *descriptor = _PyType_Lookup(type, name);
  PyMemberDef *member;
  if (descriptor == NULL || Py_TYPE(descriptor) != &PyMemberDescr_Type) return 0;
  if (!PyType_IsSubtype(type, PyDescr_TYPE(descriptor))) return 0; /* another class's: it refuses */
  member = ((PyMemberDescrObject *)descriptor)->d_member;
  if (member->type != T_OBJECT_EX || (writes && (member->flags & READONLY))) return 0;
  return member->offset;
}

SELDOM PyObject *field_learn(Place *place, PyObject *of, PyObject *name) {
  PyTypeObject *type = Py_TYPE(of);
  if (type->tp_getattro == PyObject_GenericGetAttr && !place_known(place->without, type)) {
    Py_ssize_t offset = field_offset(type, name, 0);
    place_learn(place, type, offset);
  }
  return PyObject_GetAttr(of, name);
}

/* of.name */
INLINE PyObject *field(Place *place, PyObject *of, PyObject *name) {
  if (place_known(place->version, Py_TYPE(of))) {
    PyObject *value = *(PyObject **)((char *)of + place->offset);
    if (LIKELY(value != NULL)) {
      Py_INCREF(value);
      return value;
    }
  }
  return field_learn(place, of, name);
}

/* of.first.last */
INLINE PyObject *field2(Place *place, Place *then, PyObject *of, PyObject *first, PyObject *last) {
  PyObject *between, *value;
  if (place_known(place->version, Py_TYPE(of))) {
    between = *(PyObject **)((char *)of + place->offset);
    if (LIKELY(between != NULL) && place_known(then->version, Py_TYPE(between))) {
      value = *(PyObject **)((char *)between + then->offset);
      if (LIKELY(value != NULL)) {
        Py_INCREF(value);
        return value;
      }
    }
  }
  between = field_learn(place, of, first);
  if (between == NULL) return NULL;
  value = field_learn(then, between, last);
  Py_DECREF(between);
  return value;
}

typedef struct {
  PyObject *of, *value;
} Member;

/* of._value_, of an Enum's member, which keeps it: each place remembers the member that it saw last */
INLINE PyObject *member_value(Member *place, PyObject *of) {
  if (!LIKELY(place->of == of)) {
    PyObject *value = PyObject_GetAttrString(of, "_value_");
    if (value == NULL || !PyUnicode_CheckExact(value)) return value;
    Py_XSETREF(place->of, Py_NewRef(of));
    Py_XSETREF(place->value, value);
  }
  return Py_NewRef(place->value);
}

/* Whether a class is a Struct's that the garbage collector does not follow and that has no setter of
   its own in Python: one that is not frozen sets as any object does, a frozen one refuses. */
static int is_struct(PyTypeObject *type) {
  static PyObject *name;
  PyObject *setter;
  if (name == NULL) name = PyUnicode_InternFromString("__setattr__");
  setter = name == NULL ? NULL : _PyType_Lookup(type, name);
  return !PyType_IS_GC(type) && setter != NULL && Py_TYPE(setter) == &PyWrapperDescr_Type
      && PyObject_HasAttrString((PyObject *)type, "__struct_fields__");
}

SELDOM int field_learn_set(Place *place, PyObject *of, PyObject *name, PyObject *value) {
  PyTypeObject *type = Py_TYPE(of);
  Py_ssize_t offset = 0;
  if (PyObject_SetAttr(of, name, value) < 0) return -1; /* a frozen Struct refuses */
  if (place_known(place->without, type)) return 0;
  if (type->tp_setattro == PyObject_GenericSetAttr || is_struct(type))
    offset = field_offset(type, name, 1);
  place_learn(place, type, offset);
  return 0;
}

/* of.name = value */
INLINE int field_set(Place *place, PyObject *of, PyObject *name, PyObject *value) {
  if (place_known(place->version, Py_TYPE(of))) {
    PyObject **at = (PyObject **)((char *)of + place->offset), *before = *at;
    Py_INCREF(value);
    *at = value;
    Py_XDECREF(before);
    return 0;
  }
  return field_learn_set(place, of, name, value);
}

SELDOM PyObject *method_learn(Sender *place, PyObject *name, PyObject **args, Py_ssize_t count) {
  PyTypeObject *type = Py_TYPE(args[0]);
  if (type->tp_getattro == PyObject_GenericGetAttr && type->tp_dictoffset == 0
      && !PyType_HasFeature(type, Py_TPFLAGS_MANAGED_DICT)) { /* nothing can stand before it */
    PyObject *method = _PyType_Lookup(type, name);
    if (method != NULL && PyType_HasFeature(Py_TYPE(method), Py_TPFLAGS_METHOD_DESCRIPTOR))
      if (is_versioned(type)) {
        place->version = type->tp_version_tag;
        place->method = method;
      }
  }
  return PyObject_VectorcallMethod(name, args, (size_t)count, NULL);
}

/* args[0].name(*args[1:]) */
INLINE PyObject *method(Sender *place, PyObject *name, PyObject **args, Py_ssize_t count) {
  if (place_known(place->version, Py_TYPE(args[0])))
    return PyObject_Vectorcall(place->method, args, (size_t)count, NULL);
  return method_learn(place, name, args, count);
}

INLINE PyObject *method0(Sender *place, PyObject *of, PyObject *name) {
  PyObject *args[] = {of};
  return method(place, name, args, 1);
}

INLINE PyObject *method1(Sender *place, PyObject *of, PyObject *name, PyObject *a) {
  PyObject *args[] = {of, a};
  return method(place, name, args, 2);
}

INLINE PyObject *method2(Sender *place, PyObject *of, PyObject *name, PyObject *a, PyObject *b) {
  PyObject *args[] = {of, a, b};
  return method(place, name, args, 3);
}

INLINE PyObject *method3(Sender *place, PyObject *of, PyObject *name, PyObject *a, PyObject *b,
                         PyObject *c) {
  PyObject *args[] = {of, a, b, c};
  return method(place, name, args, 4);
}

#define MADE_FIELDS_MAX 32

typedef struct {
  unsigned int version; /* of the class; 0 before the first */
  unsigned int refused; /* of a class that is not made here */
  Py_ssize_t size;      /* how many fields it has */
  PyObject *values;     /* what the last ones are where they are not given, as a tuple */
  Py_ssize_t offsets[MADE_FIELDS_MAX];
} Maker;

static PyObject *class_tuple(PyObject *kind, const char *name) {
  PyObject *of = PyObject_GetAttrString(kind, name);
  if (of != NULL && PyTuple_CheckExact(of)) return of;
  PyErr_Clear();
  Py_XDECREF(of);
  return NULL;
}

/* Remember how a Struct is made, from one that its class has made of these arguments: where it holds
   them, in the order of its fields, and the class's defaults after them, and nothing else. */
SELDOM void maker_learn(Maker *place, PyObject *kind, PyObject *made, PyObject **args, Py_ssize_t count) {
  PyTypeObject *type = (PyTypeObject *)kind;
  PyObject *fields = class_tuple(kind, "__struct_fields__");
  PyObject *values = class_tuple(kind, "__struct_defaults__");
  Py_ssize_t at, size = fields == NULL ? 0 : PyTuple_GET_SIZE(fields), first;
  int learns = values != NULL && size >= count && size <= MADE_FIELDS_MAX && is_versioned(type)
      && Py_TYPE(made) == type && !PyType_IS_GC(type) && type->tp_alloc == PyType_GenericAlloc
      && type->tp_free == PyObject_Free && type->tp_itemsize == 0
      && !PyObject_HasAttrString(kind, "__post_init__")
      && type->tp_basicsize == (Py_ssize_t)(sizeof(PyObject) + (size_t)size * sizeof(PyObject *));
  first = learns ? size - PyTuple_GET_SIZE(values) : 0;
  for (at = 0; learns && at < size; at++) {
    Py_ssize_t offset = field_offset(type, PyTuple_GET_ITEM(fields, at), 0);
    PyObject *held = at < count ? args[at] : at < first ? NULL : PyTuple_GET_ITEM(values, at - first);
    learns = offset != 0 && held != NULL && *(PyObject **)((char *)made + offset) == held;
    place->offsets[at] = offset;
  }
  if (learns) {
    Py_XSETREF(place->values, PyTuple_GetSlice(values, count - first, size - first));
    place->size = size;
    learns = place->values != NULL;
  }
  place->version = learns ? type->tp_version_tag : 0;
  place->refused = learns || !is_versioned(type) ? 0 : type->tp_version_tag;
  PyErr_Clear();
  Py_XDECREF(fields);
  Py_XDECREF(values);
}

/* kind(*args), of a Struct that the garbage collector does not follow */
SELDOM PyObject *made_of(Maker *place, PyObject *kind, PyObject **args, Py_ssize_t count) {
  PyObject *made;
  Py_ssize_t at;
  if (PyType_Check(kind) && place->version == ((PyTypeObject *)kind)->tp_version_tag && place->version) {
    made = PyObject_Malloc((size_t)((PyTypeObject *)kind)->tp_basicsize);
    if (made == NULL) return PyErr_NoMemory();
    PyObject_Init(made, (PyTypeObject *)kind);
    for (at = 0; at < count; at++)
      *(PyObject **)((char *)made + place->offsets[at]) = Py_NewRef(args[at]);
    for (; at < place->size; at++)
      *(PyObject **)((char *)made + place->offsets[at])
          = Py_NewRef(PyTuple_GET_ITEM(place->values, at - count));
    return made;
  }
  made = PyObject_Vectorcall(kind, args, (size_t)count, NULL);
  if (made != NULL && PyType_Check(kind) && (!place->refused
      || place->refused != ((PyTypeObject *)kind)->tp_version_tag))
    maker_learn(place, kind, made, args, count);
  return made;
}

#include "holders.h"
#include "numbers.h"
#include "texts.h"
