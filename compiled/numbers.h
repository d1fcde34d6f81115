/* Whole numbers, in small functions: what is generated for any two objects is a hundred times longer,
   and an order goes through it once. `fields.h` is before it. */

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
