// Python's operators on values. Each fails, where the runtime stands, for operands that Python refuses.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "xlstm/text/jinja/ast.h"
#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// +, -, *, /, //, %, **. Ints have 64 bits: a result beyond them is an error.
Value binary(Runtime& runtime, BinaryOperator op, const Value& left, const Value& right);
Value negate(Runtime& runtime, const Value& value);
Value plus(Runtime& runtime, const Value& value);

/// ==
bool equal(Runtime& runtime, const Value& left, const Value& right);
/// <, and > and their like by turning it round.
bool less(Runtime& runtime, const Value& left, const Value& right);
bool less_equal(Runtime& runtime, const Value& left, const Value& right);
/// item in container
bool contains(Runtime& runtime, const Value& container, const Value& item);
bool compare(Runtime& runtime, Comparator comparator, const Value& left, const Value& right);

/// object.name: a method or attribute first, then the element under that key. Undefined when there is neither.
Value get_attribute(Runtime& runtime, const Value& object, std::string_view name);
/// object[index]: the other way round.
Value get_item(Runtime& runtime, const Value& object, const Value& index);
/// object[start:stop:step] with None for what is left out.
Value get_slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step);

/// len(); fails for what has none.
std::int64_t length_of(Runtime& runtime, const Value& value);
/// An int or bool as the int it is in Python; nothing for anything else.
std::optional<std::int64_t> as_int(const Value& value);
/// Fails, with what is expected, for anything else.
std::int64_t expect_int(Runtime& runtime, const Value& value, std::string_view what);
/// The text of a str; fails for anything else.
const std::string& expect_text(Runtime& runtime, const Value& value, std::string_view what);
/// Fails with its hint if the value is undefined.
void expect_defined(Runtime& runtime, const Value& value);

}  // namespace xlstm::text::jinja
