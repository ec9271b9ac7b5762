#include <algorithm>
#include <set>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/filter_table.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/item_path.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::string_view kGenerator = "generator";

Value length(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "length", arguments, {});
  return length_of(runtime, input);
}

Value list(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "list", arguments, {});
  return runtime.list(items_of(runtime, input));
}

Value first(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "first", arguments, {});
  Value item;
  return Cursor(runtime, input).next(item) ? item : runtime.undefined("No first item, sequence was empty.");
}

bool is_reversible(const Value& value) { return !is<std::shared_ptr<Iterator>>(value) && is_iterable(value); }

Value last(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "last", arguments, {});
  if (!is_reversible(input)) runtime.fail("expected something with a last item but got ", type_name(input));
  const std::vector<Value> items = items_of(runtime, input);
  return items.empty() ? runtime.undefined("No last item, sequence was empty.") : items.back();
}

Value reverse(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "reverse", arguments, {});
  std::vector<Value> items = items_of(runtime, input);
  std::reverse(items.begin(), items.end());
  if (as_text(input) != nullptr) {
    std::string text;
    for (const Value& item : items) text += as_text(item)->utf8;
    return runtime.text(std::move(text));
  }
  if (!is_reversible(input)) return runtime.list(std::move(items));
  return runtime.iterator("reversed", std::move(items));
}

Value join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "join", arguments, {"d", "attribute"});
  const std::string separator = bound[0] != nullptr ? to_text(runtime, *bound[0]) : "";
  const ItemPath path(runtime, bound.get(1, None{}));
  std::string out;
  Cursor cursor(runtime, input);
  bool is_first = true;
  for (Value item; cursor.next(item); is_first = false) {
    const std::string text = to_text(runtime, path.get(runtime, item));
    runtime.grow(out.size(), text.size() + separator.size());
    if (!is_first) out += separator;
    out += text;
  }
  return runtime.text(std::move(out));
}

Value items(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "items", arguments, {});
  std::vector<Value> pairs;
  if (const Dict* dict = as_dict(input)) {
    for (const auto& [key, value] : dict->entries) pairs.push_back(runtime.tuple({key, value}));
  } else if (!is_undefined(input)) {
    runtime.fail("expected a dict but got ", type_name(input));
  }
  return runtime.iterator(kGenerator, std::move(pairs));
}

// Items with the keys they are sorted by.
struct Keyed {
  Value key;
  Value item;
};

std::vector<Value> sorted(Runtime& runtime, std::vector<Keyed> keyed, bool reversed) {
  // Equal items keep their order, reversed or not, as in Python.
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    return reversed ? less(runtime, b.key, a.key) : less(runtime, a.key, b.key);
  });
  std::vector<Value> result;
  for (Keyed& entry : keyed) result.push_back(std::move(entry.item));
  return result;
}

Value sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<ItemPath> paths;  // "a,b": by a, then by b
  const Value attribute = bound.get(2, None{});
  if (const Text* names = as_text(attribute)) {
    for (std::size_t begin = 0; begin <= names->utf8.size();) {
      const std::size_t end = std::min(names->utf8.find(',', begin), names->utf8.size());
      paths.emplace_back(runtime, runtime.text(names->utf8.substr(begin, end - begin)));
      begin = end + 1;
    }
  } else {
    paths.emplace_back(runtime, attribute);
  }
  std::vector<Keyed> keyed;
  for (Value& item : items_of(runtime, input)) {
    std::vector<Value> keys;
    for (const ItemPath& path : paths) {
      const Value key = path.get(runtime, item);
      keys.push_back(bound.truth(1) ? key : without_case(runtime, key));
    }
    keyed.push_back({runtime.list(std::move(keys)), std::move(item)});
  }
  return runtime.list(sorted(runtime, std::move(keyed), bound.truth(0)));
}

Value dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.text(1, "key");
  if (by != "key" && by != "value") runtime.fail("expected to sort by \"key\" or \"value\" but got \"", by, '"');
  expect_defined(runtime, input);
  const Dict* dict = as_dict(input);
  if (dict == nullptr) runtime.fail("expected a dict to sort but got ", type_name(input));
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : dict->entries) {
    const Value& sort_key = by == "key" ? key : value;
    keyed.push_back({bound.truth(0) ? sort_key : without_case(runtime, sort_key), runtime.tuple({key, value})});
  }
  return runtime.list(sorted(runtime, std::move(keyed), bound.truth(2)));
}

