#include "xlstm/text/jinja/methods.h"

#include <algorithm>
#include <span>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/function.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {
namespace {

Value dict_view(Runtime& runtime, const Value& self, const Arguments& arguments, SequenceKind kind) {
  Bound(runtime, "a method of dict", arguments, {});
  std::vector<Value> items;
  for (const auto& [key, value] : as_dict(self)->entries) {
    items.push_back(kind == SequenceKind::dict_keys     ? key
                    : kind == SequenceKind::dict_values ? value
                                                        : runtime.tuple({key, value}));
  }
  return runtime.sequence(kind, std::move(items));
}

Value dict_items(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return dict_view(runtime, self, arguments, SequenceKind::dict_items);
}
Value dict_keys(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return dict_view(runtime, self, arguments, SequenceKind::dict_keys);
}
Value dict_values(Runtime& runtime, const Value& self, const Arguments& arguments) {
  return dict_view(runtime, self, arguments, SequenceKind::dict_values);
}

Value dict_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) runtime.fail("expected no named arguments of get() but got some");
  const Bound bound(runtime, "get()", arguments, {"key", "default"}, 1);
  if (!is_hashable(*bound[0])) runtime.fail("expected a hashable key of a dict but got ", type_name(*bound[0]));
  const Value* value = find(runtime, *as_dict(self), *bound[0]);
  return value != nullptr ? *value : bound.get(1, None{});
}

// Values never change: a copy is the thing itself.
Value copy(Runtime& runtime, const Value& self, const Arguments& arguments) {
  Bound(runtime, "copy()", arguments, {});
  return self;
}

Value sequence_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "count()", arguments, {"value"}, 1);
  const auto& items = as_sequence(self)->items;
  return static_cast<std::int64_t>(
      std::count_if(items.begin(), items.end(), [&](const Value& item) { return equal(runtime, item, *bound[0]); }));
}

Value sequence_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Bound bound(runtime, "index()", arguments, {"value"}, 1);
  const auto& items = as_sequence(self)->items;
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Value& item) { return equal(runtime, item, *bound[0]); });
  if (found == items.end()) runtime.fail("expected an item that the ", type_name(self), " has but got another");
  return static_cast<std::int64_t>(found - items.begin());
}

struct Entry {
  std::string_view name;
  Method method;
};
constexpr Entry kDictMethods[] = {
    {"copy", copy}, {"get", dict_get}, {"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}};
constexpr Entry kListMethods[] = {{"copy", copy}, {"count", sequence_count}, {"index", sequence_index}};
constexpr Entry kTupleMethods[] = {{"count", sequence_count}, {"index", sequence_index}};

// What Python has besides.
constexpr std::string_view kStrOthers[] = {"casefold",  "encode",      "expandtabs", "format_map", "isidentifier",
                                           "isnumeric", "isprintable", "maketrans",  "swapcase",   "translate"};
constexpr std::string_view kDictOthers[] = {"fromkeys"};
constexpr std::string_view kRangeOthers[] = {"count", "index", "start", "step", "stop"};
constexpr std::string_view kViewOthers[] = {"isdisjoint", "mapping"};
constexpr std::string_view kNumberOthers[] = {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator",
                                              "from_bytes",       "fromhex",   "hex",        "imag",      "is_integer",
                                              "numerator",        "real",      "to_bytes"};
// What the sandbox hides, since it changes its object.
constexpr std::string_view kDictMutators[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kListMutators[] = {"append", "clear",  "extend",  "insert",
                                              "pop",    "remove", "reverse", "sort"};

bool has(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Method find_in(std::span<const Entry> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == table.end() ? nullptr : found->method;
}

// Methods of one type that exist in Python, by what becomes of them here.
struct TypeTables {
  std::span<const Entry> methods;
  std::span<const std::string_view> others;
  std::span<const std::string_view> mutators;
};

TypeTables tables_of(const Value& object) {
  if (as_text(object) != nullptr) return {{}, kStrOthers, {}};
  if (as_dict(object) != nullptr) return {kDictMethods, kDictOthers, kDictMutators};
  if (is_number(object)) return {{}, kNumberOthers, {}};
  const Sequence* sequence = as_sequence(object);
  if (sequence == nullptr) return {};
  switch (sequence->kind) {
    case SequenceKind::list:
      return {kListMethods, {}, kListMutators};
    case SequenceKind::tuple:
      return {kTupleMethods, {}, {}};
    case SequenceKind::range:
      return {{}, kRangeOthers, {}};
    default:
      return {{}, kViewOthers, {}};
  }
}

}  // namespace

Method find_method(Runtime& runtime, const Value& object, std::string_view name) {
  const TypeTables tables = tables_of(object);
  if (has(tables.others, name)) runtime.fail(type_name(object), '.', name, " is not supported");
  return as_text(object) != nullptr ? find_str_method(name) : find_in(tables.methods, name);
}

std::optional<Value> find_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (const Method method = find_method(runtime, object, name)) {
    return runtime.make<Function>(
        [method, object](Runtime& at, const Arguments& arguments) { return method(at, object, arguments); });
  }
  if (!has(tables_of(object).mutators, name)) return std::nullopt;
  return runtime.undefined("access to attribute '", name, "' of '", type_name(object), "' object is unsafe");
}

}  // namespace xlstm::text::jinja
