/* What holds other things, as generated code asks it: dictionaries above all. `fields.h` is before it. */

#define Py_BUILD_CORE
#include <internal/pycore_dict.h>
#undef Py_BUILD_CORE

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
