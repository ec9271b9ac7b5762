#include "xlstm/text/jinja/macro.h"

#include <algorithm>

namespace xlstm::text::jinja {
namespace {

std::string shown_name(const Callable& macro) { return macro.name.empty() ? "caller" : macro.name; }

// Takes the argument of that name away from the others; false if there is none.
bool take_named(std::vector<std::pair<std::string, Value>>& named, std::string_view name, Value& value) {
  const auto found = std::find_if(named.begin(), named.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == named.end()) return false;
  value = std::move(found->second);
  named.erase(found);
  return true;
}

}  // namespace

std::string MacroObject::repr(Runtime&) const {
  return callable_.name.empty() ? "<Macro anonymous>" : "<Macro '" + callable_.name + "'>";
}

Value MacroObject::attribute(Runtime& runtime, std::string_view name) {
  constexpr std::string_view kAttributes[] = {"arguments",     "caller",          "catch_kwargs",
                                              "catch_varargs", "explicit_caller", "name"};
  if (std::find(std::begin(kAttributes), std::end(kAttributes), name) != std::end(kAttributes)) {
    runtime.fail("the attribute ", name, " of a macro is not supported");
  }
  return Object::attribute(runtime, name);
}

Value MacroObject::call(Runtime&, const Arguments& arguments) {
  return interpreter_.call_macro(callable_, scope_, arguments);
}

Value Interpreter::call_macro(const Callable& macro, Scope& definition, const Arguments& arguments) {
  const Runtime::Nested nested(runtime_);
  const Position called_at = runtime_.position();
  const auto scope = std::make_shared<Scope>(definition.shared_from_this());
  auto named = arguments.named;
  std::vector<const Parameter*> missing;
  Value taken;
  for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
    const std::string& name = macro.parameters[i].name;
    if (i < arguments.positional.size()) {
      scope->names.emplace(name, arguments.positional[i]);
    } else if (take_named(named, name, taken)) {
      scope->names.emplace(name, taken);
    } else {
      scope->names.emplace(name, runtime_.undefined("parameter '", name, "' was not provided"));
      missing.push_back(&macro.parameters[i]);
    }
  }
  if (macro.uses_caller) {
    const bool called = take_named(named, "caller", taken);
    scope->names.emplace("caller", called ? taken : runtime_.undefined("No caller defined"));
  }
  if (macro.uses_kwargs) {
    std::vector<std::pair<Value, Value>> entries;
    for (auto& [name, value] : named) entries.emplace_back(runtime_.text(name), std::move(value));
    scope->names.emplace("kwargs", runtime_.dict(std::move(entries)));
  } else if (!named.empty()) {
    runtime_.fail("expected no argument ", named[0].first, " of ", shown_name(macro), " but got one");
  }
  const std::size_t num_taken = std::min(macro.parameters.size(), arguments.positional.size());
  if (macro.uses_varargs) {
    scope->names.emplace("varargs",
                         runtime_.tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(num_taken),
                                         arguments.positional.end()}));
  } else if (arguments.positional.size() > num_taken) {
    runtime_.fail("expected at most ", num_taken, " arguments of ", shown_name(macro), " but got ",
                  arguments.positional.size());
  }
  // Defaults see the parameters before them.
  for (const Parameter* parameter : missing) {
    if (parameter->default_value == nullptr) continue;
    scope->names.insert_or_assign(parameter->name, evaluate(parameter->default_value, scope));
  }
  std::string out;
  execute(macro.body, scope, out);
  runtime_.at(called_at);
  return runtime_.text(std::move(out));
}

}  // namespace xlstm::text::jinja
