#include "xlstm/text/jinja/arguments.h"

#include <algorithm>

#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {

Bound::Bound(Runtime& runtime, std::string_view what, const Arguments& arguments,
             std::initializer_list<std::string_view> names, std::size_t num_required)
    : runtime_(runtime), what_(what), values_(names.size()) {
  if (arguments.positional.size() > names.size()) {
    runtime.fail("expected at most ", names.size(), " arguments of ", what, " but got ", arguments.positional.size());
  }
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto* place = std::find(names.begin(), names.end(), name);
    if (place == names.end()) runtime.fail("expected no argument ", name, " of ", what, " but got one");
    const Value*& slot = values_[static_cast<std::size_t>(place - names.begin())];
    if (slot != nullptr) runtime.fail("expected the argument ", name, " of ", what, " once but got it twice");
    slot = &value;
  }
  for (std::size_t i = 0; i < num_required; ++i) {
    if (values_[i] == nullptr)
      runtime.fail("expected an argument ", *(names.begin() + i), " of ", what, " but got none");
  }
}

std::int64_t Bound::integer(std::size_t index, std::int64_t otherwise) const {
  if (values_[index] == nullptr) return otherwise;
  expect_defined(runtime_, *values_[index]);
  return expect_int(runtime_, *values_[index], "an int as an argument of " + what_);
}

std::string Bound::text(std::size_t index, std::string_view otherwise) const {
  if (values_[index] == nullptr) return std::string(otherwise);
  return expect_text(runtime_, *values_[index], "a str as an argument of " + what_);
}

}  // namespace xlstm::text::jinja
