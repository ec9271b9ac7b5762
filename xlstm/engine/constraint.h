// What a generated text has to be: a user's notation made into token masks, once for all requests that name it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "xlstm/text/grammar/token_masks.h"
#include "xlstm/text/grammar/vocabulary.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::engine {

/// docs/constrained_output.md has the notations.
struct Constraint {
  enum class Kind { gbnf, regex, json_schema, json_object };
  Kind kind = Kind::json_object;
  std::string source;  // not read for json_object

  bool operator==(const Constraint&) const = default;
};

using SharedMasks = std::shared_ptr<const text::grammar::TokenMasks>;

/// Masks of one tokenizer's vocabulary, the most recently used kept. Thread-safe; while one is made, others can be had.
class Constraints {
 public:
  /// Constraints kept, whoever else shares them.
  static constexpr std::size_t kMostKept = 32;

  /// The tokenizer must outlive it. The vocabulary is made with the first constraint.
  explicit Constraints(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// Errors: invalid_argument, one line with the place in the source, for what is no such notation or beyond its
  /// limits.
  SharedMasks get(const Constraint& constraint);
  std::size_t size() const;

 private:
  struct Entry {
    Constraint constraint;
    SharedMasks masks;
  };
  SharedMasks find(const Constraint& constraint);
  SharedMasks make(const Constraint& constraint);

  const tokenizer::Tokenizer& tokenizer_;
  std::once_flag vocabulary_once_;
  std::shared_ptr<const text::grammar::Vocabulary> vocabulary_;
  mutable std::mutex mutex_;
  std::list<Entry> kept_;  // the most recently used first
};

}  // namespace xlstm::engine
