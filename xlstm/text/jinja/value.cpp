#include "xlstm/text/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

struct TypeName {
  std::string_view operator()(const Undefined&) const { return "Undefined"; }
  std::string_view operator()(const None&) const { return "NoneType"; }
  std::string_view operator()(bool) const { return "bool"; }
  std::string_view operator()(std::int64_t) const { return "int"; }
  std::string_view operator()(double) const { return "float"; }
  std::string_view operator()(const std::shared_ptr<const Text>&) const { return "str"; }
  std::string_view operator()(const std::shared_ptr<const Sequence>& sequence) const {
    constexpr std::string_view kNames[] = {"list", "tuple", "range", "dict_keys", "dict_values", "dict_items"};
    return kNames[static_cast<std::size_t>(sequence->kind)];
  }
  std::string_view operator()(const std::shared_ptr<const Dict>&) const { return "dict"; }
  std::string_view operator()(const std::shared_ptr<Iterator>& iterator) const { return iterator->type; }
  std::string_view operator()(const Object* object) const { return object->type(); }
};

struct Truth {
  bool operator()(const Undefined&) const { return false; }
  bool operator()(const None&) const { return false; }
  bool operator()(bool value) const { return value; }
  bool operator()(std::int64_t value) const { return value != 0; }
  bool operator()(double value) const { return value != 0; }
  bool operator()(const std::shared_ptr<const Text>& text) const { return !text->utf8.empty(); }
  bool operator()(const std::shared_ptr<const Sequence>& sequence) const { return !sequence->items.empty(); }
  bool operator()(const std::shared_ptr<const Dict>& dict) const { return !dict->entries.empty(); }
  bool operator()(const std::shared_ptr<Iterator>&) const { return true; }
  bool operator()(const Object*) const { return true; }
};

// Numbers, then strings, then the rest by what they are.
int key_class(const Value& value) { return is_number(value) ? 0 : static_cast<int>(value.index()) + 1; }

int compare_int_double(std::int64_t a, double b) {
  if (std::isnan(b)) return 2;
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (b >= kLimit) return -1;
  if (b < -kLimit) return 1;
  const double whole = std::floor(b);
  const auto floor = static_cast<std::int64_t>(whole);
  if (a != floor) return a < floor ? -1 : 1;
  return b > whole ? -1 : 0;
}

std::int64_t to_int(const Value& value) {
  const bool* boolean = std::get_if<bool>(&value);
  return boolean != nullptr ? static_cast<std::int64_t>(*boolean) : std::get<std::int64_t>(value);
}

// NaN as a key: equal to itself, above every other number.
int compare_number_keys(const Value& a, const Value& b) {
  const int order = compare_numbers(a, b);
  if (order != 2) return order;
  const auto is_nan = [](const Value& value) { return is<double>(value) && std::isnan(std::get<double>(value)); };
  return static_cast<int>(is_nan(a)) - static_cast<int>(is_nan(b));
}

template <class T>
int order_of(const T& a, const T& b) {
  return std::less<>()(a, b) ? -1 : std::less<>()(b, a) ? 1 : 0;
}

int key_order(const Value& a, const Value& b) {
  const int class_a = key_class(a);
  const int class_b = key_class(b);
  if (class_a != class_b) return class_a < class_b ? -1 : 1;
  if (class_a == 0) return compare_number_keys(a, b);
  if (const Text* text = as_text(a)) return text->utf8.compare(as_text(b)->utf8);
  if (const Sequence* sequence = as_sequence(a)) {
    const auto& x = sequence->items;
    const auto& y = as_sequence(b)->items;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (const int order = key_order(x[i], y[i]); order != 0) return order;
    }
    return order_of(x.size(), y.size());
  }
  if (Object* const* object = std::get_if<Object*>(&a)) return order_of(*object, std::get<Object*>(b));
  if (const auto* iterator = std::get_if<std::shared_ptr<Iterator>>(&a)) {
    return order_of(*iterator, std::get<std::shared_ptr<Iterator>>(b));
  }
  return 0;  // None, undefined: one key each
}

}  // namespace

std::string Object::repr(Runtime& runtime) const {
  runtime.fail("expected a value that can be printed but got ", type());
}

Value Object::attribute(Runtime& runtime, std::string_view name) {
  return runtime.undefined("'", type(), "' has no attribute '", name, "'");
}

Value Object::call(Runtime& runtime, const Arguments&) { runtime.fail("expected a function but got ", type()); }

std::optional<std::int64_t> Object::length(Runtime&) { return std::nullopt; }

std::string_view type_name(const Value& value) { return std::visit(TypeName(), value); }

int depth_of(const Value& value) {
  if (const Sequence* sequence = as_sequence(value)) return sequence->depth;
  if (const Dict* dict = as_dict(value)) return dict->depth;
  const auto* iterator = std::get_if<std::shared_ptr<Iterator>>(&value);
  return iterator == nullptr ? 0 : (*iterator)->items->depth;
}

bool truth(const Value& value) { return std::visit(Truth(), value); }

bool is_number(const Value& value) { return is<bool>(value) || is<std::int64_t>(value) || is<double>(value); }

int compare_numbers(const Value& a, const Value& b) {
  const double* x = std::get_if<double>(&a);
  const double* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr) return *x < *y ? -1 : *x > *y ? 1 : *x == *y ? 0 : 2;
  if (y != nullptr) return compare_int_double(to_int(a), *y);
  if (x != nullptr) {
    const int order = compare_int_double(to_int(b), *x);
    return order == 2 ? 2 : -order;
  }
  const std::int64_t i = to_int(a);
  const std::int64_t j = to_int(b);
  return i < j ? -1 : i > j ? 1 : 0;
}

bool is_hashable(const Value& value) {
  const Sequence* sequence = as_sequence(value);
  return sequence != nullptr ? sequence->is_hashable : as_dict(value) == nullptr;
}

std::size_t weight_of(const Value& value) {
  if (const Text* text = as_text(value)) return 1 + text->utf8.size() / 64;
  const Sequence* sequence = as_sequence(value);
  return sequence != nullptr ? sequence->weight : 1;
}

bool key_less(const Value& a, const Value& b) { return key_order(a, b) < 0; }

const Value* find(Runtime& runtime, const Dict& dict, const Value& key) {
  for (std::size_t rest = dict.order.size(); rest > 0; rest /= 2) runtime.steps(weight_of(key));
  const auto less = [&](std::uint32_t place, const Value& wanted) {
    return key_less(dict.entries[place].first, wanted);
  };
  const auto place = std::lower_bound(dict.order.begin(), dict.order.end(), key, less);
  if (place == dict.order.end() || key_less(key, dict.entries[*place].first)) return nullptr;
  return &dict.entries[*place].second;
}

Value constant_text(std::string utf8) {
  const std::size_t length = count_code_points(utf8);
  return std::make_shared<const Text>(Text{std::move(utf8), length, Charge()});
}

}  // namespace xlstm::text::jinja
