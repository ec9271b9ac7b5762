// Choices that the JSON notations leave open.
#pragma once

namespace xlstm::text::grammar {

enum class Whitespace {
  compact,   // none outside strings
  flexible,  // between tokens: nothing, a blank, or one or two line ends with at most 20 blanks or tabs behind them
};

struct JsonOptions {
  Whitespace whitespace = Whitespace::flexible;
  /// JSON mode: the text is an object, and not any value. No effect on schemas.
  bool object_only = true;
  /// Schemas: an object whose schema has `properties` and says nothing of additionalProperties gets no others.
  bool closed_objects = true;
};

}  // namespace xlstm::text::grammar
