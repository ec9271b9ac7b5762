#include "xlstm/text/jinja/operators.h"

#include <algorithm>

#include "xlstm/text/jinja/methods.h"
#include "xlstm/text/jinja/text_ops.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

constexpr bool is_subscriptable(SequenceKind kind) {
  return kind == SequenceKind::list || kind == SequenceKind::tuple || kind == SequenceKind::range;
}

bool equal_dicts(Runtime& runtime, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    const Value* other = find(runtime, b, entry.first);
    return other != nullptr && equal(runtime, entry.second, *other);
  });
}

bool equal_sequences(Runtime& runtime, const Sequence& a, const Sequence& b) {
  if (a.kind != b.kind || !is_subscriptable(a.kind)) {
    if (&a != &b && !is_subscriptable(a.kind) && !is_subscriptable(b.kind)) {
      runtime.fail("a comparison of views of a dict is not supported: use |list");
    }
    return &a == &b;
  }
  return a.items.size() == b.items.size() &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                    [&](const Value& x, const Value& y) { return equal(runtime, x, y); });
}

// -1, 0, 1, or 2 for numbers of which one is NaN.
int order_of(Runtime& runtime, const Value& left, const Value& right) {
  runtime.step();
  if (is_number(left) && is_number(right)) return compare_numbers(left, right);
  const Text* a = as_text(left);
  const Text* b = as_text(right);
  if (a != nullptr && b != nullptr) {
    runtime.work(std::min(a->utf8.size(), b->utf8.size()));
    const int order = a->utf8.compare(b->utf8);  // UTF-8 sorts as code points do
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  const Sequence* x = as_sequence(left);
  const Sequence* y = as_sequence(right);
  const bool ordered = x != nullptr && y != nullptr && x->kind == y->kind &&
                       (x->kind == SequenceKind::list || x->kind == SequenceKind::tuple);
  if (!ordered) {
    expect_defined(runtime, left);
    expect_defined(runtime, right);
    runtime.fail("expected values that can be ordered but got ", type_name(left), " and ", type_name(right));
  }
  const std::size_t common = std::min(x->items.size(), y->items.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (!equal(runtime, x->items[i], y->items[i])) return order_of(runtime, x->items[i], y->items[i]);
  }
  return x->items.size() < y->items.size() ? -1 : x->items.size() > y->items.size() ? 1 : 0;
}

std::optional<std::size_t> place_of(std::int64_t index, std::size_t size) {
  const auto length = static_cast<std::int64_t>(size);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  return static_cast<std::size_t>(index);
}

// The element under an index or key; nothing where Python raises TypeError or LookupError.
std::optional<Value> element(Runtime& runtime, const Value& object, const Value& index) {
  if (const Dict* dict = as_dict(object)) {
    if (!is_hashable(index)) return std::nullopt;
    const Value* value = find(runtime, *dict, index);
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
  const auto number = as_int(index);
  if (!number) return std::nullopt;
  if (const Text* text = as_text(object)) {
    const auto place = place_of(*number, text->length);
    if (!place) return std::nullopt;
    runtime.work(*place);
    const std::size_t begin = byte_offset(text->utf8, *place);
    return runtime.text(text->utf8.substr(begin, code_point_size(text->utf8[begin])));
  }
  const Sequence* sequence = as_sequence(object);
  if (sequence == nullptr || !is_subscriptable(sequence->kind)) return std::nullopt;
  const auto place = place_of(*number, sequence->items.size());
  return place ? std::optional(sequence->items[*place]) : std::nullopt;
}

std::optional<std::int64_t> slice_bound(const Value& bound) {
  return is_none(bound) ? std::optional<std::int64_t>() : as_int(bound);
}

// The places that a slice names, as Python clamps them.
std::vector<std::size_t> slice_places(Runtime& runtime, std::size_t size, const Value& start, const Value& stop,
                                      std::int64_t step) {
  const auto length = static_cast<std::int64_t>(size);
  const std::int64_t low = step > 0 ? 0 : -1;
  const std::int64_t high = step > 0 ? length : length - 1;
  const auto clamp = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
    if (!bound) return otherwise;
    if (*bound < 0) bound = *bound < -length ? low : *bound + length;
    return std::clamp(*bound, low, std::max(low, high));
  };
  const std::int64_t begin = clamp(slice_bound(start), step > 0 ? low : high);
  const std::int64_t end = clamp(slice_bound(stop), step > 0 ? high : low);
  std::vector<std::size_t> places;
  for (std::int64_t i = begin; step > 0 ? i < end : i > end;) {
    places.push_back(static_cast<std::size_t>(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  runtime.work(places.size());
  return places;
}

Value slice_text(Runtime& runtime, const Text& text, const std::vector<std::size_t>& places, std::int64_t step) {
  if (places.empty()) return runtime.text("");
  if (step == 1) {
    const std::size_t begin = byte_offset(text.utf8, places.front());
    const std::string_view rest = std::string_view(text.utf8).substr(begin);
    return runtime.text(std::string(rest.substr(0, byte_offset(rest, places.size()))));
  }
  std::vector<std::size_t> offsets;
  for (std::size_t place = 0; place < text.utf8.size(); place += code_point_size(text.utf8[place])) {
    offsets.push_back(place);
  }
  std::string result;
  for (const std::size_t place : places) {
    result.append(text.utf8, offsets[place], code_point_size(text.utf8[offsets[place]]));
  }
  return runtime.text(std::move(result));
}

Value missing(Runtime& runtime, const Value& object, const Value& index) {
  if (const Text* name = as_text(index)) {
    return runtime.undefined("'", type_name(object), " object' has no attribute '", name->utf8.substr(0, 100), "'");
  }
  const auto number = as_int(index);
  if (number) return runtime.undefined(type_name(object), " object has no element ", *number);
  return runtime.undefined(type_name(object), " object has no such element");
}

}  // namespace

bool equal(Runtime& runtime, const Value& left, const Value& right) {
  runtime.step();
  if (is_number(left) && is_number(right)) return compare_numbers(left, right) == 0;
  if (left.index() != right.index()) return false;
  if (const Text* text = as_text(left)) {
    const std::string& other = as_text(right)->utf8;
    if (text->utf8.size() != other.size()) return false;
    runtime.work(other.size());
    return text->utf8 == other;
  }
  if (const Sequence* sequence = as_sequence(left)) return equal_sequences(runtime, *sequence, *as_sequence(right));
  if (const Dict* dict = as_dict(left)) return equal_dicts(runtime, *dict, *as_dict(right));
  if (is<Object*>(left)) return as_object(left) == as_object(right);
  if (const auto* iterator = std::get_if<std::shared_ptr<Iterator>>(&left)) {
    return *iterator == std::get<std::shared_ptr<Iterator>>(right);
  }
  return true;  // None and None, undefined and undefined
}

bool less(Runtime& runtime, const Value& left, const Value& right) { return order_of(runtime, left, right) == -1; }

bool less_equal(Runtime& runtime, const Value& left, const Value& right) { return order_of(runtime, left, right) <= 0; }

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  if (const Text* text = as_text(container)) {
    const std::string& part = expect_text(runtime, item, "a str to look for in a str");
    runtime.work(text->utf8.size());
    return find_text(text->utf8, part) != std::string::npos;
  }
  if (const Dict* dict = as_dict(container)) {
    if (!is_hashable(item)) runtime.fail("expected a hashable key of a dict but got ", type_name(item));
    return find(runtime, *dict, item) != nullptr;
  }
  Cursor cursor(runtime, container);
  for (Value element_value; cursor.next(element_value);) {
    if (equal(runtime, element_value, item)) return true;
  }
  return false;
}

bool compare(Runtime& runtime, Comparator comparator, const Value& left, const Value& right) {
  switch (comparator) {
    case Comparator::equal:
      return equal(runtime, left, right);
    case Comparator::not_equal:
      return !equal(runtime, left, right);
    case Comparator::less:
      return less(runtime, left, right);
    case Comparator::less_equal:
      return less_equal(runtime, left, right);
    case Comparator::greater:
      return less(runtime, right, left);
    case Comparator::greater_equal:
      return less_equal(runtime, right, left);
    case Comparator::in:
      return contains(runtime, right, left);
    case Comparator::not_in:
      return !contains(runtime, right, left);
  }
  return false;
}

Value get_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  expect_defined(runtime, object);
  if (auto method = find_attribute(runtime, object, name)) return *method;
  const Value key = runtime.text(std::string(name));
  if (auto value = element(runtime, object, key)) return *value;
  if (Object* thing = as_object(object)) return thing->attribute(runtime, name);
  return missing(runtime, object, key);
}

Value get_item(Runtime& runtime, const Value& object, const Value& index) {
  expect_defined(runtime, object);
  if (auto value = element(runtime, object, index)) return *value;
  if (const Text* name = as_text(index)) {
    if (auto method = find_attribute(runtime, object, name->utf8)) return *method;
    if (Object* thing = as_object(object)) return thing->attribute(runtime, name->utf8);
  }
  return missing(runtime, object, index);
}

Value get_slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step) {
  expect_defined(runtime, object);
  const Text* text = as_text(object);
  const Sequence* sequence = as_sequence(object);
  if (text == nullptr && (sequence == nullptr || !is_subscriptable(sequence->kind))) {
    runtime.fail("expected something to take a slice of but got ", type_name(object));
  }
  for (const Value* bound : {&start, &stop, &step}) {
    if (!is_none(*bound)) expect_int(runtime, *bound, "an int as a bound of a slice");
  }
  const std::int64_t stride = slice_bound(step).value_or(1);
  if (stride == 0) runtime.fail("expected a step of a slice other than 0 but got 0");
  if (sequence != nullptr && sequence->kind == SequenceKind::range) {
    runtime.fail("a slice of a range is not supported: use |list");
  }
  const auto places =
      slice_places(runtime, text != nullptr ? text->length : sequence->items.size(), start, stop, stride);
  if (text != nullptr) {
    runtime.work(text->utf8.size());
    return slice_text(runtime, *text, places, stride);
  }
  std::vector<Value> items;
  for (const std::size_t place : places) items.push_back(sequence->items[place]);
  return runtime.sequence(sequence->kind, std::move(items));
}

