/* What generated code calls in the place of the interpreter's own look-ups.

   A field of a slotted class or of a msgspec Struct stands at a fixed offset, which the class's
   member descriptor names. Each place in the code remembers the class that it saw last, the class's
   version and the offset: what the interpreter does for its own bytecode since 3.11. A class that
   is changed gets another version, and anything else than a plain field is asked for as anyone
   would: so what is read, written or raised is the same. */

#include <Python.h>
#include <dlfcn.h>
#include <structmember.h>
#define Py_BUILD_CORE
#include <internal/pycore_dict.h>
#undef Py_BUILD_CORE

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

static Py_ssize_t index_at(PyDictKeysObject *keys, size_t at) {
  if (keys->dk_log2_size < 8) return ((int8_t *)keys->dk_indices)[at];
  if (keys->dk_log2_size < 16) return ((int16_t *)keys->dk_indices)[at];
  if (keys->dk_log2_size < 32) return ((int32_t *)keys->dk_indices)[at];
  return (Py_ssize_t)((int64_t *)keys->dk_indices)[at];
}

/* Whether a dict has a key; -1 for an error. The value is borrowed. Where all keys are texts, as nearly
   everywhere in the step, no code of Python's can run: the table is walked here as the dict walks it. */
SELDOM int found(PyObject *of, PyObject *key, PyObject **value) {
  PyDictKeysObject *keys = ((PyDictObject *)of)->ma_keys;
  if (LIKELY(keys->dk_kind == DICT_KEYS_UNICODE && PyUnicode_CheckExact(key)
             && PyUnicode_IS_COMPACT_ASCII(key))) {
    Py_hash_t known = ((PyASCIIObject *)key)->hash, hash = known == -1 ? PyObject_Hash(key) : known;
    PyDictUnicodeEntry *entries = DK_UNICODE_ENTRIES(keys);
    size_t mask = (size_t)DK_SIZE(keys) - 1, shifted = (size_t)hash, at = shifted & mask;
    Py_ssize_t length = ((PyASCIIObject *)key)->length, index;
    const void *text = (PyASCIIObject *)key + 1;
    while ((index = index_at(keys, at)) != DKIX_EMPTY) {
      PyObject *other = index < 0 ? NULL : entries[index].me_key;
      if (other == key
          || (other != NULL && ((PyASCIIObject *)other)->hash == hash
              && ((PyASCIIObject *)other)->length == length && PyUnicode_IS_COMPACT_ASCII(other)
              && memcmp((PyASCIIObject *)other + 1, text, (size_t)length) == 0)) {
        *value = entries[index].me_value;
        return 1;
      }
      shifted >>= 5; /* PERTURB_SHIFT of dictobject.c */
      at = (at * 5 + shifted + 1) & mask;
    }
    return 0;
  }
  *value = PyDict_GetItemWithError(of, key);
  return *value != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
}

/* of.get(key), of.get(key, otherwise): of a dict without a call */
INLINE PyObject *get2(Sender *place, PyObject *of, PyObject *name, PyObject *key,
                      PyObject *otherwise) {
  if (PyDict_CheckExact(of)) {
    PyObject *value;
    int is_there = found(of, key, &value);
    return is_there < 0 ? NULL : Py_NewRef(is_there ? value : otherwise);
  }
  return method2(place, of, name, key, otherwise);
}

INLINE PyObject *get1(Sender *place, PyObject *of, PyObject *name, PyObject *key) {
  if (PyDict_CheckExact(of)) return get2(place, of, name, key, Py_None);
  return method1(place, of, name, key);
}

/* at in of */
INLINE int within(PyObject *at, PyObject *of) {
  PyObject *value;
  return PyDict_CheckExact(of) ? found(of, at, &value) : PySequence_Contains(of, at);
}

/* of[at] */
SELDOM PyObject *item(PyObject *of, PyObject *at) {
  if (PyDict_CheckExact(of)) {
    PyObject *value;
    int is_there = found(of, at, &value);
    if (is_there != 0) return is_there < 0 ? NULL : Py_NewRef(value);
  } else if (PyLong_CheckExact(at) && Py_SIZE(at) >= -1 && Py_SIZE(at) <= 1
             && (PyTuple_CheckExact(of) || PyList_CheckExact(of))) {
    Py_ssize_t length = Py_SIZE(of), index = Py_SIZE(at) * (Py_ssize_t)((PyLongObject *)at)->ob_digit[0];
    if (index < 0) index += length;
    if (index >= 0 && index < length)
      return Py_NewRef((PyTuple_CheckExact(of) ? ((PyTupleObject *)of)->ob_item
                                               : ((PyListObject *)of)->ob_item)[index]);
  }
  return PyObject_GetItem(of, at);
}

