#include "python/src/arguments.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <limits>

#include "python/src/errors.h"

namespace xlstm::python {
namespace {

nb::object owned(PyObject* made) {
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

nb::object index_of(const std::string& name, nb::handle value) {
  if (PyBool_Check(value.ptr()) || !PyIndex_Check(value.ptr())) refuse_type(name, "an integer", value);
  return owned(PyNumber_Index(value.ptr()));
}

[[noreturn]] void refuse_range(const std::string& name, nb::handle value) {
  throw nb::value_error((name + ": expected an integer in range but got " + nb::str(value).c_str()).c_str());
}

bool is_list(nb::handle value) {
  return PySequence_Check(value.ptr()) && !PyUnicode_Check(value.ptr()) && !PyBytes_Check(value.ptr());
}

template <class Integer>
bool copy_array(nb::handle value, std::vector<TokenId>& ids) {
  nb::ndarray<const Integer, nb::ndim<1>, nb::c_contig, nb::device::cpu> array;
  if (!nb::try_cast(value, array, /*convert=*/false)) return false;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const Integer id = array.data()[i];
    if (id < 0 || id > Integer(std::numeric_limits<TokenId>::max())) {
      throw nb::value_error(("tokens: expected ids but got " + std::to_string(id)).c_str());
    }
    ids.push_back(static_cast<TokenId>(id));
  }
  return true;
}

}  // namespace

bool read_bool(const std::string& name, nb::handle value) {
  if (!PyBool_Check(value.ptr())) refuse_type(name, "True or False", value);
  return value.is(Py_True);
}

std::int64_t read_integer(const std::string& name, nb::handle value) {
  int overflow = 0;
  const long long read = PyLong_AsLongLongAndOverflow(index_of(name, value).ptr(), &overflow);
  if (overflow != 0) refuse_range(name, value);
  return read;
}

std::uint64_t read_unsigned(const std::string& name, nb::handle value) {
  const unsigned long long read = PyLong_AsUnsignedLongLong(index_of(name, value).ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    refuse_range(name, value);
  }
  return read;
}

double read_number(const std::string& name, nb::handle value) {
  const bool number = PyFloat_Check(value.ptr()) || PyIndex_Check(value.ptr()) || nb::hasattr(value, "__float__");
  if (!number || PyBool_Check(value.ptr())) refuse_type(name, "a number", value);
  const double read = PyFloat_AsDouble(value.ptr());
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return read;
}

std::string read_text(const std::string& name, nb::handle value) {
  if (!PyUnicode_Check(value.ptr())) refuse_type(name, "a str", value);
  return nb::cast<std::string>(value);
}

std::string read_path(const std::string& name, nb::handle value) {
  if (!PyUnicode_Check(value.ptr()) && !PyBytes_Check(value.ptr()) && !nb::hasattr(value, "__fspath__")) {
    refuse_type(name, "a path", value);
  }
  PyObject* encoded = nullptr;
  if (PyUnicode_FSConverter(value.ptr(), &encoded) == 0) throw nb::python_error();
  const nb::object bytes = nb::steal(encoded);
  return {PyBytes_AS_STRING(encoded), std::size_t(PyBytes_GET_SIZE(encoded))};
}

TokenId read_id(const std::string& name, nb::handle value) {
  const std::int64_t id = read_integer(name, value);
  if (id < std::numeric_limits<TokenId>::min() || id > std::numeric_limits<TokenId>::max()) refuse_range(name, value);
  return static_cast<TokenId>(id);
}

std::vector<TokenId> read_ids(const std::string& name, nb::handle value) {
  std::vector<TokenId> ids;
  if (nb::ndarray_check(value)) {
    if (copy_array<std::int32_t>(value, ids) || copy_array<std::int64_t>(value, ids)) return ids;
  }
  if (!is_list(value)) refuse_type(name, "a sequence of ids", value);
  for (const nb::handle item : nb::borrow<nb::sequence>(value)) ids.push_back(read_id(name, item));
  return ids;
}

std::vector<std::string> read_texts(const std::string& name, nb::handle value) {
  if (PyUnicode_Check(value.ptr())) return {read_text(name, value)};
  if (!is_list(value)) refuse_type(name, "a str or a sequence of them", value);
  std::vector<std::string> texts;
  for (const nb::handle item : nb::borrow<nb::sequence>(value)) texts.push_back(read_text(name, item));
  return texts;
}

}  // namespace xlstm::python
