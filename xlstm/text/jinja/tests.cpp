#include "xlstm/text/jinja/tests.h"

#include <algorithm>
#include <string_view>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/filters.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/text_ops.h"

namespace xlstm::text::jinja {
namespace {

using TestFunction = bool (*)(Runtime& runtime, const Value& input, const Arguments& arguments);

template <bool (*kPredicate)(const Value&)>
bool plain(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "the test", arguments, {});
  return kPredicate(input);
}

template <Comparator kComparator>
bool compared(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "the test", arguments, {"other"}, 1);
  return compare(runtime, kComparator, input, *bound[0]);
}

template <std::int64_t kRest>
bool modulo_two(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "the test", arguments, {});
  return equal(runtime, binary(runtime, BinaryOperator::modulo, input, std::int64_t{2}), kRest);
}

bool divisible_by(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "divisibleby", arguments, {"num"}, 1);
  return equal(runtime, binary(runtime, BinaryOperator::modulo, input, *bound[0]), std::int64_t{0});
}

template <bool (*kIsCase)(std::string_view)>
bool is_case(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "the test", arguments, {});
  const std::string text = to_text(runtime, input);
  runtime.work(text.size());
  return kIsCase(text);
}

// Python's "is". Whether equal strings, numbers or tuples are one object depends on how they came about.
bool same_as(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "sameas", arguments, {"other"}, 1);
  const Value& other = *bound[0];
  if (input.index() != other.index()) return false;
  if (const Dict* dict = as_dict(input)) return dict == as_dict(other);
  const Sequence* sequence = as_sequence(input);
  if (sequence != nullptr && as_sequence(input, SequenceKind::tuple) == nullptr) return sequence == as_sequence(other);
  const bool same = equal(runtime, input, other);
  constexpr std::int64_t kSmall = 256;  // such ints are kept by Python
  const auto number = as_int(input);
  const bool is_plain = as_text(input) == nullptr && sequence == nullptr && !is<double>(input) && !is_undefined(input);
  if (same && !(is_plain && (!number || (*number >= -5 && *number <= kSmall)))) {
    runtime.fail("the test sameas of two equal values of type ", type_name(input), " is not supported");
  }
  return same;
}

bool knows_filter(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "filter", arguments, {});
  return as_text(input) != nullptr && is_filter(as_text(input)->utf8);
}
bool knows_test(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "test", arguments, {});
  return as_text(input) != nullptr && is_test(as_text(input)->utf8);
}

bool is_boolean(const Value& value) { return is<bool>(value); }
bool is_callable(const Value& value) {
  const Object* object = as_object(value);
  return is_undefined(value) || (object != nullptr && object->callable());
}
bool is_defined(const Value& value) { return !is_undefined(value); }
bool is_false(const Value& value) { return is<bool>(value) && !std::get<bool>(value); }
bool is_true(const Value& value) { return is<bool>(value) && std::get<bool>(value); }
bool is_float(const Value& value) { return is<double>(value); }
bool is_integer(const Value& value) { return is<std::int64_t>(value); }
bool is_mapping(const Value& value) { return as_dict(value) != nullptr; }
bool is_string(const Value& value) { return as_text(value) != nullptr; }
// len() and [...] work; of an undefined value they exist.
bool is_sequence(const Value& value) {
  const Sequence* sequence = as_sequence(value);
  if (sequence != nullptr) {
    return sequence->kind == SequenceKind::list || sequence->kind == SequenceKind::tuple ||
           sequence->kind == SequenceKind::range;
  }
  return is_string(value) || is_mapping(value) || is_undefined(value);
}

struct Entry {
  std::string_view name;
  TestFunction function;
};
constexpr Entry kTests[] = {
    {"!=", compared<Comparator::not_equal>},
    {"<", compared<Comparator::less>},
    {"<=", compared<Comparator::less_equal>},
    {"==", compared<Comparator::equal>},
    {">", compared<Comparator::greater>},
    {">=", compared<Comparator::greater_equal>},
    {"boolean", plain<is_boolean>},
    {"callable", plain<is_callable>},
    {"defined", plain<is_defined>},
    {"divisibleby", divisible_by},
    {"eq", compared<Comparator::equal>},
    {"equalto", compared<Comparator::equal>},
    {"even", modulo_two<0>},
    {"false", plain<is_false>},
    {"filter", knows_filter},
    {"float", plain<is_float>},
    {"ge", compared<Comparator::greater_equal>},
    {"greaterthan", compared<Comparator::greater>},
    {"gt", compared<Comparator::greater>},
    {"in", compared<Comparator::in>},
    {"integer", plain<is_integer>},
    {"iterable", plain<is_iterable>},
    {"le", compared<Comparator::less_equal>},
    {"lessthan", compared<Comparator::less>},
    {"lower", is_case<is_lower_text>},
    {"lt", compared<Comparator::less>},
    {"mapping", plain<is_mapping>},
    {"ne", compared<Comparator::not_equal>},
    {"none", plain<is_none>},
    {"number", plain<is_number>},
    {"odd", modulo_two<1>},
    {"sameas", same_as},
    {"sequence", plain<is_sequence>},
    {"string", plain<is_string>},
    {"test", knows_test},
    {"true", plain<is_true>},
    {"undefined", plain<is_undefined>},
    {"upper", is_case<is_upper_text>},
};

TestFunction find(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kTests), std::end(kTests), [&](const Entry& entry) { return entry.name == name; });
  return found == std::end(kTests) ? nullptr : found->function;
}

}  // namespace

bool is_test(const std::string& name) { return find(name) != nullptr; }

std::string unknown_test(const std::string& name) {
  if (name == "escaped") return "the test escaped is not supported";
  return "expected a test but got \"" + name.substr(0, 48) + '"';
}

bool apply_test(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments) {
  const TestFunction test = find(name);
  if (test == nullptr) runtime.fail(unknown_test(name));
  return test(runtime, input, arguments);
}

}  // namespace xlstm::text::jinja
