// The parts that JSON mode and JSON Schema are made of.
#pragma once

#include <cstdint>
#include <string_view>

#include "xlstm/text/grammar/expr.h"
#include "xlstm/text/grammar/json_options.h"

namespace xlstm::text::grammar {

/// The rules of JSON's own values, in a grammar that more rules may be added to.
class JsonPieces {
 public:
  explicit JsonPieces(Whitespace whitespace);

  Grammar& grammar() noexcept { return grammar_; }
  const ExprPtr& space() const noexcept { return space_; }    // between tokens
  const ExprPtr& value() const noexcept { return value_; }    // any value ...
  const ExprPtr& object() const noexcept { return object_; }  // ... and each kind of it
  const ExprPtr& array() const noexcept { return array_; }
  const ExprPtr& string() const noexcept { return string_; }
  const ExprPtr& number() const noexcept { return number_; }
  const ExprPtr& integer() const noexcept { return integer_; }
  /// One character of a string, spelled in any way.
  const ExprPtr& string_char() const noexcept { return string_char_; }
  /// open, nothing or the members with space round them, close.
  ExprPtr brackets(std::string_view open, ExprPtr members, bool may_be_empty, std::string_view close) const;
  /// space , space
  ExprPtr comma() const;
  /// key space : space value
  ExprPtr member(ExprPtr key, ExprPtr value) const;

 private:
  ExprPtr list(const ExprPtr& item) const;

  Grammar grammar_;
  ExprPtr space_, value_, object_, array_, string_, number_, integer_, string_char_;
};

/// `expr`, of code points, as it is spelled inside a JSON string: as themselves, or with the shortest escape where JSON
/// asks for one. REQUIRES: no rule and no text but "" in it.
ExprPtr spelled_in_json(const ExprPtr& expr);

}  // namespace xlstm::text::grammar