/* tuple(of) */
INLINE PyObject *as_tuple(PyObject *of) {
  return PyList_CheckExact(of) ? PyList_AsTuple(of) : PySequence_Tuple(of);
}

/* of[at] = value */
INLINE int item_set(PyObject *of, PyObject *at, PyObject *value) {
  return PyDict_CheckExact(of) ? PyDict_SetItem(of, at, value) : PyObject_SetItem(of, at, value);
}

/* next(iter(of)) */
SELDOM PyObject *first(PyObject *of) {
  Py_ssize_t at = 0;
  PyObject *found, *each;
  if (PyDict_CheckExact(of) && PyDict_Next(of, &at, &found, NULL)) return Py_NewRef(found);
  each = PyObject_GetIter(of);
  if (each == NULL) return NULL;
  found = PyIter_Next(each);
  Py_DECREF(each);
  if (found == NULL && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
  return found;
}

/* len(of) */
INLINE Py_ssize_t length(PyObject *of) {
  if (PyDict_CheckExact(of)) return PyDict_GET_SIZE(of);
  if (PyList_CheckExact(of)) return PyList_GET_SIZE(of);
  return PyObject_Size(of);
}

/* bool(of) */
INLINE int holds(PyObject *of) {
  if (of == Py_True) return 1;
  if (of == Py_False || of == Py_None) return 0;
  if (PyDict_CheckExact(of)) return PyDict_GET_SIZE(of) != 0;
  if (PyLong_CheckExact(of) || PyTuple_CheckExact(of) || PyList_CheckExact(of)) return Py_SIZE(of) != 0;
  if (PyUnicode_CheckExact(of)) return PyUnicode_GET_LENGTH(of) != 0;
  return PyObject_IsTrue(of);
}

#define IS_NUMBER(of) LIKELY(PyLong_CheckExact(of) || PyBool_Check(of))

/* Whether a number has two digits of 30 bits at most, and its value. */
INLINE int is_short(PyObject *of, long long *value) {
  digit *digits = ((PyLongObject *)of)->ob_digit;
  Py_ssize_t size = IS_NUMBER(of) ? Py_SIZE(of) : 3, count = size < 0 ? -size : size;
  if (count > 2) return 0;
  *value = count == 0 ? 0 : digits[0];
  if (count == 2) *value |= (long long)digits[1] << PyLong_SHIFT;
  if (size < 0) *value = -*value;
  return 1;
}

/* The same of four digits. */
INLINE int is_wide(PyObject *of, __int128 *value) {
  digit *digits = ((PyLongObject *)of)->ob_digit;
  Py_ssize_t size = IS_NUMBER(of) ? Py_SIZE(of) : 5, count = size < 0 ? -size : size;
  unsigned long long low, high = 0;
  if (count > 4) return 0;
  low = count == 0 ? 0 : digits[0];
  if (count > 1) low |= (unsigned long long)digits[1] << PyLong_SHIFT;
  if (count > 2) high = digits[2];
  if (count > 3) high |= (unsigned long long)digits[3] << PyLong_SHIFT;
  *value = (__int128)((unsigned __int128)high << 2 * PyLong_SHIFT | low);
  if (size < 0) *value = -*value;
  return 1;
}

/* A number of so many digits, of which none is written. */
INLINE PyLongObject *number_new(Py_ssize_t size) {
  size_t bytes = offsetof(PyLongObject, ob_digit) + (size_t)size * sizeof(digit);
  PyLongObject *made = PyObject_Malloc(bytes);
  if (made == NULL) return (PyLongObject *)PyErr_NoMemory();
  Py_SET_REFCNT(made, 1);
  Py_SET_TYPE(made, &PyLong_Type);
  Py_SET_SIZE(made, size);
  return made;
}

/* The number of a value. */
SELDOM PyObject *number_of(__int128 value) {
  unsigned __int128 left = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
  unsigned long long high = (unsigned long long)(left >> 2 * PyLong_SHIFT);
  Py_ssize_t size, at;
  PyLongObject *made;
  if (!(left >> PyLong_SHIFT)) return PyLong_FromLong((long)value);
  size = high == 0 ? 2 : !(high >> PyLong_SHIFT) ? 3 : !(high >> 2 * PyLong_SHIFT) ? 4 : 5;
  made = number_new(size);
  if (made == NULL) return NULL;
  for (at = 0; at < size; at++, left >>= PyLong_SHIFT) made->ob_digit[at] = (digit)(left & PyLong_MASK);
  if (value < 0) Py_SET_SIZE(made, -size);
  return (PyObject *)made;
}

/* Whole numbers, in small functions: what is generated for any two objects is a hundred times
   longer, and an order goes through it once. */

static int compared(PyObject *a, PyObject *b) { /* both are whole numbers */
  Py_ssize_t size = Py_SIZE(a), at = size < 0 ? -size : size;
  if (size != Py_SIZE(b)) return size < Py_SIZE(b) ? -1 : 1;
  while (--at >= 0) {
    digit left = ((PyLongObject *)a)->ob_digit[at], right = ((PyLongObject *)b)->ob_digit[at];
    if (left != right) return (left < right) == (size > 0) ? -1 : 1;
  }
  return 0;
}

SELDOM int compared_slowly(PyObject *a, PyObject *b, int how) {
  PyObject *found = PyObject_RichCompare(a, b, how);
  int truth;
  if (found == NULL) return -1;
  truth = PyObject_IsTrue(found);
  Py_DECREF(found);
  return truth;
}

#define ARE_NUMBERS(a, b) LIKELY(PyLong_CheckExact(a) && PyLong_CheckExact(b))
#define COMPARES(name, sign, how)                                        \
  SELDOM int name(PyObject *a, PyObject *b) {                            \
    if (ARE_NUMBERS(a, b)) return compared(a, b) sign 0;                 \
    return compared_slowly(a, b, how);                                   \
  }
COMPARES(less, <, Py_LT)
COMPARES(at_most, <=, Py_LE)
COMPARES(more, >, Py_GT)
COMPARES(at_least, >=, Py_GE)
COMPARES(equal, ==, Py_EQ)
COMPARES(unequal, !=, Py_NE)

/* len(of) < b and its like, without a number made of the length */
#define COMPARES_LENGTH(name, sign, how)                                 \
  SELDOM int name(Py_ssize_t length, PyObject *b) {                      \
    PyObject *a;                                                         \
    int truth;                                                           \
    long long most;                                                      \
    if (LIKELY(is_short(b, &most))) return length sign most;             \
    a = PyLong_FromSsize_t(length);                                      \
    if (a == NULL) return -1;                                            \
    truth = compared_slowly(a, b, how);                                  \
    Py_DECREF(a);                                                        \
    return truth;                                                        \
  }
COMPARES_LENGTH(length_less, <, Py_LT)
COMPARES_LENGTH(length_at_most, <=, Py_LE)
COMPARES_LENGTH(length_more, >, Py_GT)
COMPARES_LENGTH(length_at_least, >=, Py_GE)
COMPARES_LENGTH(length_equal, ==, Py_EQ)
COMPARES_LENGTH(length_unequal, !=, Py_NE)

/* a + b of numbers above 0, digit by digit; a has as many as b or more */
INLINE PyObject *sum_of(PyLongObject *a, PyLongObject *b) {
  Py_ssize_t most = Py_SIZE(a), least = Py_SIZE(b), at;
  digit carried = 0;
  PyLongObject *made;
  if (most == 1) return PyLong_FromLong((long)a->ob_digit[0] + (long)b->ob_digit[0]);
  made = number_new(most + 1);
  if (made == NULL) return NULL;
  for (at = 0; at < most; at++) {
    carried += a->ob_digit[at] + (at < least ? b->ob_digit[at] : 0);
    made->ob_digit[at] = carried & PyLong_MASK;
    carried >>= PyLong_SHIFT;
  }
  made->ob_digit[most] = carried;
  Py_SET_SIZE(made, most + (Py_ssize_t)carried);
  return (PyObject *)made;
}

/* a + b, a - b, a * b: what fits is computed in 128 bits */
SELDOM PyObject *plus(PyObject *a, PyObject *b) {
  __int128 left, right;
  if (ARE_NUMBERS(a, b) && Py_SIZE(a) > 0 && Py_SIZE(b) > 0)
    return Py_SIZE(a) < Py_SIZE(b) ? sum_of((PyLongObject *)b, (PyLongObject *)a)
                                   : sum_of((PyLongObject *)a, (PyLongObject *)b);
  return LIKELY(is_wide(a, &left) && is_wide(b, &right)) ? number_of(left + right) : PyNumber_Add(a, b);
}

SELDOM PyObject *minus(PyObject *a, PyObject *b) {
  __int128 left, right;
  return LIKELY(is_wide(a, &left) && is_wide(b, &right)) ? number_of(left - right)
                                                         : PyNumber_Subtract(a, b);
}

SELDOM PyObject *times(PyObject *a, PyObject *b) {
  long long left, right;
  return LIKELY(is_short(a, &left) && is_short(b, &right)) ? number_of((__int128)left * right)
                                                           : PyNumber_Multiply(a, b);
}

/* a // b, a % b, of what is not below 0 in 128 bits */
INLINE int are_counts(PyObject *a, PyObject *b, __int128 *left, __int128 *right) {
  return LIKELY(is_wide(a, left) && is_wide(b, right) && *left >= 0 && *right > 0);
}

SELDOM PyObject *quotient(PyObject *a, PyObject *b) {
  __int128 left, right;
  if (!are_counts(a, b, &left, &right)) return PyNumber_FloorDivide(a, b);
  if (!((left | right) >> 63)) return number_of((long long)left / (long long)right);
  return number_of((__int128)((unsigned __int128)left / (unsigned __int128)right));
}

SELDOM PyObject *remainder_of(PyObject *a, PyObject *b) {
  __int128 left, right;
  if (!are_counts(a, b, &left, &right)) return PyNumber_Remainder(a, b);
  if (!((left | right) >> 63)) return number_of((long long)left % (long long)right);
  return number_of((__int128)((unsigned __int128)left % (unsigned __int128)right));
}

/* Whether a % b is anything. */
SELDOM int has_rest(PyObject *a, PyObject *b) {
  long long left, right;
  PyObject *rest;
  int truth;
  if (LIKELY(is_short(a, &left) && is_short(b, &right) && right != 0)) return left % right != 0;
  rest = PyNumber_Remainder(a, b);
  if (rest == NULL) return -1;
  truth = PyObject_IsTrue(rest);
  Py_DECREF(rest);
  return truth;
}

/* What shapes (`compiled/shapes.py`) do otherwise; a and b go, and are NULL after an error. */
SELDOM PyObject *both_computed(binaryfunc how, PyObject *a, PyObject *b) {
  PyObject *made = PyErr_Occurred() ? NULL : how(a, b);
  Py_XDECREF(a);
  Py_XDECREF(b);
  return made;
}

SELDOM int both_compared(PyObject *a, PyObject *b, int how) {
  int truth = PyErr_Occurred() ? -1 : compared_slowly(a, b, how);
  Py_XDECREF(a);
  Py_XDECREF(b);
  return truth;
}

/* of[start:end] of a text; both count from its beginning */
INLINE PyObject *part(PyObject *of, Py_ssize_t start, Py_ssize_t end) {
  if (PyUnicode_CheckExact(of)) return PyUnicode_Substring(of, start, end);
  return PySequence_GetSlice(of, start, end);
}

/* The hash behind hashlib's, where this process has it: two copies of its state and two objects less
   than through that. The state is an SHA256_CTX of OpenSSL, of 112 bytes. */
typedef struct {
  unsigned long long state[32];
} Hashing;

static int (*sha256_begin)(Hashing *), (*sha256_take)(Hashing *, const void *, size_t);
static int (*sha256_end)(unsigned char *, Hashing *);

static void sha256_find(void) {
  void *library = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL) return;
  sha256_begin = dlsym(library, "SHA256_Init");
  sha256_take = dlsym(library, "SHA256_Update");
  sha256_end = dlsym(library, "SHA256_Final");
}

