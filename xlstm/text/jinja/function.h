// A built-in function or a method bound to its object, as a value.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

class Function : public Object {
 public:
  using Body = std::function<Value(Runtime&, const Arguments&)>;
  explicit Function(Body body) : body_(std::move(body)) {}
  std::string_view type() const override { return "builtin_function_or_method"; }
  Value call(Runtime& runtime, const Arguments& arguments) override { return body_(runtime, arguments); }

 private:
  Body body_;
};

}  // namespace xlstm::text::jinja
