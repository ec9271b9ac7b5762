// A macro, or the body of a call block, as a value.
#pragma once

#include <string>
#include <string_view>

#include "xlstm/text/jinja/ast.h"
#include "xlstm/text/jinja/interpreter.h"

namespace xlstm::text::jinja {

class MacroObject : public Object {
 public:
  /// `scope`: where it is defined; the runtime keeps it.
  MacroObject(Interpreter& interpreter, const Callable& callable, Scope& scope)
      : interpreter_(interpreter), callable_(callable), scope_(scope) {}
  std::string_view type() const override { return "Macro"; }
  std::string repr(Runtime& runtime) const override;
  Value attribute(Runtime& runtime, std::string_view name) override;
  Value call(Runtime& runtime, const Arguments& arguments) override;

 private:
  Interpreter& interpreter_;
  const Callable& callable_;
  Scope& scope_;
};

}  // namespace xlstm::text::jinja
