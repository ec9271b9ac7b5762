#include "xlstm/text/jinja/filters.h"

#include <algorithm>

namespace xlstm::text::jinja {
namespace {

// Jinja's other filters.
constexpr std::string_view kUnsupported[] = {"e",       "escape",   "filesizeformat", "forceescape",
                                             "groupby", "pprint",   "random",         "striptags",
                                             "urlize",  "wordwrap", "xmlattr"};

FilterFunction find(std::string_view name) {
  for (const auto table : {find_string_filter, find_sequence_filter, find_selection_filter, find_value_filter}) {
    if (const FilterFunction filter = table(name)) return filter;
  }
  return nullptr;
}

}  // namespace

bool is_filter(const std::string& name) { return find(name) != nullptr; }

std::string unknown_filter(const std::string& name) {
  const bool known = std::find(std::begin(kUnsupported), std::end(kUnsupported), name) != std::end(kUnsupported);
  if (known) return "the filter " + name + " is not supported";
  return "expected a filter but got \"" + name.substr(0, 48) + '"';
}

Value apply_filter(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments) {
  const FilterFunction filter = find(name);
  if (filter == nullptr) runtime.fail(unknown_filter(name));
  return filter(runtime, input, arguments);
}

}  // namespace xlstm::text::jinja
