// Values with a state: namespaces, the variable of a loop, cycler and joiner.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// namespace(...): attributes that {% set %} can change from any scope.
class Namespace : public Object {
 public:
  explicit Namespace(Value attributes) : initial_(std::move(attributes)) {}
  std::string_view type() const override { return "Namespace"; }
  std::string repr(Runtime& runtime) const override;
  Value attribute(Runtime& runtime, std::string_view name) override;
  bool callable() const override { return false; }
  void set(Runtime& runtime, const std::string& name, Value value);

 private:
  Value initial_;                                          // a dict
  std::vector<std::pair<std::string, Value>> attributes_;  // set since, in this order
};

/// As in transformers, names that begin with "_" are refused.
void check_namespace_name(Runtime& runtime, std::string_view name);

/// The variable `loop`. Items are asked for as late as Jinja asks: by the loop itself, or by last, nextitem and length.
class Loop : public Object {
 public:
  using Accept = std::function<bool(const Value& item)>;
  /// `accept` null: every item.
  Loop(Runtime& runtime, const Value& source, Accept accept) : cursor_(runtime, source), accept_(std::move(accept)) {}

  /// The next item of the loop; false behind the last.
  bool advance(Value& item);
  /// The loop is over: what it filters by may be gone.
  void end() {
    accept_ = [](const Value&) { return false; };
  }

  std::string_view type() const override { return "LoopContext"; }
  Value attribute(Runtime& runtime, std::string_view name) override;
  bool callable() const override { return false; }
  std::optional<std::int64_t> length(Runtime& runtime) override { return count(runtime); }

 private:
  bool fetch(Value& item);
  bool peek();
  std::int64_t count(Runtime& runtime);
  Value cycle(Runtime& runtime, const Arguments& arguments) const;
  bool changed(Runtime& runtime, const Arguments& arguments);

  Cursor cursor_;
  Accept accept_;
  std::deque<Value> ahead_;  // fetched, but not yet reached
  std::int64_t index0_ = -1;
  std::int64_t length_ = -1;  // not yet counted
  Value previous_ = None{};
  Value current_ = None{};
  std::optional<Value> last_changed_;  // a tuple
};

/// cycler(...)
class Cycler : public Object {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  std::string_view type() const override { return "Cycler"; }
  Value attribute(Runtime& runtime, std::string_view name) override;
  bool callable() const override { return false; }

 private:
  std::vector<Value> items_;
  std::size_t place_ = 0;
};

/// joiner(sep): nothing at the first call, then the separator.
class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  std::string_view type() const override { return "Joiner"; }
  Value call(Runtime& runtime, const Arguments& arguments) override;

 private:
  Value separator_;
  bool used_ = false;
};

}  // namespace xlstm::text::jinja
