#include "xlstm/text/jinja/objects.h"

#include <algorithm>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/function.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {
namespace {

auto find_named(std::vector<std::pair<std::string, Value>>& attributes, std::string_view name) {
  return std::find_if(attributes.begin(), attributes.end(), [&](const auto& entry) { return entry.first == name; });
}

}  // namespace

std::string Namespace::repr(Runtime& runtime) const {
  std::vector<std::pair<Value, Value>> entries = as_dict(initial_)->entries;
  for (const auto& [name, value] : attributes_) entries.emplace_back(runtime.text(name), value);
  return "<Namespace " + to_repr(runtime, runtime.dict(std::move(entries))) + '>';
}

Value Namespace::attribute(Runtime& runtime, std::string_view name) {
  if (const auto found = find_named(attributes_, name); found != attributes_.end()) return found->second;
  const Value* value = find(runtime, *as_dict(initial_), runtime.text(std::string(name)));
  return value != nullptr ? *value : Object::attribute(runtime, name);
}

void check_namespace_name(Runtime& runtime, std::string_view name) {
  if (name.starts_with('_')) runtime.fail("expected a name of a namespace's attribute without \"_\" in front");
}

void Namespace::set(Runtime& runtime, const std::string& name, Value value) {
  check_namespace_name(runtime, name);
  const auto found = find_named(attributes_, name);
  if (found != attributes_.end()) {
    found->second = std::move(value);
    return;
  }
  runtime.reserve(name.size() + sizeof(Value));
  attributes_.emplace_back(name, std::move(value));
}

bool Loop::fetch(Value& item) {
  while (cursor_.next(item)) {
    if (accept_ == nullptr || accept_(item)) return true;
  }
  return false;
}

bool Loop::peek() {
  Value item;
  if (ahead_.empty() && fetch(item)) ahead_.push_back(std::move(item));
  return !ahead_.empty();
}

bool Loop::advance(Value& item) {
  if (!peek()) return false;
  item = std::move(ahead_.front());
  ahead_.pop_front();
  ++index0_;
  previous_ = std::exchange(current_, item);
  return true;
}

std::int64_t Loop::count(Runtime& runtime) {
  if (length_ >= 0) return length_;
  if (accept_ == nullptr) length_ = cursor_.known_length();
  if (length_ >= 0) return length_;
  for (Value item; fetch(item);) {
    runtime.grow(ahead_.size() * sizeof(Value), sizeof(Value));
    ahead_.push_back(std::move(item));
  }
  return length_ = static_cast<std::int64_t>(ahead_.size()) + index0_ + 1;
}

Value Loop::attribute(Runtime& runtime, std::string_view name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek();
  if (name == "length") return count(runtime);
  if (name == "revindex") return count(runtime) - index0_;
  if (name == "revindex0") return count(runtime) - index0_ - 1;
  if (name == "depth") return std::int64_t{1};  // of recursive loops, which there are none
  if (name == "depth0") return std::int64_t{0};
  if (name == "previtem") return index0_ > 0 ? previous_ : runtime.undefined("there is no previous item");
  if (name == "nextitem") return peek() ? ahead_.front() : runtime.undefined("there is no next item");
  if (name == "cycle") {
    return runtime.make<Function>([this](Runtime& at, const Arguments& arguments) { return cycle(at, arguments); });
  }
  if (name == "changed") {
    return runtime.make<Function>([this](Runtime& at, const Arguments& arguments) { return changed(at, arguments); });
  }
  return Object::attribute(runtime, name);
}

Value Loop::cycle(Runtime& runtime, const Arguments& arguments) const {
  const auto& items = arguments.positional;
  if (items.empty() || !arguments.named.empty()) runtime.fail("expected values to cycle through but got none");
  return items[static_cast<std::size_t>(index0_) % items.size()];
}

bool Loop::changed(Runtime& runtime, const Arguments& arguments) {
  if (!arguments.named.empty()) runtime.fail("expected no named arguments of changed() but got some");
  Value value = runtime.tuple(arguments.positional);
  if (last_changed_ && equal(runtime, *last_changed_, value)) return false;
  last_changed_ = std::move(value);
  return true;
}

Value Cycler::attribute(Runtime& runtime, std::string_view name) {
  if (name == "current") return items_[place_];
  if (name == "next") {
    return runtime.make<Function>([this](Runtime& at, const Arguments& arguments) {
      Bound(at, "next()", arguments, {});
      const Value item = items_[place_];
      place_ = (place_ + 1) % items_.size();
      return item;
    });
  }
  if (name == "reset") {
    return runtime.make<Function>([this](Runtime& at, const Arguments& arguments) {
      Bound(at, "reset()", arguments, {});
      place_ = 0;
      return Value(None{});
    });
  }
  return Object::attribute(runtime, name);
}

Value Joiner::call(Runtime& runtime, const Arguments& arguments) {
  Bound(runtime, "joiner", arguments, {});
  return std::exchange(used_, true) ? separator_ : runtime.text("");
}

}  // namespace xlstm::text::jinja
