// C++ faults as Python exceptions: the classes of xlstm_cpp/errors.py, with the message as it is.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

namespace nb = nanobind;

namespace xlstm::python {

/// From now on every Error that leaves a function of the module is the exception class of its code.
void register_errors();

/// An argument of the wrong type: "max_tokens: expected an integer but got str".
[[noreturn]] void refuse_type(const std::string& name, const char* expected, nb::handle found);

}  // namespace xlstm::python