static PyObject *sha256_slowly(PyObject *sha256, PyObject *of, PyObject *then) {
  PyObject *encoded = PyObject_CallMethod(then, "encode", NULL), *all, *hashed, *text;
  if (encoded == NULL) return NULL;
  all = PyNumber_Add(of, encoded);
  Py_DECREF(encoded);
  if (all == NULL) return NULL;
  hashed = PyObject_CallOneArg(sha256, all);
  Py_DECREF(all);
  if (hashed == NULL) return NULL;
  text = PyObject_CallMethod(hashed, "hexdigest", NULL);
  Py_DECREF(hashed);
  return text;
}

/* sha256(of + then.encode()).hexdigest() */
SELDOM PyObject *sha256_hex(PyObject *sha256, PyObject *of, PyObject *then) {
  PyObject *text;
  if (LIKELY(sha256_begin && sha256_take && sha256_end && PyBytes_CheckExact(of)
             && PyUnicode_CheckExact(then) && PyUnicode_IS_COMPACT_ASCII(then))) {
    Hashing hashing;
    unsigned char digest[32];
    if (sha256_begin(&hashing)
        && sha256_take(&hashing, PyBytes_AS_STRING(of), (size_t)PyBytes_GET_SIZE(of))
        && sha256_take(&hashing, PyUnicode_DATA(then), (size_t)PyUnicode_GET_LENGTH(then))
        && sha256_end(digest, &hashing)) {
      unsigned char *at;
      int number;
      text = PyUnicode_New(2 * sizeof digest, 127);
      if (text == NULL) return NULL;
      at = PyUnicode_1BYTE_DATA(text);
      for (number = 0; number < (int)sizeof digest; number++) {
        *at++ = "0123456789abcdef"[digest[number] >> 4];
        *at++ = "0123456789abcdef"[digest[number] & 15];
      }
      return text;
    }
  }
  return sha256_slowly(sha256, of, then);
}

