// Arguments of a built-in function by the names of its parameters.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// Binds a call as Python does: by place, then by name. Fails for too many, unknown, doubled or missing ones; `what`
/// names the function in the message.
class Bound {
 public:
  Bound(Runtime& runtime, std::string_view what, const Arguments& arguments,
        std::initializer_list<std::string_view> names, std::size_t num_required = 0);

  /// Null when it was not given.
  const Value* operator[](std::size_t index) const { return values_[index]; }
  Value get(std::size_t index, Value otherwise) const {
    return values_[index] != nullptr ? *values_[index] : otherwise;
  }
  bool truth(std::size_t index, bool otherwise = false) const {
    return values_[index] != nullptr ? jinja::truth(*values_[index]) : otherwise;
  }
  std::int64_t integer(std::size_t index, std::int64_t otherwise) const;
  std::string text(std::size_t index, std::string_view otherwise) const;
  /// Given, and not None.
  bool has(std::size_t index) const { return values_[index] != nullptr && !is_none(*values_[index]); }

 private:
  Runtime& runtime_;
  std::string what_;
  std::vector<const Value*> values_;
};

}  // namespace xlstm::text::jinja
