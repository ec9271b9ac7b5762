// What a template computes with: Python's values as far as chat templates see them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xlstm::text::jinja {

class Runtime;
struct Text;
struct Sequence;
struct Dict;
struct Iterator;
class Object;

/// A name or an element that is not there. It prints as nothing and is false; any other use fails with `hint`.
struct Undefined {
  std::shared_ptr<const std::string> hint;
};
struct None {};

/// Strings and containers never change once they are made, so values share them. What does change (namespaces, loops)
/// is an Object, owned by the Runtime: a value only points to it, and no ring of owners can come about.
using Value =
    std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const Text>,
                 std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>, std::shared_ptr<Iterator>, Object*>;

/// Bytes that count against a render's memory for as long as it lives. A null counter (constants of a template) counts
/// nothing.
class Charge {
 public:
  Charge() = default;
  Charge(std::size_t& counter, std::size_t bytes) : counter_(&counter), bytes_(bytes) { counter += bytes; }
  Charge(Charge&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)), bytes_(other.bytes_) {}
  Charge& operator=(Charge&&) = delete;
  ~Charge() {
    if (counter_ != nullptr) *counter_ -= bytes_;
  }

 private:
  std::size_t* counter_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A str: well-formed UTF-8.
struct Text {
  std::string utf8;
  std::size_t length;  // code points
  Charge charge;
};

enum class SequenceKind { list, tuple, range, dict_keys, dict_values, dict_items };

struct Sequence {
  SequenceKind kind;
  std::vector<Value> items;
  int depth;           // 1 + that of the deepest item
  std::size_t weight;  // what weight_of() gives
  bool is_hashable;
  std::int64_t start = 0, stop = 0, step = 1;  // of a range
  Charge charge;
};

/// Entries in the order in which their keys came; a key is a scalar or a tuple of scalars, equal as in Python (1
/// and 1.0 and True are one key).
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::vector<std::uint32_t> order;  // places of the entries, sorted by key
  int depth;
  Charge charge;
};

/// What map, select and their like give: it can be gone through once.
struct Iterator {
  std::string_view type;  // Python's name of it
  std::shared_ptr<const Sequence> items;
  std::size_t next = 0;
};

/// Arguments of a call, evaluated.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Something with a state or to be called.
class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  /// Python's name of the type.
  virtual std::string_view type() const = 0;
  /// How str() shows it; fails where Python shows an address.
  virtual std::string repr(Runtime& runtime) const;
  /// Undefined when there is no such attribute.
  virtual Value attribute(Runtime& runtime, std::string_view name);
  virtual bool callable() const { return true; }
  virtual Value call(Runtime& runtime, const Arguments& arguments);
  /// len(); nothing when there is none.
  virtual std::optional<std::int64_t> length(Runtime& runtime);
};

template <class T>
bool is(const Value& value) {
  return std::holds_alternative<T>(value);
}
inline bool is_undefined(const Value& value) { return is<Undefined>(value); }
inline bool is_none(const Value& value) { return is<None>(value); }

/// The text of a str, the object behind a value, ...; null when the value is of another kind.
inline const Text* as_text(const Value& value) {
  const auto* text = std::get_if<std::shared_ptr<const Text>>(&value);
  return text == nullptr ? nullptr : text->get();
}
inline const Sequence* as_sequence(const Value& value) {
  const auto* sequence = std::get_if<std::shared_ptr<const Sequence>>(&value);
  return sequence == nullptr ? nullptr : sequence->get();
}
/// Null as well when the sequence is of another kind.
inline const Sequence* as_sequence(const Value& value, SequenceKind kind) {
  const Sequence* sequence = as_sequence(value);
  return sequence != nullptr && sequence->kind == kind ? sequence : nullptr;
}
inline const Dict* as_dict(const Value& value) {
  const auto* dict = std::get_if<std::shared_ptr<const Dict>>(&value);
  return dict == nullptr ? nullptr : dict->get();
}
inline Object* as_object(const Value& value) {
  Object* const* object = std::get_if<Object*>(&value);
  return object == nullptr ? nullptr : *object;
}
template <class T>
T* as_object_of(const Value& value) {
  return dynamic_cast<T*>(as_object(value));
}

/// Python's name of the type of a value.
std::string_view type_name(const Value& value);
/// Nesting of containers; 0 of anything else.
int depth_of(const Value& value);
/// Python's truth.
bool truth(const Value& value);
/// Steps that a comparison with the value can take: containers that share items are larger than they look.
std::size_t weight_of(const Value& value);
/// The value under a key, or null. The key must be hashable.
const Value* find(Runtime& runtime, const Dict& dict, const Value& key);
/// A total order on hashable values under which equal ones are those that Python calls equal.
bool key_less(const Value& a, const Value& b);
/// Exact, unlike a comparison of doubles. Negative, zero, positive; unordered (a NaN) is 2.
int compare_numbers(const Value& a, const Value& b);
/// int, bool or float.
bool is_number(const Value& value);
bool is_hashable(const Value& value);
/// A constant of a template: counts against no render's memory.
Value constant_text(std::string utf8);

}  // namespace xlstm::text::jinja
