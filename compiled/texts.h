/* Texts: their pieces, their hashes and f-strings. `fields.h` is before it. */

#include <dlfcn.h>

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