#define TEXT_MAX 1024

typedef struct {
  Py_ssize_t start, end; /* what of a part is meant, as of[start:end]; an end of -1: the part itself */
} Piece;

SELDOM PyObject *joined_slowly(PyObject **parts, const Piece *pieces, int count) {
  PyObject *empty = PyUnicode_New(0, 0), *list = PyList_New(count), *text = NULL;
  int number;
  if (empty == NULL || list == NULL) goto done;
  for (number = 0; number < count; number++) {
    Piece piece = pieces[number];
    PyObject *meant = piece.end < 0 ? Py_NewRef(parts[number])
                                    : part(parts[number], piece.start, piece.end);
    PyObject *shown = meant == NULL ? NULL : PyObject_Format(meant, NULL);
    Py_XDECREF(meant);
    if (shown == NULL) goto done;
    PyList_SET_ITEM(list, number, shown);
  }
  text = PyUnicode_Join(empty, list);
done:
  Py_XDECREF(empty);
  Py_XDECREF(list);
  return text;
}

/* The f-string of these parts: texts, pieces of texts, whole numbers and None are written side by
   side. */
SELDOM PyObject *joined_parts(PyObject **parts, const Piece *pieces, int count) {
  char text[TEXT_MAX], digits[24];
  Py_ssize_t size = 0;
  PyObject *result;
  int number;
  for (number = 0; number < count; number++) {
    PyObject *part = parts[number];
    Piece piece = pieces[number];
    const char *from = digits;
    Py_ssize_t long_is;
    if (PyUnicode_CheckExact(part) && PyUnicode_IS_COMPACT_ASCII(part)) {
      from = (const char *)PyUnicode_DATA(part);
      long_is = PyUnicode_GET_LENGTH(part);
      if (piece.end >= 0) {
        if (piece.end < long_is) long_is = piece.end;
        long_is = piece.start < long_is ? long_is - piece.start : 0;
        from += piece.start;
      }
    } else if (piece.end >= 0) {
      return joined_slowly(parts, pieces, count);
    } else if (part == Py_None) {
      from = "None";
      long_is = 4;
    } else if (PyLong_CheckExact(part)) {
      int beyond;
      long long value = PyLong_AsLongLongAndOverflow(part, &beyond);
      char *at = digits + sizeof digits;
      unsigned long long left = (unsigned long long)value;
      if (beyond || value < 0) return joined_slowly(parts, pieces, count);
      do *--at = (char)('0' + left % 10); while (left /= 10);
      from = at;
      long_is = digits + sizeof digits - at;
    } else {
      return joined_slowly(parts, pieces, count);
    }
    if (long_is > TEXT_MAX - size) return joined_slowly(parts, pieces, count);
    memcpy(text + size, from, (size_t)long_is);
    size += long_is;
  }
  result = PyUnicode_New(size, 127);
  if (result != NULL) memcpy(PyUnicode_DATA(result), text, (size_t)size);
  return result;
}
