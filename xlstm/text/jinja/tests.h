// Jinja's tests: what stands behind "is".
#pragma once

#include <string>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

bool is_test(const std::string& name);
/// What is wrong with a name that is none.
std::string unknown_test(const std::string& name);
/// Fails for an unknown name.
bool apply_test(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments);

}  // namespace xlstm::text::jinja
