#include "python/src/errors.h"

#include <nanobind/stl/string.h>

#include <cstring>
#include <future>

#include "xlstm/base/error.h"

namespace xlstm::python {
namespace {

const char* class_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "InvalidArgumentError";
    case ErrorCode::unsupported:
      return "UnsupportedError";
    case ErrorCode::not_found:
      return "NotFoundError";
    case ErrorCode::corrupt_file:
      return "CorruptFileError";
    case ErrorCode::overloaded:
      return "OverloadedError";
    case ErrorCode::cancelled:
      return "CancelledError";
    case ErrorCode::internal:
      return "InternalError";
  }
  return "Error";
}

void raise(ErrorCode code, const char* message) {
  // Looked up when it is needed: the package imports this module before it is complete itself.
  const nb::object type = nb::module_::import_("xlstm_cpp.errors").attr(class_name(code));
  const nb::str text = nb::steal<nb::str>(PyUnicode_DecodeUTF8(message, Py_ssize_t(strlen(message)), "replace"));
  PyErr_SetObject(type.ptr(), text.ptr());
}

void translate(const std::exception_ptr& fault, void*) {
  try {
    std::rethrow_exception(fault);
  } catch (const Error& error) {
    raise(error.code(), error.what());
  } catch (const std::future_error&) {  // its promise went with the engine
    raise(ErrorCode::cancelled, "[engine] expected an engine that stays open but it was closed meanwhile");
  }
}

}  // namespace

void register_errors() { nb::register_exception_translator(translate); }

void refuse_type(const std::string& name, const char* expected, nb::handle found) {
  const std::string type = nb::cast<std::string>(found.type().attr("__name__"));
  throw nb::type_error((name + ": expected " + expected + " but got " + type).c_str());
}

}  // namespace xlstm::python
