#include "xlstm/text/jinja/filter_table.h"
#include "xlstm/text/jinja/item_path.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::string_view kGenerator = "generator";

// map(attribute="a", default=b)
Value map_attribute(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value* attribute = nullptr;
  const Value* otherwise = nullptr;
  for (const auto& [name, value] : arguments.named) {
    if (name != "attribute" && name != "default") runtime.fail("expected no argument ", name, " of map but got one");
    (name == "attribute" ? attribute : otherwise) = &value;
  }
  if (attribute == nullptr) runtime.fail("expected the name of a filter, or an attribute, of map but got none");
  if (otherwise != nullptr && is_none(*otherwise)) otherwise = nullptr;
  const ItemPath path(runtime, *attribute);
  std::vector<Value> result;
  for (const Value& item : items_of(runtime, input)) result.push_back(path.get(runtime, item, otherwise));
  return runtime.iterator(kGenerator, std::move(result));
}

Value map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!truth(input)) return runtime.iterator(kGenerator, {});
  if (arguments.positional.empty()) return map_attribute(runtime, input, arguments);
  const std::string& filter = expect_text(runtime, arguments.positional[0], "the name of a filter");
  const Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()}, arguments.named};
  std::vector<Value> result;
  for (const Value& item : items_of(runtime, input)) {
    result.push_back(runtime.named_calls->call_filter(filter, item, rest));
  }
  return runtime.iterator(kGenerator, std::move(result));
}

// select, reject and, with an attribute in front, selectattr and rejectattr.
template <bool kWanted, bool kByAttribute>
Value select(Runtime& runtime, const Value& input, const Arguments& arguments) {
  if (!truth(input)) return runtime.iterator(kGenerator, {});
  const std::size_t first = kByAttribute ? 1 : 0;
  if (arguments.positional.size() < first) runtime.fail("expected the name of an attribute but got none");
  const ItemPath path(runtime, kByAttribute ? arguments.positional[0] : Value(None{}));
  const bool has_test = arguments.positional.size() > first;
  Arguments rest;
  std::string test;
  if (has_test) {
    test = expect_text(runtime, arguments.positional[first], "the name of a test");
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                           arguments.positional.end());
    rest.named = arguments.named;
  }
  std::vector<Value> result;
  for (Value& item : items_of(runtime, input)) {
    const Value value = path.get(runtime, item);
    const bool passes = has_test ? runtime.named_calls->call_test(test, value, rest) : truth(value);
    if (passes == kWanted) result.push_back(std::move(item));
  }
  return runtime.iterator(kGenerator, std::move(result));
}

constexpr FilterEntry kFilters[] = {
    {"map", map},
    {"reject", select<false, false>},
    {"rejectattr", select<false, true>},
    {"select", select<true, false>},
    {"selectattr", select<true, true>},
};

}  // namespace

FilterFunction find_selection_filter(std::string_view name) { return find_filter(kFilters, name); }

}  // namespace xlstm::text::jinja
