// Python values as arguments: a wrong type is a TypeError that names the argument, never a silent conversion.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <vector>

#include "xlstm/base/token_id.h"

namespace nb = nanobind;

namespace xlstm::python {

bool read_bool(const std::string& name, nb::handle value);
/// An int, or what stands for one (numpy's). Errors: ValueError beyond 64 bits.
std::int64_t read_integer(const std::string& name, nb::handle value);
/// The same from 0 to 2^64 - 1.
std::uint64_t read_unsigned(const std::string& name, nb::handle value);
double read_number(const std::string& name, nb::handle value);
std::string read_text(const std::string& name, nb::handle value);
/// A str or an os.PathLike.
std::string read_path(const std::string& name, nb::handle value);
/// One id. Whether it is in the vocabulary the engine says. Errors: ValueError beyond 32 bits.
TokenId read_id(const std::string& name, nb::handle value);
/// A sequence of ids or a numpy array [T] of integers.
std::vector<TokenId> read_ids(const std::string& name, nb::handle value);
/// A text or a sequence of texts.
std::vector<std::string> read_texts(const std::string& name, nb::handle value);

}  // namespace xlstm::python
