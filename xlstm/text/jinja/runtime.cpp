#include "xlstm/text/jinja/runtime.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "xlstm/base/error.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::size_t kMaxMessage = 1000;

// A message may hold what a template or a conversation says.
std::string one_line(const std::string& message) {
  std::string shown;
  for (const char c : message.size() > kMaxMessage ? cut_utf8(message, kMaxMessage) + "..." : message) {
    if (c == '\n') {
      shown += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      shown += '?';
    } else {
      shown += c;
    }
  }
  return shown;
}

}  // namespace

void fail_at(Position position, const std::string& message) {
  xlstm::fail(ErrorCode::invalid_argument, "chat template", "line ", position.line, ", column ", position.column, ": ",
              one_line(message));
}

void Runtime::work(std::size_t bytes) { steps(1 + bytes / 64); }

void Runtime::steps(std::size_t count) {
  steps_ += std::min(count, limits_.steps + 1);
  if (steps_ > limits_.steps) fail("expected at most ", limits_.steps, " steps of evaluation but got more");
}

void Runtime::reserve(std::size_t bytes) { grow(0, bytes); }

void Runtime::grow(std::size_t size, std::size_t bytes) {
  work(bytes);
  const std::size_t most = limits_.memory_bytes;
  if (bytes > most || size > most - bytes || live_bytes_ > most - bytes - size) {
    fail("expected at most ", most, " bytes of values but got more");
  }
}

Value Runtime::text(std::string utf8) {
  const std::size_t bytes = sizeof(Text) + utf8.size();
  reserve(bytes);
  const std::size_t length = count_code_points(utf8);
  return std::make_shared<const Text>(Text{std::move(utf8), length, Charge(live_bytes_, bytes)});
}

int Runtime::container_depth(int deepest_item) const {
  if (deepest_item >= kMaxValueDepth) fail("expected at most ", kMaxValueDepth, " levels of a value but got more");
  return deepest_item + 1;
}

Value Runtime::sequence(SequenceKind kind, std::vector<Value> items) {
  const std::size_t bytes = sizeof(Sequence) + items.size() * sizeof(Value);
  reserve(bytes);
  int deepest = 0;
  std::size_t weight = 1;
  bool hashable = kind == SequenceKind::tuple;
  for (const Value& item : items) {
    deepest = std::max(deepest, depth_of(item));
    if (__builtin_add_overflow(weight, weight_of(item), &weight)) weight = std::numeric_limits<std::size_t>::max();
    hashable = hashable && is_hashable(item);
  }
  const int depth = container_depth(deepest);
  return std::make_shared<const Sequence>(
      Sequence{kind, std::move(items), depth, weight, hashable, 0, 0, 1, Charge(live_bytes_, bytes)});
}

Value Runtime::range(std::int64_t start, std::int64_t stop, std::int64_t step) {
  if (step == 0) fail("expected a step of range() other than 0 but got 0");
  std::vector<Value> items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() == kMaxRange) fail("expected a range of at most ", kMaxRange, " items but got more");
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  const std::size_t bytes = sizeof(Sequence) + items.size() * sizeof(Value);
  reserve(bytes);
  const std::size_t weight = 1 + items.size();
  return std::make_shared<const Sequence>(
      Sequence{SequenceKind::range, std::move(items), 1, weight, true, start, stop, step, Charge(live_bytes_, bytes)});
}

Value Runtime::dict(std::vector<std::pair<Value, Value>> entries) {
  const std::size_t bytes = sizeof(Dict) + entries.size() * (2 * sizeof(Value) + sizeof(std::uint32_t));
  reserve(bytes);
  std::vector<std::uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0U);
  for (const auto& [key, value] : entries) {
    if (!is_hashable(key)) fail("expected a hashable key of a dict but got ", type_name(key));
    for (std::size_t rest = entries.size(); rest > 0; rest /= 2) steps(weight_of(key));
  }
  const auto less = [&](std::uint32_t a, std::uint32_t b) { return key_less(entries[a].first, entries[b].first); };
  std::stable_sort(order.begin(), order.end(), less);
  // Equal keys lie together, the first of them in front: it stays, with the value of the last.
  std::vector<bool> dropped(entries.size());
  for (std::size_t i = 0, first = 0; i < order.size(); ++i) {
    if (less(order[first], order[i])) first = i;
    if (first == i) continue;
    entries[order[first]].second = std::move(entries[order[i]].second);
    dropped[order[i]] = true;
  }
  if (std::find(dropped.begin(), dropped.end(), true) != dropped.end()) {
    std::vector<std::pair<Value, Value>> unique;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!dropped[i]) unique.push_back(std::move(entries[i]));
    }
    return dict(std::move(unique));
  }
  int deepest = 0;
  for (const auto& [key, value] : entries) deepest = std::max({deepest, depth_of(key), depth_of(value)});
  const int depth = container_depth(deepest);
  return std::make_shared<const Dict>(Dict{std::move(entries), std::move(order), depth, Charge(live_bytes_, bytes)});
}

Value Runtime::iterator(std::string_view type, std::vector<Value> items) {
  const Value list = sequence(SequenceKind::list, std::move(items));
  return std::make_shared<Iterator>(Iterator{type, std::get<std::shared_ptr<const Sequence>>(list)});
}

void Runtime::count_object() {
  constexpr std::size_t kObjectBytes = 256;  // about; an object stays until the end
  reserve(kObjectBytes);
  live_bytes_ += kObjectBytes;
}

bool is_iterable(const Value& value) {
  return is_undefined(value) || as_text(value) != nullptr || as_sequence(value) != nullptr ||
         as_dict(value) != nullptr || is<std::shared_ptr<Iterator>>(value);
}

Cursor::Cursor(Runtime& runtime, Value source) : runtime_(runtime), source_(std::move(source)) {
  if (!is_iterable(source_)) runtime.fail("expected something to iterate over but got ", type_name(source_));
}

bool Cursor::next(Value& item) {
  if (const Sequence* sequence = as_sequence(source_)) {
    if (place_ == sequence->items.size()) return false;
    item = sequence->items[place_++];
  } else if (const Dict* dict = as_dict(source_)) {
    if (place_ == dict->entries.size()) return false;
    item = dict->entries[place_++].first;
  } else if (const Text* text = as_text(source_)) {
    if (place_ == text->utf8.size()) return false;
    const std::size_t size = code_point_size(text->utf8[place_]);
    item = runtime_.text(text->utf8.substr(place_, size));
    place_ += size;
  } else if (const auto* iterator = std::get_if<std::shared_ptr<Iterator>>(&source_)) {
    if ((*iterator)->next == (*iterator)->items->items.size()) return false;
    item = (*iterator)->items->items[(*iterator)->next++];
  } else {
    return false;
  }
  runtime_.step();
  return true;
}

std::int64_t Cursor::known_length() const {
  if (const Sequence* sequence = as_sequence(source_)) return static_cast<std::int64_t>(sequence->items.size());
  if (const Dict* dict = as_dict(source_)) return static_cast<std::int64_t>(dict->entries.size());
  if (const Text* text = as_text(source_)) return static_cast<std::int64_t>(text->length);
  return is_undefined(source_) ? 0 : -1;
}

std::vector<Value> items_of(Runtime& runtime, const Value& value) {
  std::vector<Value> items;
  Cursor cursor(runtime, value);
  for (Value item; cursor.next(item);) items.push_back(item);
  return items;
}

}  // namespace xlstm::text::jinja