std::int64_t length_of(Runtime& runtime, const Value& value) {
  if (is_iterable(value) && !is<std::shared_ptr<Iterator>>(value)) return Cursor(runtime, value).known_length();
  if (Object* object = as_object(value)) {
    if (const auto length = object->length(runtime)) return *length;
  }
  runtime.fail("expected something that has a length but got ", type_name(value));
}

std::optional<std::int64_t> as_int(const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const bool* boolean = std::get_if<bool>(&value)) return static_cast<std::int64_t>(*boolean);
  return std::nullopt;
}

std::int64_t expect_int(Runtime& runtime, const Value& value, std::string_view what) {
  const auto number = as_int(value);
  if (!number) runtime.fail("expected ", what, " but got ", type_name(value));
  return *number;
}

const std::string& expect_text(Runtime& runtime, const Value& value, std::string_view what) {
  expect_defined(runtime, value);
  const Text* text = as_text(value);
  if (text == nullptr) runtime.fail("expected ", what, " but got ", type_name(value));
  return text->utf8;
}

void expect_defined(Runtime& runtime, const Value& value) {
  if (const auto* undefined = std::get_if<Undefined>(&value)) {
    runtime.fail("expected a value but got an undefined one: ", *undefined->hint);
  }
}

}  // namespace xlstm::text::jinja
