// One render under way: its limits, what it has used of them, where it is, and the objects it has made.
#pragma once

#include <ctime>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xlstm/text/jinja/limits.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// A place in the source of a template, from 1; columns are code points.
struct Position {
  int line = 1;
  int column = 1;
};

/// Throws Error(invalid_argument, "[chat template] line L, column C: message"), always one line.
[[noreturn]] void fail_at(Position position, const std::string& message);

/// How a filter reaches other filters and tests, which it finds by name.
class NamedCalls {
 public:
  virtual ~NamedCalls() = default;
  virtual Value call_filter(const std::string& name, const Value& input, const Arguments& arguments) = 0;
  virtual bool call_test(const std::string& name, const Value& input, const Arguments& arguments) = 0;
};

class Runtime {
 public:
  /// `now`: the local time that strftime_now shows.
  Runtime(const Limits& limits, std::tm now) : limits_(limits), now_(now) {}

  const Limits& limits() const { return limits_; }
  const std::tm& now() const { return now_; }
  NamedCalls* named_calls = nullptr;

  /// Where the next error lies.
  void at(Position position) { position_ = position; }
  Position position() const { return position_; }
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    std::ostringstream message;
    (message << ... << parts);
    fail_at(position_, message.str());
  }

  void step() { steps(1); }
  void steps(std::size_t count);
  /// Counts a step, and one more for every 64 bytes.
  void work(std::size_t bytes);
  /// Fails when a string of so many bytes could not be kept; asked before one is made.
  void reserve(std::size_t bytes);
  /// As reserve(), for a string that is `size` bytes long and is to get `bytes` more: only they count as work.
  void grow(std::size_t size, std::size_t bytes);

  Value text(std::string utf8);
  Value list(std::vector<Value> items) { return sequence(SequenceKind::list, std::move(items)); }
  Value tuple(std::vector<Value> items) { return sequence(SequenceKind::tuple, std::move(items)); }
  Value sequence(SequenceKind kind, std::vector<Value> items);
  Value range(std::int64_t start, std::int64_t stop, std::int64_t step);
  /// A key that comes again replaces the value of the first.
  Value dict(std::vector<std::pair<Value, Value>> entries);
  Value iterator(std::string_view type, std::vector<Value> items);
  template <class T, class... Args>
  T* make(Args&&... args) {
    count_object();
    auto object = std::make_unique<T>(std::forward<Args>(args)...);
    T* const made = object.get();
    objects_.push_back(std::move(object));
    return made;
  }
  /// Keeps something alive until the end of the render: the scope that a macro sees.
  void keep(std::shared_ptr<void> thing) { kept_.push_back(std::move(thing)); }
  template <class... Parts>
  Value undefined(const Parts&... parts) {
    std::ostringstream hint;
    (hint << ... << parts);
    return Undefined{std::make_shared<const std::string>(hint.str())};
  }

  /// One more nested evaluation while it lives.
  class Nested {
   public:
    explicit Nested(Runtime& runtime) : runtime_(runtime) {
      if (++runtime_.depth_ > runtime_.limits_.depth) runtime_.fail_depth();
    }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    ~Nested() { --runtime_.depth_; }

   private:
    Runtime& runtime_;
  };

 private:
  [[noreturn]] void fail_depth() {
    --depth_;
    fail("expected at most ", limits_.depth, " nested evaluations but got more");
  }
  void count_object();
  int container_depth(int deepest_item) const;

  const Limits limits_;
  const std::tm now_;
  Position position_;
  std::size_t steps_ = 0;
  std::size_t live_bytes_ = 0;
  int depth_ = 0;
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<std::unique_ptr<Object>> objects_;
};

/// Goes through anything that can be iterated, one item at a time; fails at once for what cannot.
class Cursor {
 public:
  Cursor(Runtime& runtime, Value source);
  /// False at the end.
  bool next(Value& item);
  /// Items in all, or -1 when only going through them would tell.
  std::int64_t known_length() const;

 private:
  Runtime& runtime_;
  Value source_;
  std::size_t place_ = 0;
};

bool is_iterable(const Value& value);
/// All items, as list() gives them.
std::vector<Value> items_of(Runtime& runtime, const Value& value);

}  // namespace xlstm::text::jinja
