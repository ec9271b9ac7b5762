// The attribute arguments of map, sort, selectattr and their like: "a.b.0" as a way to an item of an item.
#pragma once

#include <string_view>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

class ItemPath {
 public:
  /// None: the item itself. A str is split at dots, and parts of digits are indices; an int is an index.
  ItemPath(Runtime& runtime, const Value& attribute);
  /// What lies at the end; undefined for what is not there. With `otherwise`, that in its place.
  Value get(Runtime& runtime, const Value& item, const Value* otherwise = nullptr) const;

 private:
  std::vector<Value> parts_;
};

/// A str in lower case; anything else as it is.
Value without_case(Runtime& runtime, const Value& value);

}  // namespace xlstm::text::jinja
