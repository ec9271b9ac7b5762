// How each file of filters lists its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "xlstm/text/jinja/filters.h"

namespace xlstm::text::jinja {

struct FilterEntry {
  std::string_view name;
  FilterFunction function;
};

template <std::size_t N>
FilterFunction find_filter(const FilterEntry (&table)[N], std::string_view name) {
  const auto* found = std::find_if(table, table + N, [&](const FilterEntry& entry) { return entry.name == name; });
  return found == table + N ? nullptr : found->function;
}

}  // namespace xlstm::text::jinja