Value unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "unique", arguments, {"case_sensitive", "attribute"});
  const ItemPath path(runtime, bound.get(1, None{}));
  std::set<Value, bool (*)(const Value&, const Value&)> seen(key_less);
  std::vector<Value> result;
  for (Value& item : items_of(runtime, input)) {
    const Value value = path.get(runtime, item);
    const Value key = bound.truth(0) ? value : without_case(runtime, value);
    if (!is_hashable(key)) runtime.fail("expected hashable items but got ", type_name(key));
    for (std::size_t rest = seen.size(); rest > 0; rest /= 2) runtime.steps(weight_of(key));
    if (seen.insert(key).second) result.push_back(std::move(item));
  }
  return runtime.iterator(kGenerator, std::move(result));
}

template <bool kMax>
Value extreme(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, kMax ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const ItemPath path(runtime, bound.get(1, None{}));
  Cursor cursor(runtime, input);
  Value item;
  if (!cursor.next(item)) return runtime.undefined("No aggregated item, sequence was empty.");
  const auto key_of = [&](const Value& value) {
    const Value key = path.get(runtime, value);
    return bound.truth(0) ? key : without_case(runtime, key);
  };
  Value best = item;
  Value best_key = key_of(item);
  while (cursor.next(item)) {
    Value key = key_of(item);
    if (!(kMax ? less(runtime, best_key, key) : less(runtime, key, best_key))) continue;
    best = item;
    best_key = std::move(key);
  }
  return best;
}

Value sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "sum", arguments, {"attribute", "start"});
  const ItemPath path(runtime, bound.get(0, None{}));
  Value total = bound.get(1, std::int64_t{0});
  if (as_text(total) != nullptr) runtime.fail("expected a start of the sum that is no str but got one");
  Cursor cursor(runtime, input);
  for (Value item; cursor.next(item);) total = binary(runtime, BinaryOperator::add, total, path.get(runtime, item));
  return total;
}

Value batch(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = bound.integer(0, 0);
  std::vector<Value> batches;
  std::vector<Value> row;
  const auto end_row = [&] { batches.push_back(runtime.list(std::exchange(row, {}))); };
  for (const Value& item : items_of(runtime, input)) {
    if (static_cast<std::int64_t>(row.size()) == size) end_row();
    row.push_back(item);
  }
  if (!row.empty()) {
    while (bound.has(1) && static_cast<std::int64_t>(row.size()) < size) {
      runtime.grow(row.size() * sizeof(Value), sizeof(Value));
      row.push_back(*bound[1]);
    }
    end_row();
  }
  return runtime.iterator(kGenerator, std::move(batches));
}

Value slice(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "slice", arguments, {"slices", "fill_with"}, 1);
  const std::int64_t slices = bound.integer(0, 0);
  if (slices == 0) runtime.fail("expected a number of slices other than 0 but got 0");
  const std::vector<Value> all = items_of(runtime, input);
  std::vector<Value> result;
  std::size_t begin = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    const auto number = static_cast<std::size_t>(slices);
    const bool has_extra = static_cast<std::size_t>(i) < all.size() % number;
    const std::size_t end = begin + all.size() / number + (has_extra ? 1 : 0);
    std::vector<Value> part(all.begin() + static_cast<std::ptrdiff_t>(begin),
                            all.begin() + static_cast<std::ptrdiff_t>(end));
    if (bound.has(1) && !has_extra) part.push_back(*bound[1]);
    begin = end;
    result.push_back(runtime.list(std::move(part)));
  }
  return runtime.iterator(kGenerator, std::move(result));
}

constexpr FilterEntry kFilters[] = {
    {"batch", batch},        {"count", length},    {"dictsort", dictsort}, {"first", first}, {"items", items},
    {"join", join},          {"last", last},       {"length", length},     {"list", list},   {"max", extreme<true>},
    {"min", extreme<false>}, {"reverse", reverse}, {"slice", slice},       {"sort", sort},   {"sum", sum},
    {"unique", unique},
};

}  // namespace

FilterFunction find_sequence_filter(std::string_view name) { return find_filter(kFilters, name); }

}  // namespace xlstm::text::jinja
